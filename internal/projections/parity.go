package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
)

const (
	// reportTries is how often a report is tried before a switch goes on without it.
	reportTries = 3
	// reportFresh is how old a report of a held version may be when it takes over.
	reportFresh = time.Minute
	// meetPatience is how long the version that serves may be kept from folding
	// while the other comes to the same position.
	meetPatience = 3 * time.Second
	// meetTries is how often that is tried for one report.
	meetTries = 5
)

// errNeverEqual says that two versions cannot come to the same position.
var errNeverEqual = errors.New("the versions cannot be compared")

// reporting is a parity report being made.
type reporting struct {
	of    *version
	stop  context.CancelFunc
	ended chan struct{}
	err   error // once ended
}

func (r *reporting) end() {
	r.stop()
	<-r.ended
}

// compare has a report made of every rebuilt version that has caught up, one at a
// time and beside everything else.
func (l *leader) compare(ctx context.Context) error {
	if l.report != nil {
		l.collect()
		return nil // what the registry says of it is read anew first
	}
	from := l.serving()
	if from == nil || l.orders.paused {
		return nil
	}
	for _, v := range l.versions {
		if v.current() && l.awaitsReport(v) {
			l.report = l.compose(ctx, from, v)
			return nil
		}
	}
	return nil
}

// awaitsReport says whether a version must be compared before it may serve, or is
// being compared. One that has served before need not.
func (l *leader) awaitsReport(v *version) bool {
	switch {
	case l.report != nil && l.report.of == v:
		return true
	case v.serving || v.served || v.tries >= reportTries:
		return false
	default:
		return v.reported < 0 || v.number == l.orders.target && v.reported > reportFresh
	}
}

// collect sees whether the report under way has come to its end.
func (l *leader) collect() {
	r := l.report
	if l.orders.paused || r.of.run == nil {
		r.end()
	}
	select {
	case <-r.ended:
	default:
		return
	}
	l.report = nil
	if r.err == nil {
		r.of.reason = ""
		return
	}
	r.of.tries++
	if errors.Is(r.err, errNeverEqual) {
		r.of.tries = reportTries
	}
	r.of.reason = "no parity report: " + r.err.Error()
	l.logger.Warn("no parity report could be made", "version", r.of.number, "error", r.err)
}

// compose makes a report in the background.
func (l *leader) compose(ctx context.Context, from, to *version) *reporting {
	ctx, stop := context.WithCancel(ctx)
	r := &reporting{of: to, stop: stop, ended: make(chan struct{})}
	p := &pairing{
		Versions: l.Versions, base: l.base, old: from.number, new: to.number,
		oldSchema: from.schema, newSchema: to.schema, inbox: to.run.inbox, stuck: from.status().State == StateHalted,
	}
	go func() {
		defer close(r.ended)
		defer stop()
		r.err = p.report(ctx)
	}()
	return r
}

// pairing is two versions that are brought to the same position and compared. It
// has connections of its own, and reads nothing of the leader's that changes.
type pairing struct {
	*Versions

	base                 string
	old, new             int
	oldSchema, newSchema string
	inbox                *Inbox // of the new one
	stuck                bool   // the old one is halted

	lock         *pgx.Conn // holds the old one's checkpoint for a moment, and writes the report
	before, with *pgx.Conn // read the old and the new one, in one snapshot
	at           events.Position
}

// report compares both as they are at one position, and writes down what differs.
func (p *pairing) report(ctx context.Context) error {
	began := time.Now()
	for _, c := range []struct {
		conn   **pgx.Conn
		schema string
	}{{&p.lock, p.base}, {&p.before, p.oldSchema}, {&p.with, p.newSchema}} {
		conn, err := p.dial(ctx, c.schema)
		if err != nil {
			return err
		}
		defer disconnect(ctx, conn) //nolint:gocritic // three of them, each until the report is made
		*c.conn = conn
	}
	if err := p.meet(ctx); err != nil {
		return err
	}
	found, err := p.contrast(ctx, began)
	if err != nil {
		return err
	}
	if err := p.write(ctx, found, began); err != nil {
		return fmt.Errorf("write the parity report: %w", err)
	}
	p.logger.Info("versions are compared", "version", p.new, "against", p.old, "position", p.at,
		"users", found.users, "differing_users", found.differing, "took", time.Since(began))
	return nil
}

// dial connects as the projector does: its settings drive joins by index probes.
func (p *pairing) dial(ctx context.Context, schema string) (*pgx.Conn, error) {
	config, err := connConfig(p.DatabaseURL, schema)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["application_name"] = "tidings parity"
	delete(config.RuntimeParams, "idle_session_timeout")                  // it holds nothing that another waits for
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "10min" // one waits for the other
	return connect(ctx, config)
}

// meet opens a snapshot in which both versions are at the same position: the new
// one is held, the old one overtakes it and is locked, the new one comes up. Both
// go on once the snapshot is taken.
func (p *pairing) meet(ctx context.Context) error {
	defer p.inbox.held.at(0)
	p.inbox.held.at(p.inbox.Status().Position)
	for range meetTries {
		err := p.tryToMeet(ctx)
		if err == nil || !errors.Is(err, errNotNow) {
			return err
		}
		if !sleep(ctx, ordersEvery) {
			return ctx.Err()
		}
	}
	return errNotNow
}

func (p *pairing) tryToMeet(ctx context.Context) (err error) {
	l := leader{Versions: p.Versions, conn: p.lock}
	released := errors.New("released")
	err = l.transact(ctx, func(ctx context.Context) error {
		if err := l.patience(ctx, rowPatience); err != nil {
			return err
		}
		store, at, err := l.lockCheckpoint(ctx, p.oldSchema)
		if err != nil {
			return err
		}
		of, reached, err := checkpoint(ctx, p.with)
		switch {
		case err != nil:
			return err
		case of != store:
			return fmt.Errorf("%w: they are folds of different logs", errNeverEqual)
		case reached > at && p.stuck:
			return fmt.Errorf("%w: version %d is halted at %s, version %d is past that", errNeverEqual, p.old, at, p.new)
		case reached > at:
			return fmt.Errorf("%w: version %d has not come to %s yet", errNotNow, p.old, reached)
		}
		p.inbox.held.at(at)
		if err := p.awaitNew(ctx, at); err != nil {
			return err
		}
		p.reached("holding")
		if err := p.snapshot(ctx, at); err != nil {
			return err
		}
		return released
	})
	if errors.Is(err, released) {
		return nil
	}
	return err
}

// awaitNew waits until the new version has come to a position.
func (p *pairing) awaitNew(ctx context.Context, at events.Position) error {
	deadline := time.Now().Add(meetPatience)
	for {
		_, reached, err := checkpoint(ctx, p.with)
		switch {
		case err != nil:
			return err
		case reached == at:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%w: version %d is at %s and does not come to %s", errNotNow, p.new, reached, at)
		}
		if !sleep(ctx, overtakeEvery) {
			return ctx.Err()
		}
	}
}

// snapshot has both connections see the same moment, and no other from then on.
func (p *pairing) snapshot(ctx context.Context, at events.Position) error {
	const begin = "begin isolation level repeatable read read only"
	var name, join string
	err := exec(ctx, p.before, begin)
	if err == nil {
		err = one(ctx, p.before, sqlParitySnapshot, nil, &name)
	}
	if err == nil {
		err = one(ctx, p.with, sqlParityJoin, []any{name}, &join)
	}
	if err == nil {
		err = exec(ctx, p.with, begin)
	}
	if err == nil {
		err = exec(ctx, p.with, join)
	}
	if err != nil {
		return fmt.Errorf("take a snapshot of both versions: %w", err)
	}
	for _, conn := range []*pgx.Conn{p.before, p.with} {
		if _, seen, err := checkpoint(ctx, conn); err != nil || seen != at {
			return fmt.Errorf("look at the snapshot of both versions at %s: it is at %s: %w", at, seen, errors.Join(err, errNeverEqual))
		}
	}
	p.at = at
	return nil
}

// write replaces the version's report.
func (p *pairing) write(ctx context.Context, found *findings, began time.Time) error {
	l := leader{Versions: p.Versions, conn: p.lock}
	return l.transact(ctx, func(ctx context.Context) error {
		if err := exec(ctx, p.lock, sqlParityClear, p.new); err != nil {
			return fmt.Errorf("take the last one away: %w", err)
		}
		d := found.listed
		err := exec(ctx, p.lock, sqlParityDifferencesAdd, p.new,
			column(d, func(d difference) string { return d.user }),
			column(d, func(d difference) int { return d.number }),
			column(d, func(d difference) string { return d.kind }),
			column(d, func(d difference) int64 { return d.position }),
			column(d, func(d difference) *string { return d.id }),
			column(d, func(d difference) string { return d.topic }),
			column(d, func(d difference) string { return d.what }))
		if err != nil {
			return fmt.Errorf("list the differences: %w", err)
		}
		return exec(ctx, p.lock, sqlParityAdd, p.new, p.old, number(p.at), found.users, found.differing, began)
	})
}
