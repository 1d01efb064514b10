package main

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/process"
)

// The notifications of May.
var (
	migration = uuid.MustParse("b7e7c4a2-5f0b-4c39-9d0e-2f6a81c3d417")
	oncall    = uuid.MustParse("0d9f3c58-6a41-4e7b-8c25-7be1940fa417")
	later     = uuid.MustParse("5c21e8f0-93d7-4b06-a1f4-c08d62b7e417")
)

// act is what somebody asked for in May 2026.
type act struct {
	at      string // of May, UTC
	actor   string
	request string // its X-Request-Id
	do      func(context.Context, commands.Store, events.Metadata) error
}

// may is the history that docs/audit.md looks into. The page holds its positions, times and ids: change it there too.
var may = []act{
	{"01 08:00:00", "", "", does(commands.NameStore{ID: uuid.MustParse("5707e1d0-0000-4000-8000-000000002026")})},
	{"01 09:00:00", "olga", "setup-1", does(commands.DescribeTopic{Topic: "releases", Description: "what goes live, and when"})},
	{"01 09:00:01", "olga", "setup-2", does(commands.Join{User: "ann", Topic: "releases"})},
	{"01 09:00:02", "olga", "setup-2", does(commands.Join{User: "bob", Topic: "releases"})},
	{"01 14:20:00", "bob", "bob-phone-7", does(commands.Subscribe{User: "bob", Topic: "releases", Rules: events.Rules{MinSeverity: events.SeverityHigh}})},
	{"02 10:30:00", "carol", "carol-laptop-1", does(commands.Subscribe{User: "carol", Topic: "releases"})},
	{"02 16:00:00", "release-bot", "release-417", does(commands.Publish{Notification: events.Published{
		NotificationID: migration, To: []events.Target{{Topic: "releases"}}, Severity: events.SeverityNormal, Sender: "release-bot",
		ExpiresAt: new(time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)), Content: events.Content{Title: "Database migration on Sunday at 22:00"},
	}})},
	{"02 16:00:01", "release-bot", "release-417", does(commands.Publish{Notification: events.Published{
		NotificationID: oncall, To: []events.Target{{User: "dave"}}, Severity: events.SeverityHigh, Sender: "release-bot",
		Content: events.Content{Title: "You are on call for release 417"},
	}})},
	{"02 16:05:00", "ann", "ann-phone-31", changes("seen", events.Items{User: "ann", IDs: []uuid.UUID{migration}})},
	{"02 16:05:12", "ann", "ann-phone-32", changes("read", events.Items{User: "ann", IDs: []uuid.UUID{migration}})},
	{"03 08:00:00", "carol", "carol-laptop-2", changes("read", events.Items{User: "carol", Through: 8})},
	{"03 12:00:00", "release-bot", "release-417", does(commands.Publish{Notification: events.Published{
		NotificationID: later, To: []events.Target{{Topic: "releases"}}, Severity: events.SeverityHigh, Sender: "release-bot",
		Content: events.Content{Title: "The migration is moved to 23:30"},
	}})},
	{"04 09:00:00", "carol", "carol-laptop-3", changes("archive", events.Items{User: "carol", IDs: []uuid.UUID{migration}})},
	{"05 11:00:00", "carol", "carol-laptop-4", does(commands.Unsubscribe{User: "carol", Topic: "releases"})},
	{"05 11:30:00", "dave", "dave-phone-2", does(commands.Subscribe{User: "dave", Topic: "releases"})},
	{"06 12:00:00", "olga", "ticket-88", does(commands.Retract{ID: migration})},
	{"10 18:00:00", "dave", "dave-phone-3", changes("read", events.Items{User: "dave", Through: 16})},
}

func does[S commands.State[S, E], E events.Event](c commands.Command[S, E]) func(context.Context, commands.Store, events.Metadata) error {
	return func(ctx context.Context, store commands.Store, md events.Metadata) error {
		_, err := commands.Handle(ctx, store, md, c)
		return err
	}
}

func changes(change string, items events.Items) func(context.Context, commands.Store, events.Metadata) error {
	return func(ctx context.Context, store commands.Store, md events.Metadata) error {
		e, err := inbox.Event(change, items)
		if err != nil {
			return err
		}
		_, err = commands.RecordItems(ctx, store, md, e)
		return err
	}
}

// untilReached waits for a node that is starting.
func untilReached(ctx context.Context, t *testing.T, store *esdb.Store) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		_, err := store.Head(ctx)
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("reach the node: %v", err)
		}
	}
}

// writeMay has a node write a part of the history into a directory, by its own clock: everything is as it would be, had it run in May.
func writeMay(t *testing.T, dir string, from, to int) {
	t.Helper()
	var clock atomic.Pointer[time.Time]
	clock.Store(new(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)))
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	ran := make(chan error, 1)
	node := process.Node{Dir: dir, Log: eventlog.Options{Now: func() time.Time { return *clock.Load() }}, Logger: quiet}
	go func() { ran <- node.Run(ctx, listener, nil) }()
	store, err := esdb.Open(fmt.Sprintf("esdb://%s?tls=false", listener.Addr()), esdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	untilReached(ctx, t, store)
	for i, a := range may[from:to] {
		at, err := time.Parse("2006-01-02 15:04:05", "2026-05-"+a.at)
		if err != nil {
			t.Fatal(err)
		}
		clock.Store(&at)
		command := uuid.NewSHA1(uuid.Nil, fmt.Append(nil, "may", from+i))
		md := events.Metadata{CommandID: command, Attempt: command, CorrelationID: a.request, CausationID: command.String(), Actor: a.actor}
		if err := a.do(ctx, store, md); err != nil {
			t.Fatalf("the act of %s: %v", a.at, err)
		}
	}
	store.Close()
	stop()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
}
