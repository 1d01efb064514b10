package queries

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/events"
)

const (
	defaultTimeout = 5 * time.Second
	defaultPoll    = 50 * time.Millisecond
	maxLimit       = 100
)

// Options are the knobs of Queries; the zero value is what production uses.
type Options struct {
	// Now is the time at which answers are given: what has expired by then is left
	// out. time.Now when nil.
	Now func() time.Time
	// Timeout bounds each query, the wait for a connection included. 5 s when 0.
	Timeout time.Duration
	// Log is what answers of the past are read from where the tables do not say
	// enough. Without one there are none then.
	Log Log
	// Poll is how often WaitFor looks at the checkpoint when no notice comes. 50 ms
	// when 0.
	Poll time.Duration
	// Streams is where Explain reads: the event store.
	Streams Streams
	// Logger gets what Run has to say. slog.Default() when nil.
	Logger *slog.Logger
}

// Queries answers from the read model. All methods may be called from any
// goroutine, and work again by themselves once Postgres does.
type Queries struct {
	pool    *pgxpool.Pool
	log     Log
	now     func() time.Time
	timeout time.Duration
	streams Streams
	logger  *slog.Logger
	watch   *watch
}

// New makes Queries over a pool, which stays the caller's to close.
func New(pool *pgxpool.Pool, options Options) *Queries {
	q := &Queries{
		pool:    pool,
		log:     options.Log,
		now:     options.Now,
		timeout: cmp.Or(options.Timeout, defaultTimeout),
		streams: options.Streams,
		logger:  cmp.Or(options.Logger, slog.Default()),
	}
	if q.now == nil {
		q.now = time.Now
	}
	q.watch = newWatch(cmp.Or(options.Poll, defaultPoll), func(ctx context.Context) (events.Position, error) {
		p, _, err := q.Checkpoint(ctx)
		return p, err
	})
	return q
}

//go:embed sql/*.sql sql/parts/*.sql
var files embed.FS

// part is a line that stands for what several statements have in common.
var part = regexp.MustCompile(`(?m)^/\* (\w+) \*/\n`)

// statement is the text of sql/<name>.sql, with the texts of its parts.
func statement(name string) string {
	text, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // a name in this package without its file
	}
	return part.ReplaceAllStringFunc(string(text), func(line string) string {
		return statement("parts/" + part.FindStringSubmatch(line)[1])
	})
}

var checkpointSQL = statement("checkpoint")

// Checkpoint is how far the read model has come, and in which store's log. Both
// are zero before the projection has begun.
func (q *Queries) Checkpoint(ctx context.Context) (at events.Position, store uuid.UUID, err error) {
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	err = q.pool.QueryRow(limited, checkpointSQL).Scan(&at, &store)
	return at, store, fault(ctx, "read the checkpoint", err)
}

// row takes the columns of one row, the checkpoint aside.
type row func(columns ...any) error

// rows asks one statement whose first column is the checkpoint, the same in each
// row, and whose second is null in the one row of an empty answer. each is called
// for every row of any other, once the demands are known to be met. It returns the
// checkpoint.
func (q *Queries) rows(ctx context.Context, doing string, demands []AtLeast, each func(row) error, sql string, args ...any) (at events.Position, err error) {
	limited, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	err = again(limited, func() error {
		answer, err := q.pool.Query(limited, sql, args...)
		if err != nil {
			return err
		}
		at, err = scan(answer, demands, each)
		return err
	})
	if err != nil {
		return 0, fault(ctx, doing, err)
	}
	return at, nil
}

// scan reads such an answer to its end and closes it. Where a demand is not met no
// row is given to each.
func scan(answer pgx.Rows, demands []AtLeast, each func(row) error) (at events.Position, err error) {
	defer answer.Close()
	for first := true; answer.Next(); first = false {
		columns := make([]any, len(answer.RawValues())) // nil destinations are passed over
		columns[0] = &at
		if first && len(demands) > 0 {
			if err := answer.Scan(columns...); err != nil {
				return 0, err
			}
			if err := check(at, demands); err != nil {
				return 0, err
			}
		}
		if answer.RawValues()[1] == nil {
			err = answer.Scan(columns...)
		} else {
			err = each(func(rest ...any) error {
				copy(columns[1:], rest)
				return answer.Scan(columns...)
			})
		}
		if err != nil {
			return 0, err
		}
	}
	return at, answer.Err()
}

// limit checks a page's size.
func limit(n, most int) error {
	if n < 1 || n > most {
		return fmt.Errorf("%w: %d is not between 1 and %d", ErrBadLimit, n, most)
	}
	return nil
}
