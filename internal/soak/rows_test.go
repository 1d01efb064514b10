package soak

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// rowsQueries show every table of the read model as text, names instead of ids, in an order of their own.
var rowsQueries = map[string]string{
	"topics":    `select concat_ws(' ', name, subscribers, description) from topics order by 1`,
	"audiences": `select concat_ws(' ', t.name, a.subscribers, a.filter) from audiences a join topics t using (topic_id) order by 1`,
	"periods": `select concat_ws(' ', t.name, u.name, from_position, until_position, since_position, min_severity, muted, a.filter)
		from periods p join topics t using (topic_id) join users u using (user_id) join audiences a using (audience_id) order by 1`,
	"notifications": `select concat_ws(' ', lpad(position::text, 12, '0'), id, targets, severity, title, body, data, sender, link, published_at, expires_at,
		retracted_position) from notifications order by 1`,
	"audience_targets": `select concat_ws(' ', t.name, position, stored, a.filter)
		from audience_targets join audiences a using (audience_id) join topics t using (topic_id) order by 1`,
	"user_targets": `select concat_ws(' ', position, u.name) from user_targets join users u using (user_id) order by 1`,
	"inbox":        `select concat_ws(' ', u.name, position, ends) from inbox join users u using (user_id) order by 1`,
	"marks": `select concat_ws(' ', u.name, position, 's', seen_at, 'r', read_at, 'a', archived_at, 'd', deleted_at)
		from marks join users u using (user_id) order by 1`,
	"tallies":     `select concat_ws(' ', u.name, away, read, seen) from tallies join users u using (user_id) where (away, read, seen) <> (0, 0, 0) order by 1`,
	"changes":     `select concat_ws(' ', u.name, position, at, change, ids, through) from changes join users u using (user_id) order by 1`,
	"retractions": `select concat_ws(' ', position, notification_position) from retractions order by 1`,
	"preferences": `select concat_ws(' ', u.name, position, muted_topics, settings) from preferences join users u using (user_id) order by 1`,
	"clock":       `select concat_ws(' ', lpad(position::text, 12, '0'), at, events) from clock order by 1`,
	"checkpoint":  `select concat_ws(' ', name, position, halted_reason) from projections order by 1`,
}

// rowsOf is all of a read model once it has come to a position.
func rowsOf(ctx context.Context, t *testing.T, database, position string) map[string][]string {
	t.Helper()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx) // only read from
	eventually(ctx, t, readyDeadline, "the read model comes to "+position, func() error {
		var there bool
		err := conn.QueryRow(ctx, "select position >= $1::text::bigint from projections", position).Scan(&there)
		if err == nil && !there {
			err = fmt.Errorf("it is not at %s yet", position)
		}
		return err
	})
	all := make(map[string][]string)
	for table, query := range rowsQueries {
		rows, err := conn.Query(ctx, query)
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		if all[table], err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
	}
	return all
}

// sameRows tells the first differences of each table.
func sameRows(t *testing.T, got, want map[string][]string) {
	t.Helper()
	for table := range rowsQueries {
		t.Logf("%-16s %6d rows", table, len(want[table]))
		if slices.Equal(got[table], want[table]) {
			continue
		}
		told := 0
		for _, line := range without(got[table], want[table]) {
			if told++; told <= 5 {
				t.Errorf("%s: has %s, which it must not", table, line)
			}
		}
		for _, line := range without(want[table], got[table]) {
			if told++; told <= 10 {
				t.Errorf("%s: misses %s", table, line)
			}
		}
		t.Errorf("%s: got %d rows, want %d", table, len(got[table]), len(want[table]))
	}
}

// without is what is in a list and not in another; both are sorted by the database.
func without(list, other []string) (only []string) {
	has := make(map[string]bool, len(other))
	for _, line := range other {
		has[line] = true
	}
	for _, line := range list {
		if !has[line] {
			only = append(only, line)
		}
	}
	return only
}

// between is a moment at random.
func between(ctx context.Context, least, most time.Duration, chance func(int64) int64) {
	select {
	case <-ctx.Done():
	case <-time.After(least + time.Duration(chance(int64(most-least)))):
	}
}
