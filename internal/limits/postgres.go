package limits

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// cleanEvery is how often an instance deletes what nobody reads any more.
const cleanEvery = time.Minute

//go:embed sql/*.sql
var files embed.FS

// Each statement is in the file of its name.
var (
	sqlMade           = statement("made")
	sqlMakeLock       = statement("make_lock")
	sqlMakeSchema     = statement("make_schema")
	sqlMakeInstances  = statement("make_instances")
	sqlMakeQuotas     = statement("make_quotas")
	sqlInstancesSwap  = statement("instances_swap")
	sqlInstancesLeave = statement("instances_leave")
	sqlInstancesClean = statement("instances_clean")
	sqlQuotasAdd      = statement("quotas_add")
	sqlQuotasSums     = statement("quotas_sums")
	sqlQuotasSpent    = statement("quotas_spent")
	sqlQuotasClean    = statement("quotas_clean")
)

func statement(name string) string {
	text, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // a name in this package without its file
	}
	return string(text)
}

// Postgres is an exchange by two tables in the schema limits, which it makes when it first needs
// them, also when the database comes later. The pool stays the caller's to close.
func Postgres(pool *pgxpool.Pool) Exchange { return &tables{pool: pool} }

type tables struct {
	pool    *pgxpool.Pool
	made    atomic.Bool
	cleaned atomic.Int64 // when it last was, in seconds since 1970
}

// Swap is one round trip, and one transaction.
func (t *tables) Swap(ctx context.Context, r Report) (News, error) {
	if err := t.make(ctx); err != nil {
		return News{}, err
	}
	told, err := json.Marshal(r.Busy)
	if err != nil {
		return News{}, fmt.Errorf("write the busy buckets: %w", err)
	}
	var news News
	batch := &pgx.Batch{}
	batch.Queue(sqlInstancesSwap, r.Instance, told, r.Cut).Query(func(rows pgx.Rows) (err error) {
		news.Others, err = scanPeers(rows, &news.At)
		return err
	})
	if len(r.Spent) > 0 {
		days, subjects, ns := columns(r.Spent)
		batch.Queue(sqlQuotasAdd, days, subjects, ns)
		batch.Queue(sqlQuotasSums, days, subjects).Query(func(rows pgx.Rows) (err error) {
			news.Spent, err = pgx.CollectRows(rows, pgx.RowTo[int64])
			return err
		})
	}
	now := time.Now()
	clean := now.Sub(time.Unix(t.cleaned.Load(), 0)) >= cleanEvery
	if clean {
		batch.Queue(sqlInstancesClean)
		batch.Queue(sqlQuotasClean, dayOf(now))
	}
	if err := t.pool.SendBatch(ctx, batch).Close(); err != nil {
		return News{}, t.fault("exchange", err)
	}
	if clean {
		t.cleaned.Store(now.Unix())
	}
	// The row was written at At and could be read when the transaction had ended, which was
	// before now.
	news.At = news.At.Add(time.Since(now))
	return news, nil
}

func scanPeers(rows pgx.Rows, at *time.Time) (others []Peer, err error) {
	defer rows.Close()
	for rows.Next() {
		var beat *time.Time // null in the one row of who is alone
		var told []byte
		var cut *float64
		if err := rows.Scan(at, &beat, &told, &cut); err != nil {
			return nil, err
		}
		if beat == nil {
			continue
		}
		other := Peer{At: *beat, Cut: *cut}
		if err := json.Unmarshal(told, &other.Busy); err != nil {
			return nil, fmt.Errorf("read the busy buckets of another instance: %w", err)
		}
		others = append(others, other)
	}
	return others, rows.Err()
}

func columns(all []Spending) (days []int32, subjects [][]byte, ns []int64) {
	for i := range all {
		days, subjects, ns = append(days, all[i].Day), append(subjects, all[i].Subject[:]), append(ns, all[i].N)
	}
	return days, subjects, ns
}

func (t *tables) Spent(ctx context.Context, who Spender) (sum int64, err error) {
	if err := t.make(ctx); err != nil {
		return 0, err
	}
	if err := t.pool.QueryRow(ctx, sqlQuotasSpent, who.Day, who.Subject[:]).Scan(&sum); err != nil {
		return 0, t.fault("read a quota", err)
	}
	return sum, nil
}

func (t *tables) Leave(ctx context.Context, instance string) error {
	if _, err := t.pool.Exec(ctx, sqlInstancesLeave, instance); err != nil {
		return t.fault("leave", err)
	}
	return nil
}

// make makes the tables unless they are there: who may only use them need not be allowed to make
// them. A lock keeps two from making them at once, which "if not exists" does not.
func (t *tables) make(ctx context.Context) error {
	if t.made.Load() {
		return nil
	}
	var made bool
	if err := t.pool.QueryRow(ctx, sqlMade).Scan(&made); err != nil {
		return fmt.Errorf("look for the tables of limits: %w", err)
	}
	if !made {
		err := pgx.BeginFunc(ctx, t.pool, func(tx pgx.Tx) error {
			for _, sql := range []string{sqlMakeLock, sqlMakeSchema, sqlMakeInstances, sqlMakeQuotas} {
				if _, err := tx.Exec(ctx, sql); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("make the tables of limits: %w", err)
		}
	}
	t.made.Store(true)
	return nil
}

// fault says what was being done. Where the tables are gone, as in a database that was made anew,
// they are made again the next time.
func (t *tables) fault(doing string, err error) error {
	var answer *pgconn.PgError
	if errors.As(err, &answer) && (answer.Code == "42P01" || answer.Code == "3F000") { // no such table, no such schema
		t.made.Store(false)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
