package projections

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// leader is who brings Postgres to what was ordered. It is one goroutine, and ends
// with its connection.
type leader struct {
	*Versions

	conn   *pgx.Conn
	base   string // the schema readers read
	orders *orders

	informed bool // orders were read once
	views    bool // have been seen to be right
	versions map[int]*version
	told     time.Time
	report   *reporting // under way; nil: none
}

// version is what the leader knows of one version.
type version struct {
	number   int
	schema   string
	serving  bool
	served   bool          // ever
	built    bool          // it has caught up before
	born     time.Time     // when its folding was first begun, by Postgres's clock
	reported time.Duration // since its parity report was made; negative: there is none
	differ   int64         // users, by that report

	made   bool // its tables are there, in today's form
	tries  int  // of a parity report that failed
	reason string
	run    *running
}

func newLeader(v *Versions, conn *pgx.Conn, base string) *leader {
	return &leader{Versions: v, conn: conn, base: base, orders: newOrders(), versions: map[int]*version{}}
}

// run does what is ordered until ctx or the connection ends.
func (l *leader) run(ctx context.Context) error {
	for {
		if err := l.step(ctx); err != nil {
			return err
		}
		if !sleep(ctx, ordersEvery) {
			return ctx.Err()
		}
	}
}

func (l *leader) step(ctx context.Context) error {
	if err := l.learn(ctx); err != nil {
		return err
	}
	for _, do := range []func(context.Context) error{l.load, l.make, l.show, l.drive, l.compare, l.replace, l.drop, l.tell} {
		if err := do(ctx); err != nil {
			return err
		}
		if !l.informed {
			return nil // nothing may be folded before it is known what to skip
		}
	}
	return nil
}

// learn reads the orders. Those read before stand while the store is away.
func (l *leader) learn(ctx context.Context) error {
	var away error
	if err := whileAlive(ctx, l.conn, func(ctx context.Context) error {
		away = l.orders.read(ctx, l.Orders)
		return nil
	}); err != nil {
		return err
	}
	switch err := away; {
	case err == nil:
		l.informed = true
	case !l.informed:
		l.enter(Status{State: StateWaitingForStore, Reason: err.Error()})
		l.logger.Warn("the projection pauses", "state", StateWaitingForStore, "error", err)
	default:
		l.logger.Debug("orders cannot be read now", "error", err)
	}
	return nil
}

// load reads the registry; a connection that was lost shows here at the latest.
func (l *leader) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	rows, err := l.conn.Query(ctx, sqlVersionsRead)
	if err != nil {
		return fmt.Errorf("read the versions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			at  version
			ago float64
		)
		if err := rows.Scan(&at.number, &at.schema, &at.serving, &at.served, &at.built, &at.born, &ago, &at.differ); err != nil {
			return fmt.Errorf("read a version: %w", err)
		}
		v := l.versions[at.number]
		if v == nil {
			v = new(version)
			l.versions[at.number] = v
		}
		v.number, v.schema, v.serving, v.served, v.built, v.born, v.differ = at.number, at.schema, at.serving, at.served, at.built, at.born, at.differ
		v.reported = time.Duration(ago * float64(time.Second))
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the versions: %w", err)
	}
	return nil
}

// serving is the version that readers see; nil before there is one.
func (l *leader) serving() *version {
	for _, v := range l.versions {
		if v.serving {
			return v
		}
	}
	return nil
}

// wants says whether a version is to be folded: the one that serves, the one that
// shall, and those that never have, which are held. One that was replaced rests.
func (l *leader) wants(number int) bool {
	v := l.versions[number]
	switch {
	case v != nil && v.serving:
		return true
	case l.orders.dropped[number]:
		return false
	case number == l.orders.target:
		return true
	case v == nil:
		return number > l.orders.target
	default:
		return !v.served
	}
}

// make brings the tables of every version that is to be folded to today's form.
func (l *leader) make(ctx context.Context) error {
	for number := 1; number <= l.orders.newest; number++ {
		v := l.versions[number]
		if !l.wants(number) || v != nil && v.made {
			continue
		}
		if v == nil {
			v = &version{number: number, schema: l.base + "_" + inboxName + "_" + strconv.Itoa(number), reported: -1}
		}
		if err := l.makeSchema(ctx, v); err != nil {
			return err
		}
		l.versions[number] = v
	}
	return nil
}

// maxIdentifier is how long a name may be in Postgres; it cuts longer ones short.
const maxIdentifier = 63

func (l *leader) makeSchema(ctx context.Context, v *version) error {
	if len(v.schema) > maxIdentifier {
		return fmt.Errorf("the schema %s would have a name that is too long: give the database URL a shorter search_path", v.schema)
	}
	create, err := l.spell(ctx, sqlVersionsSchema, v.schema)
	if err == nil {
		err = exec(ctx, l.conn, create)
	}
	if err == nil {
		err = one(ctx, l.conn, sqlVersionsAdd, []any{v.number, v.schema}, &v.born)
	}
	if err != nil {
		return fmt.Errorf("make the schema %s: %w", v.schema, err)
	}
	if err := whileAlive(ctx, l.conn, func(ctx context.Context) error {
		return migrate(ctx, l.DatabaseURL, v.schema, inboxTables)
	}); err != nil {
		return err
	}
	v.made = true
	l.reached("made")
	return nil
}

// spell has Postgres write a statement whose names are not known beforehand.
func (l *leader) spell(ctx context.Context, sql string, name string) (statement string, err error) {
	err = one(ctx, l.conn, sql, []any{name}, &statement)
	return statement, err
}

// show has readers served by the version that is wanted if they are served by none,
// though it is not caught up; and sees once that the views fit the tables.
func (l *leader) show(ctx context.Context) error {
	v := l.serving()
	first := v == nil
	if first {
		v = l.versions[l.orders.target]
	}
	if l.views || v == nil {
		return nil
	}
	err := l.transact(ctx, func(ctx context.Context) error {
		if err := l.patience(ctx, viewsPatience); err != nil {
			return err
		}
		if first {
			return l.expose(ctx, v)
		}
		return l.paint(ctx, v, true)
	})
	if err != nil {
		return fmt.Errorf("show version %d to readers: %w", v.number, err)
	}
	v.serving, v.served, l.views = true, true, true
	return nil
}

// viewsPatience is how long the views may wait for readers where nothing served
// before, or something is missing.
const viewsPatience = 5 * time.Second

// expose has a version serve readers.
func (l *leader) expose(ctx context.Context, v *version) error {
	if err := l.paint(ctx, v, false); err != nil {
		return err
	}
	if err := exec(ctx, l.conn, sqlVersionsUnserve); err != nil {
		return fmt.Errorf("take the old version's place: %w", err)
	}
	if err := exec(ctx, l.conn, sqlVersionsServe, v.number); err != nil {
		return fmt.Errorf("note that version %d serves: %w", v.number, err)
	}
	return nil
}

// paint makes the views of a version; with amend only those that are not right.
func (l *leader) paint(ctx context.Context, v *version, amend bool) error {
	limited, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	rows, err := l.conn.Query(limited, sqlVersionsViews, l.base, v.schema, amend)
	if err != nil {
		return fmt.Errorf("list the views: %w", err)
	}
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list the views: %w", err)
	}
	for _, statement := range statements {
		if err := exec(ctx, l.conn, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// transact runs do in a transaction on the leader's connection.
func (l *leader) transact(ctx context.Context, do func(context.Context) error) error {
	if err := exec(ctx, l.conn, "begin"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	err := do(ctx)
	if err == nil {
		if err = exec(ctx, l.conn, "commit"); err == nil {
			return nil
		}
		err = fmt.Errorf("commit: %w", err)
	}
	w := writer{conn: l.conn}
	return errors.Join(err, w.rollback(ctx))
}

// patience is how long statements of the transaction wait for locks.
func (l *leader) patience(ctx context.Context, d time.Duration) error {
	if err := exec(ctx, l.conn, sqlVersionsPatience, strconv.FormatInt(d.Milliseconds(), 10)); err != nil {
		return fmt.Errorf("set how long to wait for locks: %w", err)
	}
	return nil
}

// drop lets go of versions that were dropped by order and do not serve.
func (l *leader) drop(ctx context.Context) error {
	for number, v := range l.versions {
		if !l.orders.dropped[number] || v.serving || v.number == l.orders.target {
			continue
		}
		v.halt()
		statement, err := l.spell(ctx, sqlVersionsDrop, v.schema)
		if err == nil {
			err = l.transact(ctx, func(ctx context.Context) error {
				if err := exec(ctx, l.conn, statement); err != nil {
					return err
				}
				return exec(ctx, l.conn, sqlVersionsDelete, number)
			})
		}
		if err != nil {
			return fmt.Errorf("drop version %d: %w", number, err)
		}
		delete(l.versions, number)
		l.logger.Info("a version is dropped", "version", number)
	}
	return nil
}

// stop ends everything the leader has started, and waits for it.
func (l *leader) stop() {
	if l.report != nil {
		l.report.end()
	}
	for _, v := range l.versions {
		v.halt()
	}
}
