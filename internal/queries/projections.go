package queries

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/tidings-io/tidings/internal/events"
)

// InboxProjection is the name of the one projection there is.
const InboxProjection = "inbox"

// Version is a version of a projection: its tables and who folds them.
type Version struct {
	Name            string          `json:"name"`
	Version         int             `json:"version"`
	State           string          `json:"state" doc:"building, ready, running, paused, kept, halted, standby, starting, waiting for store, waiting for database or unknown."`
	Serving         bool            `json:"serving" doc:"Readers are answered from it."`
	Position        events.Position `json:"position"`
	Head            events.Position `json:"head" doc:"The log's last event, as last seen; 0 where that was not asked."`
	LagEvents       int64           `json:"lag_events"`
	LagSeconds      float64         `json:"lag_seconds"`
	Progress        float64         `json:"progress" doc:"How much of the log is folded: 0 to 1."`
	EventsPerSecond float64         `json:"events_per_second"`
	SecondsLeft     *float64        `json:"seconds_left" doc:"null where it is not known."`
	Reason          string          `json:"reason" doc:"Why the state is not as one would wish."`
	Halted          *Halt           `json:"halted,omitempty" doc:"The event that cannot be applied."`
	StartedAt       time.Time       `json:"started_at"`
	UpdatedAt       time.Time       `json:"updated_at"`

	// CaughtUp says that its building has ended, maybe long ago.
	CaughtUp bool `json:"-"`
}

// Halt is where a projection is halted, and why.
type Halt struct {
	Position events.Position `json:"position"`
	Reason   string          `json:"reason"`
}

// known is how long what a projector wrote of itself is believed.
const known = 10 * time.Second

var (
	projectionsSQL       = statement("projections")
	paritySQL            = statement("parity")
	parityDifferencesSQL = statement("parity_differences")
)

// Projections are the versions of the read model, the oldest first, as far as is
// known: of what was not written for ten seconds the state is "unknown".
func (q *Queries) Projections(ctx context.Context) ([]Version, error) {
	const doing = "read the versions of the read model"
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	rows, err := q.pool.Query(limited, projectionsSQL, known.Seconds())
	if err != nil {
		return nil, fault(ctx, doing, err)
	}
	versions, err := pgx.CollectRows(rows, version)
	return versions, fault(ctx, doing, err)
}

func version(row pgx.CollectableRow) (Version, error) {
	v := Version{Name: InboxProjection}
	var halted *events.Position
	err := row.Scan(&v.Version, &v.Serving, &v.Reason, &v.Position, &v.Head, &v.LagEvents, &v.LagSeconds, &v.EventsPerSecond,
		&v.SecondsLeft, &halted, &v.CaughtUp, &v.StartedAt, &v.UpdatedAt, &v.State)
	if halted != nil {
		v.Halted = &Halt{Position: *halted, Reason: v.Reason}
	}
	if v.Head > 0 {
		v.Progress = min(1, float64(v.Position)/float64(v.Head))
	}
	return v, err
}

// Parity says what would change for users, or has changed, by a version's taking
// another one's place.
type Parity struct {
	Version        int             `json:"version"`
	Against        int             `json:"against" doc:"The version it is compared with."`
	Position       events.Position `json:"position" doc:"Both were folded up to here."`
	Users          int64           `json:"users" doc:"How many were compared."`
	DifferingUsers int64           `json:"differing_users" doc:"How many of them would see something else: exact, though at most 1,000 are listed."`
	StartedAt      time.Time       `json:"started_at"`
	FinishedAt     time.Time       `json:"finished_at"`
	Items          []UserParity    `json:"items" doc:"Users for whom something differs, by name."`
	NextCursor     string          `json:"next_cursor"`
}

// UserParity is what differs for one user.
type UserParity struct {
	User        events.User  `json:"user"`
	Differences []Difference `json:"differences"`
}

// Difference is one thing that two versions say differently.
type Difference struct {
	Kind           string          `json:"kind" doc:"item, subscription, preferences, or more: not all of a user's are listed."`
	Position       events.Position `json:"position" doc:"Of the item, of the subscription's beginning, or of where preferences were set."`
	NotificationID *uuid.UUID      `json:"notification_id,omitempty"`
	Topic          *events.Topic   `json:"topic,omitempty"`
	Difference     string          `json:"difference"`
}

// Parity is the last report of a version; ErrNotFound where none was made. The
// cursor is a user's name.
func (q *Queries) Parity(ctx context.Context, version, users int, cursor string) (Parity, error) {
	doing := fmt.Sprintf("read the parity report of version %d", version)
	if err := limit(users, maxLimit); err != nil {
		return Parity{}, fmt.Errorf("%s: %w", doing, err)
	}
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	p := Parity{Version: version}
	once := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(limited, q.pool, once, func(tx pgx.Tx) error {
		err := tx.QueryRow(limited, paritySQL, version).Scan(
			&p.Against, &p.Position, &p.Users, &p.DifferingUsers, &p.StartedAt, &p.FinishedAt)
		if err != nil {
			return err
		}
		rows, err := tx.Query(limited, parityDifferencesSQL, version, cursor, users+1)
		if err != nil {
			return err
		}
		return p.gather(rows, users)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Parity{}, fmt.Errorf("%s: %w", doing, ErrNotFound)
	}
	return p, fault(ctx, doing, err)
}

// gather puts rows together by user.
func (p *Parity) gather(rows pgx.Rows, users int) error {
	p.Items = []UserParity{}
	var (
		user events.User
		d    Difference
	)
	_, err := pgx.ForEachRow(rows, []any{&user, &d.Kind, &d.Position, &d.NotificationID, &d.Topic, &d.Difference}, func() error {
		if n := len(p.Items); n == 0 || p.Items[n-1].User != user {
			p.Items = append(p.Items, UserParity{User: user})
		}
		last := &p.Items[len(p.Items)-1]
		last.Differences = append(last.Differences, d)
		return nil
	})
	if len(p.Items) > users {
		p.Items = p.Items[:users]
		p.NextCursor = string(p.Items[users-1].User)
	}
	return err
}
