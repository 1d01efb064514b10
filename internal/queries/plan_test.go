package queries

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/postgres"
	"github.com/tidings-io/tidings/internal/projections"
)

// plans has arguments for each statement, as Postgres writes them.
var plans = map[string]string{
	"changes_after":     `'u1', 5000, 101`,
	"clock_around":      `'2026-03-01 01:00:00+00'`,
	"clock_before":      `5000`,
	"clock_under":       `'2026-03-01 01:00:00+00'`,
	"counts":            `'u1', now(), 9223372036854775807`,
	"inbox_page":        `'u1', now(), 9223372036854775807, 9223372036854775807, 101, null, true`,
	"inbox_page_marked": `'u1', now(), 9223372036854775807, 9223372036854775807, 101, null, true, ''`,
	"inbox_page_topic":  `'u1', now(), 9223372036854775807, 9223372036854775807, 101, null, true, 't7'`,
	"items_after":       `'u1', now(), 9223372036854775807, 5000, 101`,
	"muted":             `'u1'`,
	"notification":      `'6f1c7b52-8a0e-4d0b-9d6f-0f5b8c1f7a11'`,
	"past_changes":      `'u1', 1999000`,
	"past_contents":     `array[100, 200, 300]`,
	"past_items":        `'u1', '2026-03-01 05:00:00+00', 1800000, 9223372036854775807, 500, null, ''`,
	"periods":           `'u1'`,
	"preferences":       `'u1'`,
	"recipients":        `'6f1c7b52-8a0e-4d0b-9d6f-0f5b8c1f7a11'`,
	"retractions_after": `'u1', 1999000, 101`,
	"retained":          `'u1', now(), 9223372036854775807, 5000`,
	"some_users":        `100`,
	"subscribers":       `'t1', 'u7', 101, 9223372036854775806`,
	"subscriptions":     `'u1', '', 101`,
	"topic":             `'t1'`,
	"topics":            `'', 11`,
	"whole_items":       `'u1'`,
	"whole_state":       `now(), 'u1'`,
	"whole_tallies":     `'u1'`,
}

// unplanned are the statements about a single row, or about the few of the registry.
var unplanned = []string{"checkpoint", "past_head", "parts", "projections", "parity", "parity_differences"}

// costly are steps that read far more than they give: whole tables, or all of a
// user's rows once for each of another's.
var costly = regexp.MustCompile(`Seq Scan on (\w+)|Materialize`)

// TestNoStatementReadsAWholeTable looks at the plans Postgres makes for the very
// arguments and, once a statement has been used a few times, for any.
func TestNoStatementReadsAWholeTable(t *testing.T) {
	t.Parallel()
	conn := volume(t, "testdata/volume.sql")
	for name := range statements(t) {
		for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
			plan := explain(t, conn, name, mode)
			if name == "inbox_page" && !strings.Contains(plan, "hashed SubPlan") {
				t.Errorf("%s (%s): marks are searched one by one in\n%s", name, mode, plan)
			}
			for _, step := range costly.FindAllStringSubmatch(plan, -1) {
				if step[1] != "projections" { // one row
					t.Errorf("%s (%s): %s in\n%s", name, mode, step[0], plan)
				}
			}
		}
	}
}

// volume is a connection to a database with rows enough for a planner, of a file.
func volume(t testing.TB, file string) *pgx.Conn {
	t.Helper()
	url := postgres.Fresh(t)
	if err := projections.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	fill, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), string(fill)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "vacuum"); err != nil { // as the server does by itself
		t.Fatal(err)
	}
	return conn
}

// statements are the texts of all statements that a planner could get wrong, by name.
func statements(t *testing.T) map[string]string {
	t.Helper()
	entries, err := files.ReadDir("sql")
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".sql"); !slices.Contains(unplanned, name) {
			texts[name] = statement(name)
		}
	}
	return texts
}

func explain(t *testing.T, conn *pgx.Conn, name, mode string) string {
	t.Helper()
	args, ok := plans[name]
	if !ok {
		t.Fatalf("no arguments for %s", name)
	}
	for _, sql := range []string{
		"deallocate all",
		"set plan_cache_mode = " + mode,
		"prepare asked as " + statement(name),
	} {
		if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	rows, err := conn.Query(t.Context(), fmt.Sprintf("explain execute asked(%s)", args), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return strings.Join(lines, "\n")
}
