package queries_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/postgres"
)

// database is a fresh database with the tables of the inbox.
func database(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), postgres.Fresh(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	text, err := os.ReadFile("../projections/sql/migrations/00001_inbox.sql")
	if err != nil {
		t.Fatal(err)
	}
	up, _, _ := strings.Cut(string(text), "-- +goose Down")
	if _, err := pool.Exec(t.Context(), up); err != nil {
		t.Fatal(err)
	}
	return pool
}

// fatal is what writing tables needs of a test, rapid's included.
type fatal interface {
	Helper()
	Fatal(args ...any)
}

// tables writes what a model knows into empty tables, with fan-out stored for
// topics of up to so many subscribers.
type tables struct {
	*model
	batch  pgx.Batch
	users  map[events.User]int
	topics map[events.Topic]int
}

const forever = int64(^uint64(0) >> 1)

func write(ctx context.Context, t fatal, pool *pgxpool.Pool, m *model, storeLimit int) {
	t.Helper()
	w := &tables{model: m, users: make(map[events.User]int), topics: make(map[events.Topic]int)}
	w.batch.Queue("truncate users, topics, periods, notifications, topic_targets, user_targets, inbox, marks, changes, retractions, projections")
	w.batch.Queue("insert into projections (name, store_id, position) values ('inbox', $1, $2)", uuid.NewSHA1(uuid.Nil, []byte("a store")), uint64(m.position))
	w.topicRows()
	w.periodRows()
	for _, n := range m.order {
		w.notificationRows(n, storeLimit)
	}
	w.toldRows()
	if err := pool.SendBatch(ctx, &w.batch).Close(); err != nil {
		t.Fatal(err)
	}
}

func (w *tables) user(name events.User) int {
	if w.users[name] == 0 {
		w.users[name] = len(w.users) + 1
		w.batch.Queue("insert into users (user_id, name) overriding system value values ($1, $2)", w.users[name], string(name))
	}
	return w.users[name]
}

func (w *tables) topicRows() {
	for name, description := range w.described {
		w.topics[name] = len(w.topics) + 1
		w.batch.Queue("insert into topics (topic_id, name, description) overriding system value values ($1, $2, $3)",
			w.topics[name], string(name), description)
	}
	for _, subs := range w.subs {
		for name := range subs {
			w.batch.Queue("update topics set subscribers = subscribers + 1 where topic_id = $1", w.topics[name])
		}
	}
}

func (w *tables) periodRows() {
	for name, periods := range w.periods {
		for _, p := range periods {
			until := forever
			if p.Until != 0 {
				until = int64(p.Until)
			}
			w.batch.Queue("insert into periods values ($1, $2, $3, $4, $5, $6)",
				w.topics[p.Topic], w.user(name), uint64(p.From), until, uint64(p.Since), uint8(p.MinSeverity))
		}
	}
}

func (w *tables) notificationRows(n *publication, storeLimit int) {
	var targets []string
	for _, target := range n.To {
		targets = append(targets, target.String())
	}
	var retracted *uint64
	if n.retracted {
		retracted = new(uint64(forever))
	}
	w.batch.Queue("insert into notifications values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
		uint64(n.Position), n.NotificationID, targets, uint8(n.Severity), n.Content.Title, n.Content.Body, n.Content.Data,
		n.Sender, n.Content.Link, n.At, n.ExpiresAt, retracted)
	for _, target := range n.To {
		if target.User != "" {
			w.batch.Queue("insert into user_targets values ($1, $2)", uint64(n.Position), w.user(target.User))
			w.received(target.User, n)
			continue
		}
		w.topicTarget(n, target.Topic, storeLimit)
	}
	for name, k := range n.received {
		if *k != (marks{}) {
			w.batch.Queue("insert into marks values ($1, $2, $3, $4, $5, $6)",
				w.user(name), uint64(n.Position), k.seen, k.read, k.archived, k.deleted)
		}
	}
}

func (w *tables) received(name events.User, n *publication) {
	w.batch.Queue("insert into inbox values ($1, $2) on conflict do nothing", w.user(name), uint64(n.Position))
}

func (w *tables) topicTarget(n *publication, topic events.Topic, storeLimit int) {
	var admitted []events.User
	subscribers := 0
	for name, periods := range w.periods {
		for _, p := range periods {
			if p.Topic == topic && p.From < n.Position && (p.Until == 0 || n.Position < p.Until) {
				subscribers++
				if n.Severity >= p.MinSeverity {
					admitted = append(admitted, name)
				}
			}
		}
	}
	stored := subscribers <= storeLimit
	w.batch.Queue("insert into topic_targets values ($1, $2, $3)", w.topics[topic], uint64(n.Position), stored)
	if stored {
		for _, name := range admitted {
			w.received(name, n)
		}
	}
}

func (w *tables) toldRows() {
	for name, told := range w.told {
		for _, e := range told {
			if e.Change != nil {
				ids := e.Change.IDs
				if ids == nil {
					ids = []uuid.UUID{}
				}
				w.batch.Queue("insert into changes values ($1, $2, $3, $4, $5)",
					w.user(name), uint64(e.Position), e.Change.Change, ids, uint64(e.Change.Through))
			}
		}
	}
	for _, n := range w.order {
		if n.retracted {
			w.batch.Queue("insert into retractions values ($1, $2)", uint64(n.retractedAt), uint64(n.Position))
			w.batch.Queue("update notifications set retracted_position = $1 where position = $2", uint64(n.retractedAt), uint64(n.Position))
		}
	}
}
