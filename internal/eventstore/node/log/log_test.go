package eventlog_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

func open(t testing.TB, o eventlog.Options) *eventlog.Log {
	t.Helper()
	if o.FS == nil {
		o.FS = vfs.NewMem()
	}
	l, err := eventlog.Open("store", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func event(kind string) eventlog.Event {
	return eventlog.Event{ID: uuid.New(), Type: kind, JSON: true, Data: []byte(`{"kind":"` + kind + `"}`), Metadata: []byte(`{}`)}
}

func TestLifeOfALog(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	l, err := eventlog.Open("store", eventlog.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Append(t.Context(), "a", eventlog.NoStream, event("one"), event("two"))
	if want := (eventlog.Appended{Revision: 1, Position: 2}); err != nil || got != want {
		t.Fatalf("append = %+v, %v, want %+v", got, err, want)
	}
	if got, err = l.Append(t.Context(), "b", eventlog.Any, event("three")); err != nil || got.Position != 3 || got.Revision != 0 {
		t.Fatalf("append = %+v, %v", got, err)
	}
	var wrong *eventlog.WrongRevision
	if _, err = l.Append(t.Context(), "a", 0, event("late")); !errors.As(err, &wrong) || wrong.Current != 1 {
		t.Fatalf("append at a passed revision: %v, want WrongRevision at 1", err)
	}
	if _, err := eventlog.Open("store", eventlog.Options{FS: fs}); !errors.Is(err, eventlog.ErrInUse) {
		t.Fatalf("second open: %v, want ErrInUse", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err = l.Append(t.Context(), "a", 1, event("closed")); !errors.Is(err, eventlog.ErrClosed) {
		t.Fatalf("append after close: %v, want ErrClosed", err)
	}

	l = open(t, eventlog.Options{FS: fs})
	if got := l.Head(); got != 3 {
		t.Fatalf("head after reopening = %d, want 3", got)
	}
	page, err := l.Forward(1, eventlog.Limit{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := describe(page), "[1:a@0 one 2:a@1 two 3:b@0 three]"; got != want {
		t.Fatalf("log = %s, want %s", got, want)
	}
	if page, err = l.Backward(3, eventlog.Limit{}); err != nil || describe(page) != "[2:a@1 two 1:a@0 one]" {
		t.Fatalf("backward = %s, %v", describe(page), err)
	}
	s, err := l.Stream("a")
	if err != nil {
		t.Fatal(err)
	}
	if page, err = s.Backward(9, eventlog.Limit{Events: 1}); err != nil || describe(page) != "[2:a@1 two]" {
		t.Fatalf("last of a = %s, %v", describe(page), err)
	}
}

func describe(records []*eventlog.Record) string {
	var text []string
	for _, r := range records {
		text = append(text, fmt.Sprintf("%d:%s@%d %s", r.Position, r.Stream, r.Revision, r.Type))
	}
	return fmt.Sprint(text)
}

func TestAFollowerOfAClosedLogIsTold(t *testing.T) {
	t.Parallel()
	l, err := eventlog.Open("store", eventlog.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "s", eventlog.NoStream, event("x"))
	_, moved := l.Moved()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	<-moved
	if _, _, err := l.Follow(2, eventlog.Page); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("follow: %v, want ErrClosed", err)
	}
}
