package projections

import (
	"context"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

var (
	storeID = uuid.MustParse("5707e1d0-0000-4000-8000-000000000001")
	epoch   = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// testLog is a log in memory that a test writes by hand.
type testLog struct {
	mu     sync.Mutex
	stored []events.Stored
	more   chan struct{} // closed when something is appended
	err    error         // what the store answers while it is away
}

func newLog(t testing.TB, evs ...events.Event) *testLog {
	t.Helper()
	l := &testLog{more: make(chan struct{})}
	l.append(t, evs...)
	return l
}

// append records events at positions 10, 20, 30 …, a second apart.
func (l *testLog) append(t testing.TB, evs ...events.Event) {
	t.Helper()
	for _, e := range evs {
		p, err := events.Encode(e, streamOf(e), 0, events.Metadata{Attempt: uuid.New()})
		if err != nil {
			t.Fatal(err)
		}
		l.write(events.Stored{ID: p.ID, Stream: streamOf(e), Type: e.Type(), Data: p.Data, Metadata: p.Metadata})
	}
}

func (l *testLog) write(s events.Stored) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.stored) + 1
	s.Position = events.Position(n * 10)
	if s.At.IsZero() {
		s.At = epoch.Add(time.Duration(n) * time.Second)
	}
	l.stored = append(l.stored, s)
	close(l.more)
	l.more = make(chan struct{})
}

func (l *testLog) Subscribe(ctx context.Context, after events.Position) iter.Seq2[events.Message, error] {
	return func(yield func(events.Message, error) bool) {
		next := 0
		for {
			l.mu.Lock()
			stored, more := l.stored, l.more
			l.mu.Unlock()
			for ; next < len(stored); next++ {
				if s := stored[next]; s.Position > after && !yield(events.Message{Event: &s}, nil) {
					return
				}
			}
			if !yield(events.Message{CaughtUp: true}, nil) {
				return
			}
			select {
			case <-ctx.Done():
				yield(events.Message{}, ctx.Err())
				return
			case <-more:
			}
		}
	}
}

func (l *testLog) Head(context.Context) (events.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return events.Position(len(l.stored) * 10), l.err
}

// recorded is the whole log, decoded.
func (l *testLog) recorded(t testing.TB) []events.Recorded {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]events.Recorded, len(l.stored))
	for i, s := range l.stored {
		r, err := events.Decode(s)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = r
	}
	return all
}

func streamOf(e events.Event) events.StreamName {
	switch e := e.(type) {
	case events.Subscribed:
		return events.SubscriptionStream(e.User, e.Topic)
	case events.SubscriptionChanged:
		return events.SubscriptionStream(e.User, e.Topic)
	case events.Unsubscribed:
		return events.SubscriptionStream(e.User, e.Topic)
	case events.Published:
		return events.NotificationStream(e.NotificationID)
	case events.Retracted:
		return events.NotificationStream(e.NotificationID)
	case events.TopicDescribed:
		return events.TopicStream(e.Topic)
	case events.InboxEvent:
		return events.InboxStream(e.On().User)
	default:
		return events.StoreStream
	}
}

// nid is the id of the n-th notification of a test.
func nid(n int) uuid.UUID {
	return uuid.NewSHA1(uuid.Nil, []byte{byte(n), byte(n >> 8)})
}

func to(targets ...string) []events.Target {
	all := make([]events.Target, len(targets))
	for i, s := range targets {
		t, err := events.ParseTarget(s)
		if err != nil {
			panic(err)
		}
		all[i] = t
	}
	return all
}

func publish(n int, severity events.Severity, targets ...string) events.Published {
	return events.Published{
		NotificationID: nid(n), To: to(targets...), Severity: severity, Content: events.Content{Title: "t"},
	}
}
