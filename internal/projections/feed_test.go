package projections

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

// script is a source that yields what a test wrote down, and waits for ctx after.
type script []any // events.Message or error

func (s script) Subscribe(ctx context.Context, _ events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		for _, step := range s {
			err, _ := step.(error)
			m, _ := step.(events.Message)
			if !yield(m, err) {
				return
			}
		}
		<-ctx.Done()
	}
}

func (script) Head(context.Context) (events.Position, error) { return 0, nil }

func stored(t *testing.T, at events.Position, e events.Event) events.Message {
	t.Helper()
	p, err := events.Encode(e, "s", 0, events.Metadata{})
	if err != nil {
		t.Fatal(err)
	}
	return events.Message{Event: &events.Stored{Position: at, At: epoch, Type: e.Type(), Data: p.Data, Metadata: p.Metadata}}
}

// TestFeed: what a source yields, and the spans that are taken when the reader has
// come as far as it can.
func TestFeed(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	named := func(at events.Position) events.Message { return stored(t, at, events.StoreNamed{StoreID: storeID}) }
	read := func(at events.Position) events.Message {
		return stored(t, at, events.ItemsRead{Items: events.Items{User: "ann", Through: 1}})
	}
	checkpoint := func(at events.Position) events.Message { return events.Message{Checkpoint: at} }
	future := events.Message{Event: &events.Stored{Position: 9, Type: "Future", Data: []byte("{}"), Metadata: []byte("{}")}}
	var reads script
	for n := range maxSweeps + 2 {
		reads = append(reads, read(events.Position(n+1)))
	}
	cases := map[string]struct {
		events, bytes int
		script        script
		want          []string
	}{
		"takes all there is": {
			10, 1e6, script{named(1), named(2), named(3)}, []string{"3 events through 3"},
		},
		"holds no more than a batch of events": {
			2, 1e6, script{named(1), named(2), named(3), named(4), named(5)},
			[]string{"2 events through 2", "2 events through 4", "1 events through 5"},
		},
		"holds no more than a batch of bytes, but one event at least": {
			10, 60, script{named(1), named(2), read(3), read(4)},
			[]string{"1 events through 1", "1 events through 2", "2 events through 4"},
		},
		"holds few sweeps": {
			1000, 1e6, reads, []string{"256 events through 256", "2 events through 258"},
		},
		"checkpoints reach past the events": {
			10, 1e6, script{named(1), checkpoint(7)}, []string{"1 events through 7"},
		},
		"checkpoints alone are taken too, but for those that mean nothing": {
			10, 1e6, script{checkpoint(7), checkpoint(5), checkpoint(1<<64 - 1), events.Message{CaughtUp: true}},
			[]string{"0 events through 7 caught up"},
		},
		"an error comes after what came before it": {
			10, 1e6, script{named(1), away}, []string{"1 events through 1", "read the log after 1: away"},
		},
		"an event that cannot be decoded comes after what came before it": {
			10, 1e6, script{named(1), future, named(10)},
			[]string{"1 events through 1", "apply the event at position 9: decode Future at position 9 (stream , revision 0): " +
				"this program is too old to read the event: unknown type"},
		},
		"a position no table can hold": {
			10, 1e6, script{named(1 << 63)},
			[]string{"apply the event at position 9223372036854775806: position 9223372036854775808 is out of bounds"},
		},
		"a log that goes back": {
			10, 1e6, script{named(3), named(3)}, []string{"1 events through 3", "read the log after 3: it went back to 3"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				f := newFeed(c.events, c.bytes)
				var reader sync.WaitGroup
				reader.Go(func() { f.fill(ctx, c.script, 0) })
				for _, want := range c.want {
					synctest.Wait()
					if got := shown(f.take(ctx, time.Second)); got != want {
						t.Errorf("got %q, want %q", got, want)
					}
				}
				cancel()
				reader.Wait()
			})
		})
	}
}

func shown(s span, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case s.caughtUp:
		return fmt.Sprintf("%d events through %s caught up", len(s.events), s.through)
	default:
		return fmt.Sprintf("%d events through %s", len(s.events), s.through)
	}
}

func TestFeedPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFeed(10, 10)
		began := time.Now()
		if got := shown(f.take(t.Context(), time.Minute)); got != "0 events through 0" || time.Since(began) != time.Minute {
			t.Errorf("got %q after %s, want nothing after a minute", got, time.Since(began))
		}
	})
}

// TestFeedGathers: a steady load is gathered until a moment, a full batch is not
// waited with.
func TestFeedGathers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		few := newFeed(10, 1e6)
		few.gather(ctx, began.Add(time.Second))
		if got := time.Since(began); got != time.Second {
			t.Errorf("got few after %s, want a second", got)
		}
		full := newFeed(1, 1e6)
		source := script{stored(t, 1, events.StoreNamed{}), stored(t, 2, events.StoreNamed{})}
		var reader sync.WaitGroup
		reader.Go(func() { full.fill(ctx, source, 0) })
		began = time.Now()
		full.gather(ctx, began.Add(time.Hour))
		if got := time.Since(began); got != 0 {
			t.Errorf("got a full batch after %s, want at once", got)
		}
		cancel()
		reader.Wait()
	})
}
