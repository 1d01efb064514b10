package projections

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
)

// TestNoStatementScansATable: every join is driven by the batch and probes
// indexes, with plans made while the tables are empty, as a new installation's
// are, and with plans made while they are small.
func TestNoStatementScansATable(t *testing.T) {
	t.Parallel()
	conn := fresh(t)
	seePlans(t, conn, "empty")
	log := newLog(t)
	for n := range 40 {
		user := events.User(fmt.Sprintf("u%d", n))
		log.append(t, events.Subscribed{User: user, Topic: "a"}, events.Subscribed{User: user, Topic: "b", Rules: events.Rules{Filter: "true"}})
	}
	for n := range 300 {
		expiring := publish(n, 0, "topic:a", "topic:b", fmt.Sprintf("user:u%d", n%40))
		expiring.ExpiresAt = &epoch
		log.append(t, expiring)
	}
	log.append(t, events.ItemsRead{Items: events.Items{User: "u1", Through: 10_000}})
	foldInto(t, t, conn, 40, log.recorded(t), 1000)
	seePlans(t, conn, "small")
	if _, err := conn.Exec(t.Context(), "analyze"); err != nil {
		t.Fatal(err)
	}
	seePlans(t, conn, "small, analyzed")
}

func seePlans(t *testing.T, conn *pgx.Conn, state string) {
	t.Helper()
	cases := map[string]struct {
		sql        string
		parameters int
	}{
		"users_known":           {sqlUsersKnown, 1},
		"topics_known":          {sqlTopicsKnown, 1},
		"topics_change":         {sqlTopicsChange, 3},
		"periods_known":         {sqlPeriodsKnown, 2},
		"periods_close":         {sqlPeriodsClose, 4},
		"notifications_known":   {sqlNotificationsKnown, 1},
		"notifications_retract": {sqlNotificationsRetract, 2},
		"inbox_add_members":     {sqlInboxAddMembers, 4},
		"inbox_add_both":        {sqlInboxAddBoth, 7},
		"inbox_end":             {sqlInboxEnd, 1},
		"audiences_known":       {sqlAudiencesKnown, 2},
		"audiences_filtered":    {sqlAudiencesFiltered, 1},
		"audiences_change":      {sqlAudiencesChange, 2},
		"periods_muted":         {sqlPeriodsMuted, 1},
		"mutes_known":           {sqlMutesKnown, 2},
		"clean_users":           {sqlCleanUsers, -6},
		"clean_ended":           {sqlCleanEnded, -5},
		"retention_bounds":      {sqlRetentionBounds, -2},
		"marks_change":          {sqlMarksChange, 11},
	}
	for name, c := range cases {
		plan := planOf(t, conn, name, c.sql, c.parameters)
		for _, bad := range []string{"Seq Scan", "Hash Join", "Merge Join", "hashed SubPlan"} {
			if strings.Contains(plan, bad) {
				t.Errorf("%s, %s, has a %s:\n%s", state, name, bad, plan)
			}
		}
		if scan := wholeIndex(plan); scan != "" && c.parameters > 0 {
			t.Errorf("%s, %s goes through a whole index: %s:\n%s", state, name, scan, plan)
		}
	}
	if members := planOf(t, conn, "members", sqlInboxAddMembers, 4); !strings.Contains(members, "periods_by_end") {
		t.Errorf("%s: members are not found by the end of their periods:\n%s", state, members)
	}
}

// wholeIndex is the line of a plan that scans an index of a table that grows with
// use without a condition. Those of names may be small enough for that to be best.
func wholeIndex(plan string) string {
	lines := strings.Split(plan, "\n")
	for i, line := range lines {
		if found := indexScan.FindStringSubmatch(line); len(found) == 2 && !slices.Contains([]string{"topics", "audiences", "preferences"}, found[1]) &&
			(i+1 == len(lines) || !strings.Contains(lines[i+1], "Index Cond")) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

var indexScan = regexp.MustCompile(`Index (?:Only )?Scan.* on (\w+)`)

// planOf is the plan for so many arrays, or, where parameters is negative, for so
// many single values.
func planOf(t *testing.T, conn *pgx.Conn, name, sql string, parameters int) string {
	t.Helper()
	if _, err := conn.Exec(t.Context(), fmt.Sprintf("prepare %s as %s", name, sql)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := conn.Exec(t.Context(), "deallocate "+name); err != nil {
			t.Fatal(err)
		}
	}()
	arguments := strings.Repeat(", '{}'", max(parameters, 1))[2:]
	if parameters < 0 {
		arguments = strings.Repeat(", null", -parameters)[2:]
	}
	rows, err := conn.Query(t.Context(), fmt.Sprintf("explain execute %s (%s)", name, arguments), pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
