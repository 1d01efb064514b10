package projections

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestNoStatementScansATable: every join is driven by the batch and probes
// indexes, with plans made while the tables are empty, as a new installation's
// are.
func TestNoStatementScansATable(t *testing.T) {
	t.Parallel()
	conn := fresh(t)
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
				t.Errorf("%s has a %s:\n%s", name, bad, plan)
			}
		}
	}
	members := planOf(t, conn, "members", sqlInboxAddMembers, 4)
	if !strings.Contains(members, "periods_by_end") {
		t.Errorf("members are not found by the end of their periods:\n%s", members)
	}
}

func planOf(t *testing.T, conn *pgx.Conn, name, sql string, parameters int) string {
	t.Helper()
	if _, err := conn.Exec(t.Context(), fmt.Sprintf("prepare %s as %s", name, sql)); err != nil {
		t.Fatal(err)
	}
	arguments := strings.Repeat(", '{}'", max(parameters, 1))[2:]
	if parameters < 0 { // so many, and none is an array
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
