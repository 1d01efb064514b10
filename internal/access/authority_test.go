package access

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shaky is a log that can be away, and whose readings can be held up after they
// have seen what there is.
type shaky struct {
	*memory.Store

	away  atomic.Bool
	reads atomic.Int64
	gate  atomic.Pointer[chan struct{}]
}

var errAway = fmt.Errorf("test: %w", events.ErrStoreUnavailable)

func (s *shaky) Head(ctx context.Context) (events.Position, error) {
	if s.away.Load() {
		return 0, errAway
	}
	return s.Store.Head(ctx)
}

func (s *shaky) Read(ctx context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error] {
	return func(yield func(events.Stored, error) bool) {
		s.reads.Add(1)
		if s.away.Load() {
			yield(events.Stored{}, errAway)
			return
		}
		var seen []events.Stored
		for e, err := range s.Store.Read(ctx, stream, from) {
			if err != nil {
				yield(e, err)
				return
			}
			seen = append(seen, e)
		}
		if gate := s.gate.Load(); gate != nil {
			<-*gate
		}
		for _, e := range seen {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// bench is an Authority with its log, within a bubble of synctest.
type bench struct {
	*Authority

	t    *testing.T
	log  *shaky
	key  token.Key
	stop func()
}

func newBench(t *testing.T, start bool) *bench {
	t.Helper()
	key, err := token.ParseKey([]byte(rand.Text() + rand.Text()))
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := token.NewVerifier(token.Options{Keys: []token.Key{key}})
	if err != nil {
		t.Fatal(err)
	}
	log := &shaky{Store: &memory.Store{}}
	a, err := New(Options{Log: log, Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Authority: a, t: t, log: log, key: key, stop: func() {}}
	if start {
		b.run()
	}
	return b
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("run: %v", err)
		}
	}
	synctest.Wait()
}

func (b *bench) token(user string) string {
	b.t.Helper()
	text, err := token.Sign(b.key, token.SignClaims{Subject: user, Scopes: []string{"inbox"}, Lifetime: time.Hour}, time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func (b *bench) newKey(expires *time.Time) (events.KeyID, string) {
	b.t.Helper()
	id, key, hash := NewKey()
	b.decide(commands.CreateKey{Key: events.KeyCreated{
		Key: id, Name: "n", Hash: hash, Subject: "ci", Scopes: []string{"publish"}, ExpiresAt: expires,
	}})
	return id, key
}

func (b *bench) decide(c commands.Command[commands.Key, events.KeyEvent]) {
	b.t.Helper()
	if _, err := commands.Handle(b.t.Context(), b.log, md(), c); err != nil {
		b.t.Fatal(err)
	}
}

func md() events.Metadata { return events.Metadata{CommandID: uuid.New(), Attempt: uuid.New()} }

func (b *bench) revoke(user events.User) {
	b.t.Helper()
	if _, err := commands.RevokeTokens(b.t.Context(), b.log, md(), events.TokensRevoked{User: user}); err != nil {
		b.t.Fatal(err)
	}
}

// said is in short what became of a credential.
func (b *bench) said(credential string) string {
	_, err := b.Authenticate(b.t.Context(), credential)
	var refused *Refused
	switch {
	case err == nil:
		return "in"
	case errors.As(err, &refused):
		return refused.Reason
	case errors.Is(err, ErrUnavailable):
		return "unavailable"
	default:
		return "fault: " + err.Error()
	}
}

func (b *bench) expect(what, credential, want string) {
	b.t.Helper()
	if got := b.said(credential); got != want {
		b.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

const (
	unknown = "there is no such API key"
	revoked = "the API key was revoked"
	gone    = "the user's tokens were revoked after this one was issued: get a new one"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, true)
		defer func() { b.stop() }()
		id, key := b.newKey(nil)
		b.expect("a key", key, "in")
		b.expect("its id alone", string(id), "the token's signature cannot be verified")
		b.expect("a key of another secret", key[:len(key)-1]+string('a'+(key[len(key)-1]-'a'+1)%26), unknown)
		b.expect("a key that is too short", key[:len(key)-1], unknown)
		b.expect("a key that is too long", key+"a", unknown)
		b.expect("a key in capitals", "tidings_"+"ABCDEFGHIJKLMNOP"+key[24:], unknown)
		b.expect("nothing", "", "the token's signature cannot be verified")
		until := time.Now().Add(time.Minute)
		_, short := b.newKey(&until)
		b.expect("a key that expires", short, "in")
		ann := b.token("ann")
		b.expect("a token", ann, "in")
		time.Sleep(time.Minute)
		b.expect("a key that has expired", short, "the API key has expired")
		time.Sleep(59*time.Minute - time.Nanosecond)
		b.expect("a token just before its end", ann, "in")
		time.Sleep(time.Microsecond)
		b.expect("a token at its end", ann, "the token has expired")
	})
}

func TestWhatIsRevokedIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, true)
		defer func() { b.stop() }()
		id, key := b.newKey(nil)
		ann, bob, service := b.token("ann"), b.token("bob"), b.token("service/x")
		for _, credential := range []string{key, ann, bob, service} {
			b.expect("before", credential, "in")
		}
		time.Sleep(time.Second)
		b.decide(commands.RevokeKey{Key: id})
		b.revoke("ann")
		synctest.Wait()
		b.expect("a key that was met before", key, revoked)
		b.expect("a token that was met before", ann, gone)
		b.expect("another user's", bob, "in")
		time.Sleep(time.Microsecond)
		later := b.token("ann")
		b.expect("a token issued after", later, "in")
		time.Sleep(time.Second)
		b.revoke("ann")
		synctest.Wait()
		b.expect("after another revocation", later, gone)

		other, otherKey := b.newKey(nil)
		b.decide(commands.RevokeKey{Key: other})
		b.expect("a key that was never met", otherKey, revoked)
		carl := b.token("carl")
		b.revoke("carl")
		b.expect("a token that was never met, of the same moment", carl, gone)
	})
}

// A reading has seen the stream, but not answered, when something is revoked.
func TestARevocationDuringAReadingIsNotLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, true)
		defer func() { b.stop() }()
		id, key := b.newKey(nil)
		ann := b.token("ann")
		time.Sleep(time.Millisecond)
		gate := make(chan struct{})
		b.log.gate.Store(&gate)
		var wg sync.WaitGroup
		for _, credential := range []string{key, ann} {
			for range 3 {
				wg.Go(func() { _ = b.said(credential) })
			}
		}
		synctest.Wait()
		b.log.gate.Store(nil)
		if n := b.log.reads.Load(); n != 2 {
			t.Errorf("%d readings for two holders, want 2", n)
		}
		b.decide(commands.RevokeKey{Key: id})
		b.revoke("ann")
		synctest.Wait()
		close(gate)
		wg.Wait()
		b.expect("the key", key, revoked)
		b.expect("the token", ann, gone)
	})
}

func TestTheLogAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, false)
		defer func() { b.stop() }()
		_, key := b.newKey(nil)
		_, stranger := b.newKey(nil)
		b.log.away.Store(true)
		b.run()
		if b.Ready() == nil {
			t.Error("ready, though what was revoked is not known")
		}
		b.expect("before the log was there", key, "unavailable")
		b.log.away.Store(false)
		time.Sleep(time.Second)
		if err := b.Ready(); err != nil {
			t.Errorf("ready: got %v", err)
		}
		ann := b.token("ann")
		b.expect("a key", key, "in")
		b.expect("a token", ann, "in")
		b.log.away.Store(true)
		b.expect("a key that was met, without the log", key, "in")
		b.expect("a token that was met, without the log", ann, "in")
		b.expect("another token of a user that was met", b.token("ann"), "in")
		b.expect("a key that was not met, without the log", stranger, "unavailable")
		b.expect("a token that was not met, without the log", b.token("bob"), "unavailable")
		b.log.away.Store(false)
		b.expect("a key that was not met, with the log again", stranger, "in")
	})
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, true)
		defer func() { b.stop() }()
		id, key, hash := NewKey()
		b.expect("a key that nobody made", key, unknown)
		before := b.log.reads.Load()
		b.expect("the same again", key, unknown)
		if n := b.log.reads.Load(); n != before {
			t.Errorf("%d readings for a stranger that is known as one", n-before)
		}
		b.decide(commands.CreateKey{Key: events.KeyCreated{Key: id, Hash: hash, Subject: "ci", Scopes: []string{"publish"}}})
		synctest.Wait()
		b.expect("once it was made", key, "in")
		for range maxStrangers + 10 {
			_, invented, _ := NewKey()
			b.expect("one of many", invented, unknown)
		}
		before = b.log.reads.Load()
		b.expect("the key that is known", key, "in")
		if n := b.log.reads.Load(); n != before || b.register.strangers.Len() > maxStrangers || b.register.known.Len() != 1 {
			t.Errorf("strangers pushed a key out, or are %d, or are among the %d known", b.register.strangers.Len(), b.register.known.Len())
		}
	})
}

func TestWhatIsOpenEndsWithWhatWasShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, true)
		defer func() { b.stop() }()
		hold := func(credential string) (context.Context, func()) {
			t.Helper()
			i, err := b.Authenticate(t.Context(), credential)
			if err != nil {
				t.Fatal(err)
			}
			return b.Hold(t.Context(), *i)
		}
		until := time.Now().Add(time.Minute)
		id, key := b.newKey(nil)
		_, short := b.newKey(&until)
		time.Sleep(time.Second)
		held := map[string]context.Context{}
		var stops []func()
		for what, credential := range map[string]string{"key": key, "short": short, "ann": b.token("ann"), "bob": b.token("bob")} {
			ctx, stop := hold(credential)
			held[what] = ctx
			stops = append(stops, stop)
		}
		closed, stop := hold(key)
		stop()
		if !errors.Is(context.Cause(closed), context.Canceled) {
			t.Errorf("one that was let go: got %v", context.Cause(closed))
		}
		ended := func(want ...string) {
			t.Helper()
			synctest.Wait()
			for what, ctx := range held {
				var refused *Refused
				if got, want := errors.As(context.Cause(ctx), &refused), slices.Contains(want, what); got != want {
					t.Errorf("%s: ended %t, want %t (%v)", what, got, want, context.Cause(ctx))
				}
			}
		}
		ended()
		b.decide(commands.RevokeKey{Key: id})
		ended("key")
		b.revoke("ann")
		ended("key", "ann")
		time.Sleep(time.Minute)
		ended("key", "ann", "short")
		time.Sleep(time.Hour)
		ended("key", "ann", "short", "bob")
		for _, stop := range stops {
			stop()
		}
		if n := len(b.register.watches); n != 0 {
			t.Errorf("%d holders are still watched", n)
		}
	})
}

// Something is let in, revoked, and only then held.
func TestHoldingWhatWasRevokedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, true)
		defer func() { b.stop() }()
		id, key := b.newKey(nil)
		i, err := b.Authenticate(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		b.decide(commands.RevokeKey{Key: id})
		synctest.Wait()
		ctx, stop := b.Hold(t.Context(), *i)
		defer stop()
		if ctx.Err() == nil {
			t.Error("it is held")
		}
	})
}

// An event of a version from the future about a holder cannot be understood: nobody
// of that name is let in, and what is open ends.
func TestAnEventThatCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, true)
		defer func() { b.stop() }()
		id, key := b.newKey(nil)
		_, other := b.newKey(nil)
		i, err := b.Authenticate(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := b.Hold(t.Context(), *i)
		defer stop()
		_, err = b.log.Append(t.Context(), events.KeyStream(id), events.Any(), events.Proposed{
			ID: uuid.New(), Type: "KeySuspended", Data: []byte(`{}`), Metadata: []byte(`{"schema_version":1}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if ctx.Err() == nil {
			t.Error("what was open is still open")
		}
		b.expect("the key", key, "unavailable")
		b.expect("another key", other, "in")
		again, _ := b.newKey(nil)
		b.decide(commands.RevokeKey{Key: again})
	})
}

func TestOneReadingAtATimeForEach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, true)
		defer func() { b.stop() }()
		gate := make(chan struct{})
		b.log.gate.Store(&gate)
		var wg sync.WaitGroup
		answers := make([]string, 2*maxLookups)
		for n := range answers {
			credential := b.token(fmt.Sprintf("user%d", n))
			wg.Go(func() { answers[n] = b.said(credential) })
		}
		synctest.Wait()
		if n := b.log.reads.Load(); n != maxLookups {
			t.Errorf("%d readings at once, want %d", n, maxLookups)
		}
		time.Sleep(lookupTimeout + time.Millisecond)
		close(gate)
		wg.Wait()
		count := map[string]int{}
		for _, answer := range answers {
			count[answer]++
		}
		if count["unavailable"] != maxLookups {
			t.Errorf("got %v, want %d told to come back", count, maxLookups)
		}
	})
}
