package projections

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// contrastUsers are compared at a time.
	contrastUsers = 500
	// listedUsers is for how many users a report says what differs, and listedLines
	// how much it says of each.
	listedUsers = 1000
	listedLines = 50
)

// findings are what a comparison has found.
type findings struct {
	users     int64
	differing int64
	listed    []difference
}

// difference is one thing that two versions say differently.
type difference struct {
	user   string
	number int
	what   string
	line
}

// line is one thing that a user has.
type line struct {
	kind     string
	position int64
	id       *string
	topic    string
	text     string
}

// contrast compares all users by name, some at a time: memory does not grow with
// their number, and no statement needs them all.
func (p *pairing) contrast(ctx context.Context, now time.Time) (*findings, error) {
	found := new(findings)
	for after := ""; ; {
		names, last, err := p.next(ctx, after)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			return found, nil
		}
		differing, err := p.differing(ctx, names, now)
		if err != nil {
			return nil, err
		}
		found.users += int64(len(names))
		found.differing += int64(len(differing))
		for i := range differing {
			if found.differing-int64(len(differing)-i) >= listedUsers {
				break
			}
			if err := p.list(ctx, found, differing[i], now); err != nil {
				return nil, err
			}
		}
		after = last
	}
}

// next are the names of the users to be compared next, whichever version knows them.
func (p *pairing) next(ctx context.Context, after string) (names []string, last string, err error) {
	for _, conn := range []*pgx.Conn{p.before, p.with} {
		some, err := usersAfter(ctx, conn, after)
		if err != nil {
			return nil, "", err
		}
		names = append(names, some...)
		// A side with more to come bounds what is complete.
		if len(some) == contrastUsers && (last == "" || some[len(some)-1] < last) {
			last = some[len(some)-1]
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if last == "" {
		if len(names) > 0 {
			last = names[len(names)-1]
		}
		return names, last, nil
	}
	n, _ := slices.BinarySearch(names, last)
	return names[:n+1], last, nil
}

func usersAfter(ctx context.Context, conn *pgx.Conn, after string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	rows, err := conn.Query(ctx, sqlParityUsers, after, contrastUsers)
	if err != nil {
		return nil, fmt.Errorf("read users after %q: %w", after, err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read users after %q: %w", after, err)
	}
	return names, nil
}

// userSum stands for everything a user has; its zero value for nothing.
type userSum struct {
	lines int64
	sum   string
}

// differing are those of the users who have not the same in both versions.
func (p *pairing) differing(ctx context.Context, names []string, now time.Time) ([]string, error) {
	before, err := digests(ctx, p.before, names, now)
	if err != nil {
		return nil, err
	}
	with, err := digests(ctx, p.with, names, now)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return before[name] == with[name] }), nil
}

func digests(ctx context.Context, conn *pgx.Conn, names []string, now time.Time) (map[string]userSum, error) {
	ctx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	rows, err := conn.Query(ctx, sqlParityDigests, names, now)
	if err != nil {
		return nil, fmt.Errorf("sum up %d users from %q on: %w", len(names), names[0], err)
	}
	all := make(map[string]userSum, len(names))
	var (
		name string
		d    userSum
	)
	_, err = pgx.ForEachRow(rows, []any{&name, &d.lines, &d.sum}, func() error {
		all[name] = d
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sum up %d users from %q on: %w", len(names), names[0], err)
	}
	return all, nil
}

// list notes what differs for a user, as far as there is room. Both versions are
// read in the same order and never held whole.
func (p *pairing) list(ctx context.Context, found *findings, user string, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	before, err := linesFor(ctx, p.before, user, now)
	if err != nil {
		return err
	}
	defer before.rows.Close()
	with, err := linesFor(ctx, p.with, user, now)
	if err != nil {
		return err
	}
	defer with.rows.Close()
	for n := 0; before.there || with.there; {
		what := p.step(before, with)
		if what.what == "" {
			continue
		}
		if what.user, what.number = user, n; n == listedLines {
			what.line, what.what = line{kind: "more"}, "there are more differences"
		}
		found.listed = append(found.listed, what)
		if n++; n > listedLines {
			break
		}
	}
	return cmp.Or(before.rows.Err(), with.rows.Err())
}

// step takes the next line of both, or of the one that is behind, and says what
// differs; "" for nothing.
func (p *pairing) step(before, with *lines) (d difference) {
	var order int
	switch {
	case !with.there:
		order = -1
	case !before.there:
		order = 1
	default:
		order = before.now.compare(with.now)
	}
	switch {
	case order < 0:
		d = difference{line: before.now, what: fmt.Sprintf("only in version %d", p.old)}
		before.next()
	case order > 0:
		d = difference{line: with.now, what: fmt.Sprintf("only in version %d", p.new)}
		with.next()
	default:
		d.line = with.now
		if before.now.text != with.now.text {
			d.what = fmt.Sprintf("version %d: %s; version %d: %s", p.old, orNothing(before.now.text), p.new, orNothing(with.now.text))
		}
		before.next()
		with.next()
	}
	return d
}

func orNothing(text string) string { return cmp.Or(text, "no marks") }

// compare puts lines in the order they are read in.
func (l line) compare(m line) int {
	return cmp.Or(cmp.Compare(l.kind, m.kind), cmp.Compare(m.position, l.position), cmp.Compare(l.topic, m.topic))
}

// lines are read one by one.
type lines struct {
	rows  pgx.Rows
	now   line
	there bool // now is one; false at the end, and at an error
}

func linesFor(ctx context.Context, conn *pgx.Conn, user string, now time.Time) (*lines, error) {
	rows, err := conn.Query(ctx, sqlParityOrdered, []string{user}, now)
	if err != nil {
		return nil, fmt.Errorf("read what %s has: %w", user, err)
	}
	l := &lines{rows: rows}
	l.next()
	return l, nil
}

func (l *lines) next() {
	l.now = line{}
	l.there = l.rows.Next() && l.rows.Scan(&l.now.kind, &l.now.position, &l.now.id, &l.now.topic, &l.now.text) == nil
}
