package node_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// hear receives until the last word is heard: events as stream@revision, caught-up, checkpoint:position, dropped, or
// silence when nothing came for too long.
func hear(t testing.TB, subscription *esdb.Subscription, last string) string {
	t.Helper()
	var text []string
	var silent atomic.Bool
	timer := patiently(func() {
		silent.Store(true)
		_ = subscription.Close()
	})
	defer timer.Stop()
	for {
		message := subscription.Recv()
		word := ""
		switch {
		case message.EventAppeared != nil:
			word = fmt.Sprintf("%s@%d", message.EventAppeared.OriginalEvent().StreamID, message.EventAppeared.OriginalEvent().EventNumber)
		case message.CaughtUp != nil:
			word = "caught-up"
		case message.CheckPointReached != nil:
			word = fmt.Sprintf("checkpoint:%d", message.CheckPointReached.Commit)
		case message.SubscriptionDropped != nil:
			word = "dropped"
			if silent.Load() {
				word = "silence"
			}
		}
		text = append(text, word)
		if word == last || message.SubscriptionDropped != nil {
			return strings.Join(text, " ")
		}
	}
}

func TestSubscribeToAll(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		from esdb.AllPosition
		want string
	}{
		"from the start: everything":          {esdb.Start{}, "a@0 b@0 b@1 caught-up a@1 c@0"},
		"from a position: what is after it":   {esdb.Position{Commit: 2, Prepare: 2}, "b@1 caught-up a@1 c@0"},
		"from the last: only what comes":      {esdb.Position{Commit: 3, Prepare: 3}, "caught-up a@1 c@0"},
		"from the end: only what comes":       {esdb.End{}, "caught-up a@1 c@0"},
		"from nothing said: only what comes":  {nil, "caught-up a@1 c@0"},
		"from beyond the head: what is after": {esdb.Position{Commit: 4, Prepare: 4}, "caught-up c@0"},
	}
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.append(t, "a", "x")
			s.append(t, "b", "x", "x")
			subscription, err := s.client.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: c.from})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = subscription.Close() }()
			got := hear(t, subscription, "caught-up")
			s.append(t, "a", "x")
			s.append(t, "c", "x")
			if got += " " + hear(t, subscription, "c@0"); got != c.want {
				t.Errorf("heard %q, want %q", got, c.want)
			}
		})
	}
}

func TestSubscribeToStream(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		stream string
		from   esdb.StreamPosition
		want   string
	}{
		"from the start: everything":            {"a", esdb.Start{}, "a@0 a@1 caught-up a@2 a@3"},
		"from a revision: what is after it":     {"a", esdb.Revision(0), "a@1 caught-up a@2 a@3"},
		"from the end: only what comes":         {"a", esdb.End{}, "caught-up a@2 a@3"},
		"from beyond the last: what is after":   {"a", esdb.Revision(2), "caught-up a@3"},
		"to a stream that is not yet":           {"new", esdb.Start{}, "caught-up new@0 new@1"},
		"to a stream that is not yet, from end": {"new", esdb.End{}, "caught-up new@0 new@1"},
	}
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.append(t, "b", "x")
			s.append(t, "a", "x", "x")
			s.append(t, "b", "x")
			subscription, err := s.client.SubscribeToStream(context.Background(), c.stream, esdb.SubscribeToStreamOptions{From: c.from})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = subscription.Close() }()
			got := hear(t, subscription, "caught-up")
			s.append(t, "b", "x")
			s.append(t, c.stream, "x", "x")
			last := c.want[strings.LastIndex(c.want, " ")+1:]
			if got += " " + hear(t, subscription, last); got != c.want {
				t.Errorf("heard %q, want %q", got, c.want)
			}
		})
	}
}
