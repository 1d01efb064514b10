package selfcheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/queries"
)

// Log is the event store, as far as checking needs it.
type Log interface {
	// ReadAll yields the events after a position that the filter picks, oldest first,
	// up to the head as of the call. An error is the last thing it yields.
	ReadAll(ctx context.Context, after events.Position, f events.Filter) iter.Seq2[events.Stored, error]
}

// Tables are what is doubted.
type Tables interface {
	// Checkpoint is how far the tables have come, and in which store's log.
	Checkpoint(ctx context.Context) (at events.Position, store uuid.UUID, err error)
	// SomeUsers are at most n users picked at random, each once.
	SomeUsers(ctx context.Context, n int) ([]events.User, error)
	// Whole is all that the tables say of a user's inbox, in one snapshot.
	Whole(ctx context.Context, user events.User) (queries.Whole, error)
}

// What programs use unless they are told otherwise.
const (
	DefaultEvery = time.Hour
	defaultUsers = 100
	// defaultPace reads a million events in a bit over three minutes, at a few
	// percent of what the store and the projection can do.
	defaultPace = 5000
)

// Job checks some users now and then. Set the fields before Run and do not change
// them after.
type Job struct {
	Log    Log
	Tables Tables
	// Every is the pause between two rounds; the first begins after a random part of
	// it. 0 checks nothing.
	Every time.Duration
	// Users is how many are checked in a round at most; 100 when 0.
	Users int
	// Pace is how many events are read in a second at most; 5,000 when 0.
	Pace int
	// Leads says whether this process is the one that should check; nil: it is. A
	// round ends when it no longer is.
	Leads   func() bool
	Logger  *slog.Logger // nil logs nothing
	Metrics *Metrics     // nil counts for nobody
}

// errNotLeading ends a round that is another process's to make.
var errNotLeading = errors.New("another process projects")

// Run checks until ctx ends, and then returns nil; it may be run again. A round
// that fails, as while Postgres or the store is away, is logged, and the next one
// comes in its time.
func (j Job) Run(ctx context.Context) error {
	if j.Every <= 0 {
		<-ctx.Done()
		return nil
	}
	j = j.filled()
	for wait := rand.N(j.Every); sleep(ctx, wait); wait = j.Every { //nolint:gosec // when to check is no secret
		if !j.Leads() {
			continue
		}
		began := time.Now()
		err := j.round(ctx)
		switch {
		case ctx.Err() != nil: // cut short by our own end, which is no fault
		case errors.Is(err, errNotLeading):
		case err != nil:
			j.Metrics.failures.Inc()
			j.Logger.Warn("the self-check could not be finished", "error", err)
		default:
			j.Metrics.done(time.Since(began))
		}
	}
	return nil
}

func (j Job) filled() Job {
	j.Users, j.Pace = cmp.Or(j.Users, defaultUsers), cmp.Or(j.Pace, defaultPace)
	if j.Leads == nil {
		j.Leads = func() bool { return true }
	}
	if j.Logger == nil {
		j.Logger = slog.New(slog.DiscardHandler)
	}
	if j.Metrics == nil {
		j.Metrics = NewMetrics(nil)
	}
	return j
}

// round checks some users once. Their books are folded up to where the tables are,
// and from there on, user by user, exactly to the position of the user's snapshot.
func (j Job) round(ctx context.Context) error {
	users, err := j.Tables.SomeUsers(ctx, j.Users)
	if err != nil || len(users) == 0 {
		return err
	}
	at, _, err := j.Tables.Checkpoint(ctx)
	if err != nil {
		return err
	}
	s := &scan{log: j.Log, pace: j.Pace, leads: j.Leads, shelf: inbox.NewBriefShelf(users...)}
	if err := s.to(ctx, at); err != nil {
		return err
	}
	for _, user := range users {
		if err := j.user(ctx, s, user); err != nil {
			return fmt.Errorf("check %s: %w", user, err)
		}
	}
	return nil
}

func (j Job) user(ctx context.Context, s *scan, user events.User) error {
	whole, err := j.Tables.Whole(ctx, user)
	if err != nil {
		return err
	}
	if err := s.to(ctx, whole.Position); err != nil {
		return err
	}
	j.Metrics.users.Inc()
	differences := compare(s.shelf.Book(user), whole)
	if len(differences) == 0 {
		return nil
	}
	j.Metrics.differences.Add(float64(len(differences)))
	j.Logger.Error("the tables differ from the log", "user", user, "position", whole.Position,
		"differences", len(differences), "first", differences[:min(shown, len(differences))], "repair", repair)
	return nil
}

const (
	// shown are how many differences of a user are logged.
	shown = 10
	// repair is what an operator does about a difference.
	repair = "tidings projections rebuild"
)

// sleep says false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
