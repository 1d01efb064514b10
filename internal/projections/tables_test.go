package projections

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/postgres"
)

// fresh is a connection, set as the projector's, to tables without a row.
func fresh(t testing.TB) *pgx.Conn {
	t.Helper()
	return dial(t, freshURL(t))
}

func freshURL(t testing.TB) string {
	t.Helper()
	url := postgres.Fresh(t)
	if err := Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return url
}

func dial(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	config, err := connConfig(url, "")
	if err != nil {
		t.Fatal(err)
	}
	delete(config.RuntimeParams, "idle_session_timeout") // a test may think for long between two statements
	conn, err := connect(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disconnect(t.Context(), conn) })
	return conn
}

// newWriter begins at the checkpoint the tables have.
func newWriter(t testing.TB, conn *pgx.Conn, storeLimit int) *writer {
	t.Helper()
	if err := exec(t.Context(), conn, sqlCheckpointBegin, inboxName, storeID); err != nil {
		t.Fatal(err)
	}
	_, at, err := checkpoint(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	return &writer{
		conn: conn, storeLimit: storeLimit, metrics: NewMetrics(nil), position: at,
		applied: func(events.Position) {},
	}
}

func spanOf(evs []events.Recorded) span {
	return span{events: evs, through: evs[len(evs)-1].Position}
}

// tables are the statements that show each table by names, not ids.
var tables = []struct{ name, query string }{
	{"users", `select name from users`},
	{"topics", `select concat_ws(' ', name, subscribers, description) from topics`},
	{"audiences", `select concat_ws(' ', t.name, nullif(filter, ''), a.subscribers, case when live <> (a.subscribers > 0)
		or digest <> case filter when '' then '' else sha256(convert_to(filter, 'UTF8')) end then 'wrong' end)
		from audiences a join topics t using (topic_id)`},
	{"ids", `select concat_ws(' ', 'user', name, user_id) from users union all select concat_ws(' ', 'topic', name, topic_id) from topics
		union all select concat_ws(' ', 'audience', name, filter, audience_id) from audiences join topics using (topic_id)`},
	{"periods", `select concat_ws(' ', t.name, u.name, from_position,
		replace(until_position::text, '9223372036854775807', '-'), since_position, min_severity, nullif(a.filter, ''), case when muted then 'muted' end)
		from periods p join topics t using (topic_id) join users u using (user_id) join audiences a using (audience_id, topic_id)`},
	{"notifications", `select concat_ws(' ', position, id, targets, severity, title, body, data, sender, link,
		published_at at time zone 'utc', expires_at at time zone 'utc', 'retracted ' || retracted_position) from notifications`},
	{"audience_targets", `select concat_ws(' ', position, name, nullif(filter, ''), case when stored then 'stored' else 'joined' end)
		from audience_targets join audiences using (audience_id) join topics using (topic_id)`},
	{"user_targets", `select concat_ws(' ', position, name) from user_targets join users using (user_id)`},
	{"inbox", `select concat_ws(' ', name, position, case when ends then 'ends' end) from inbox join users using (user_id)`},
	{"marks", `select concat_ws(' ', name, position, 'seen ' || (seen_at at time zone 'utc')::time, 'read ' || (read_at at time zone 'utc')::time,
		'archived ' || (archived_at at time zone 'utc')::time, 'deleted ' || (deleted_at at time zone 'utc')::time)
		from marks join users using (user_id)`},
	{"tallies", `select concat_ws(' ', name, 'away', away, 'read', read, 'seen', seen) from tallies join users using (user_id)`},
	{"changes", `select concat_ws(' ', name, position, (at at time zone 'utc')::time, change, ids, through) from changes join users using (user_id)`},
	{"retractions", `select concat_ws(' ', position, notification_position) from retractions`},
	{"preferences", `select concat_ws(' ', name, position, muted_topics, settings) from preferences join users using (user_id)`},
	{"clock", `select concat_ws(' ', position, (at at time zone 'utc')::time, events) from clock`},
	{"counts", `select concat_ws(' ', events, (latest_at at time zone 'utc')::time) from projections`},
	{"projections", `select concat_ws(' ', name, position, 'halted ' || halted_position, halted_reason) from projections`},
}

// fataler is what testing and rapid have in common.
type fataler interface{ Fatal(args ...any) }

// rowsOf shows the rows of the named tables, or of all, as sorted lines.
func rowsOf(ctx context.Context, t fataler, conn *pgx.Conn, names ...string) string {
	var all strings.Builder
	for _, table := range tables {
		if len(names) > 0 && !strings.Contains(" "+strings.Join(names, " ")+" ", " "+table.name+" ") {
			continue
		}
		rows, err := conn.Query(ctx, table.query+` order by 1`)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			fmt.Fprintf(&all, "%s: %s\n", table.name, line)
		}
	}
	return all.String()
}
