package node_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// dialNarrow is a connection whose calls take in little before they are read.
func (s *server) dialNarrow(t *testing.T) *grpc.ClientConn {
	t.Helper()
	const least = 64 << 10
	connection, err := grpc.NewClient(s.address(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(least), grpc.WithInitialConnWindowSize(16<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

// follower is a subscription on the wire.
type follower struct {
	streams.Streams_ReadClient

	t *testing.T
}

func follow(ctx context.Context, t *testing.T, connection *grpc.ClientConn, o *streams.ReadReq_Options) follower {
	t.Helper()
	o.CountOption = subscribing()
	call, err := streams.NewStreamsClient(connection).Read(ctx, &streams.ReadReq{Options: o})
	if err != nil {
		t.Fatal(err)
	}
	f := follower{call, t}
	if message, err := call.Recv(); err != nil || message.GetConfirmation().GetSubscriptionId() == "" {
		t.Fatalf("the first message is %v, %v, want a confirmation", message, err)
	}
	return f
}

// word is the next message: stream@revision, checkpoint:position, caught-up, or a status.
func (f follower) word() string {
	message, err := f.Recv()
	if err != nil {
		return status.Code(err).String()
	}
	switch {
	case message.GetEvent() != nil:
		return name(message.GetEvent().GetEvent())
	case message.GetCheckpoint() != nil:
		return fmt.Sprintf("checkpoint:%d", message.GetCheckpoint().GetCommitPosition())
	case message.GetCaughtUp() != nil:
		return "caught-up"
	}
	return fmt.Sprintf("unexpected %v", message)
}

// until collects words until one is that, or the call ends.
func (f follower) until(last string) []string {
	f.t.Helper()
	var words []string
	for {
		word := f.word()
		words = append(words, word)
		if word == last {
			return words
		}
		if !strings.ContainsAny(word, "@:-") {
			f.t.Errorf("waiting for %q: %s after %d messages", last, word, len(words))
			return words
		}
	}
}

func sizedProposal(bytes int) esdb.EventData {
	large := proposal("x")
	large.Data = make([]byte, bytes)
	return large
}

// TestSlowSubscribers has hundreds of subscribers that do not read while far more is written than may be kept for them. The writer is
// not held up, memory stays bounded, and once they read they get everything, and are told again that they have caught up.
// It measures memory: no other test may run beside it.
func TestSlowSubscribers(t *testing.T) {
	const (
		perConnection      = 20
		events, eventBytes = 220, 6 << 10 // 1.3 MiB for each, against 64 KiB that are under way
		memoryEach         = 512 << 10    // a page, a message, two windows and the goroutines, with room to spare
	)
	slow := 240
	if testing.Short() {
		slow = 30
	}
	s := startSmall(t)
	writer := connect(t, s.url)
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	var followers []follower
	var connection *grpc.ClientConn
	for i := range slow {
		if i%perConnection == 0 {
			connection = s.dialNarrow(t)
		}
		options := [...]*streams.ReadReq_Options{
			{StreamOption: ofAll()}, {StreamOption: ofStream("large")}, {StreamOption: ofAll(), FilterOption: prefixes(1, "x")},
		}[i%3]
		f := follow(ctx, t, connection, options)
		f.until("caught-up")
		followers = append(followers, f)
	}
	before := heapInUse()
	for range events {
		if _, err := writer.AppendToStream(ctx, "large", esdb.AppendToStreamOptions{}, sizedProposal(eventBytes)); err != nil {
			t.Fatal(err)
		}
	}
	grown := heapInUse() - before
	t.Logf("%d KiB for each subscriber that does not read", grown/slow>>10)
	if grown > slow*memoryEach {
		t.Errorf("%d subscribers that do not read take %d KiB each", slow, grown/slow>>10)
	}
	var group sync.WaitGroup
	for i, f := range followers {
		group.Go(func() {
			next := 0
			for _, word := range f.until(fmt.Sprintf("large@%d", events-1)) {
				if strings.HasPrefix(word, "large@") {
					if want := fmt.Sprintf("large@%d", next); word != want {
						t.Errorf("subscriber %d heard %s where %s belongs", i, word, want)
					}
					next++
				}
			}
			if next != events {
				t.Errorf("subscriber %d heard %d events, want %d", i, next, events)
			}
			f.until("caught-up") // it has been behind, and is no longer
		})
	}
	group.Wait()
}

func heapInUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

// TestCaughtUpIsSaidAgain each time a subscriber has fallen behind, and only then.
func TestCaughtUpIsSaidAgain(t *testing.T) {
	t.Parallel()
	const rounds, events, eventBytes = 3, 40, 40 << 10 // too large for a reader to fall behind and catch up unread
	for what, options := range map[string]*streams.ReadReq_Options{
		"the log":           {StreamOption: ofAll()},
		"a stream":          {StreamOption: ofStream("large")},
		"the log, filtered": {StreamOption: ofAll(), FilterOption: prefixes(1, "x")},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := startSmall(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			f := follow(ctx, t, s.dialNarrow(t), options)
			if words := f.until("caught-up"); strings.Count(strings.Join(words, " "), "caught-up") != 1 {
				t.Errorf("at first: %q", words)
			}
			next := 0
			for range rounds {
				for range 5 { // a reader that keeps up hears nothing of it
					s.append(t, "large", "x")
					want := fmt.Sprintf("large@%d", next)
					if words := f.until(want); strings.Contains(strings.Join(words, " "), "caught-up") {
						t.Errorf("live: %q", words)
					}
					next++
				}
				for range events {
					if _, err := s.client.AppendToStream(ctx, "large", esdb.AppendToStreamOptions{}, sizedProposal(eventBytes)); err != nil {
						t.Fatal(err)
					}
					next++
				}
				words := f.until("caught-up")
				if got := strings.Count(strings.Join(words, " "), "large@"); got != events {
					t.Errorf("before it had caught up again: %d events, want %d: %q", got, events, words)
				}
			}
		})
	}
}

// TestASlowSubscriberHearsTheEndOfItsStream: what was appended before, the event that ends it, and why.
func TestASlowSubscriberHearsTheEndOfItsStream(t *testing.T) {
	t.Parallel()
	const events = 60
	s := startSmall(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	f := follow(ctx, t, s.dialNarrow(t), &streams.ReadReq_Options{StreamOption: ofStream("a")})
	f.until("caught-up")
	for range events {
		if _, err := s.client.AppendToStream(ctx, "a", esdb.AppendToStreamOptions{}, sizedProposal(16<<10)); err != nil {
			t.Fatal(err)
		}
		s.append(t, "b", "x")
	}
	if _, err := s.client.TombstoneStream(ctx, "a", esdb.TombstoneStreamOptions{}); err != nil {
		t.Fatal(err)
	}
	for range 20 { // what follows is nothing to it
		s.append(t, "b", "x")
	}
	words := f.until("a@9223372036854775807")
	got := 0
	for _, word := range words {
		if word == fmt.Sprintf("a@%d", got) {
			got++
		}
	}
	if got != events {
		t.Errorf("heard %d events in order, want %d: %q", got, events, words)
	}
	if word := f.word(); word != codes.FailedPrecondition.String() || first(f.Trailer(), "exception") != "stream-deleted" {
		t.Errorf("then %s, %v", word, f.Trailer())
	}
}
