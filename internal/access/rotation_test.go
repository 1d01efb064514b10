package access

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/token"
)

const (
	// rotationTime is how long a key that was taken away may still count: issue 5.
	rotationTime = time.Minute
	// newKeyTime is how long the first token of a new key may wait.
	newKeyTime = 2 * time.Second
)

// publisher is an issuer that publishes a key set, which can be away.
type publisher struct {
	mu      sync.Mutex
	private map[string]ed25519.PrivateKey // by name; those ever made
	public  []string                      // names of those in the set
	away    bool
}

// publish makes the set these keys, and those that are new.
func (p *publisher) publish(names ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range names {
		if p.private[name] == nil {
			seed := make([]byte, ed25519.SeedSize)
			_, _ = rand.Read(seed) // never fails
			p.private[name] = ed25519.NewKeyFromSeed(seed)
		}
	}
	p.public = names
}

func (p *publisher) be(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
}

var errNoRoute = errors.New("test: no route to the issuer")

// RoundTrip answers with the set.
func (p *publisher) RoundTrip(*http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		return nil, errNoRoute
	}
	keys := []map[string]string{}
	for _, name := range p.public {
		public, _ := p.private[name].Public().(ed25519.PublicKey) // it is what such keys have
		keys = append(keys, map[string]string{
			"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": name, "x": base64.RawURLEncoding.EncodeToString(public),
		})
	}
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(text)))}, nil
}

// rotating is an Authority whose tokens come from a publisher, within a bubble of
// synctest.
type rotating struct {
	*bench

	issuer *publisher
	tokens *token.Verifier
}

func newRotating(t *testing.T, names ...string) *rotating {
	t.Helper()
	issuer := &publisher{private: map[string]ed25519.PrivateKey{}}
	issuer.publish(names...)
	return newRotatingFrom(t, issuer)
}

func newRotatingFrom(t *testing.T, issuer *publisher) *rotating {
	t.Helper()
	tokens, err := token.NewVerifier(token.Options{
		KeySetURL: "https://issuer.example/keys", Client: &http.Client{Transport: issuer},
	})
	if err != nil {
		t.Fatal(err)
	}
	log := &shaky{Store: &memory.Store{}}
	a, err := New(Options{Log: log, Tokens: tokens})
	if err != nil {
		t.Fatal(err)
	}
	r := &rotating{bench: &bench{Authority: a, t: t, log: log}, issuer: issuer, tokens: tokens}
	ctx, cancel := context.WithCancel(t.Context())
	fetched := make(chan error, 1)
	go func() { fetched <- tokens.Run(ctx) }()
	r.bench.run()
	stop := r.bench.stop
	r.bench.stop = func() {
		stop()
		cancel()
		if err := <-fetched; err != nil {
			t.Errorf("fetch the keys: %v", err)
		}
	}
	return r
}

// by makes a token of a user, signed with the key of that name.
func (r *rotating) by(key, user string) string {
	r.t.Helper()
	made := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"sub": user, "scope": "inbox", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	made.Header["kid"] = key
	text, err := made.SignedString(r.issuer.private[key])
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

// open lets a token in and holds something open under it.
func (r *rotating) open(credential string) (held context.Context, stop func()) {
	r.t.Helper()
	i, err := r.Authenticate(r.t.Context(), credential)
	if err != nil {
		r.t.Fatalf("a token that is right: %v", err)
	}
	return r.Hold(r.t.Context(), *i)
}

// ends waits until what is held open ends, and says how long that took.
func (r *rotating) ends(held context.Context, what string, within time.Duration) {
	r.t.Helper()
	began := time.Now()
	select {
	case <-held.Done():
		var refused *Refused
		if cause := context.Cause(held); !errors.As(cause, &refused) {
			r.t.Errorf("%s ended because of %v, want a refusal", what, cause)
		}
		r.t.Logf("%s ended after %s", what, time.Since(began))
	case <-time.After(within):
		r.t.Errorf("%s is still open after %s", what, within)
	}
}

const unverifiable = "the token's signature cannot be verified"

// A rotation may come at any moment between two fetches: nobody shows a token
// of the new key, which would have the set fetched at once.
func TestAKeyTakenAwayCountsNoLonger(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, time.Millisecond, 7 * time.Second, 17 * time.Second, 45 * time.Second, time.Hour / 2} {
		t.Run(after.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRotating(t, "old", "kept")
				defer func() { r.stop() }()
				time.Sleep(after)
				met, unmet, bystander := r.by("old", "ann"), r.by("old", "bob"), r.by("kept", "carl")
				held, stop := r.open(met)
				defer stop()
				other, stopOther := r.open(bystander)
				defer stopOther()
				before, err := r.Authenticate(t.Context(), met)
				if err != nil {
					t.Fatal(err)
				}

				r.issuer.publish("kept", "new")
				r.ends(held, "what was open", rotationTime)
				r.expect("a token that was met before", met, unverifiable)
				r.expect("a token that was not", unmet, unverifiable)
				r.expect("a token of the key that stayed", bystander, "in")
				if other.Err() != nil {
					t.Errorf("what was open under the key that stayed has ended: %v", context.Cause(other))
				}
				late, stopLate := r.Hold(t.Context(), *before) // let in before, held only now
				defer stopLate()
				if late.Err() == nil {
					t.Error("something is held open under a key that was taken away")
				}
			})
		})
	}
}

func TestATokenOfANewKeyIsLetInAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRotating(t, "old")
		defer func() { r.stop() }()
		held, stop := r.open(r.by("old", "ann"))
		defer stop()
		for _, key := range []string{"second", "third", "fourth"} {
			time.Sleep(7 * time.Second)
			r.issuer.publish("old", key)
			began := time.Now()
			r.expect("the first token of the key "+key, r.by(key, "bob"), "in")
			if took := time.Since(began); took > newKeyTime {
				t.Errorf("it was let in after %s, want %s", took, newKeyTime)
			}
		}
		if held.Err() != nil {
			t.Errorf("what was open under the key that stayed has ended: %v", context.Cause(held))
		}
		r.expect("a token of a key that nobody has published", r.forged(), unverifiable)
		r.issuer.publish("fifth")
		time.Sleep(7 * time.Second)
		r.expect("the first token of the only key", r.by("fifth", "bob"), "in")
		r.ends(held, "what was open under a key that went with it", newKeyTime)
	})
}

// forged is a token that names a key there is, signed with another.
func (r *rotating) forged() string {
	r.t.Helper()
	one := &publisher{private: map[string]ed25519.PrivateKey{}}
	one.publish("old")
	return (&rotating{bench: r.bench, issuer: one}).by("old", "ann")
}

func TestTheIssuerAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRotating(t, "old", "kept")
		defer func() { r.stop() }()
		met, bystander := r.by("old", "ann"), r.by("kept", "carl")
		held, stop := r.open(met)
		defer stop()
		other, stopOther := r.open(bystander)
		defer stopOther()

		r.issuer.be(true)
		r.expect("a token of keys that are young enough, met now", r.by("old", "bob"), "in")
		time.Sleep(rotationTime + time.Second)
		unmet := r.by("old", "dora")
		r.expect("a token met before", met, "in")
		r.expect("one that was not", unmet, "unavailable")
		r.expect("one of a key that nobody knows", r.forged(), "unavailable")
		if err := r.tokens.Ready(); !errors.Is(err, token.ErrUnavailable) {
			t.Errorf("ready: got %v, want that the set is unavailable", err)
		}
		time.Sleep(10 * time.Minute)
		r.expect("a token met before, after ten minutes", met, "in")
		r.expect("one that was not, after ten minutes", unmet, "unavailable")
		if held.Err() != nil {
			t.Errorf("what is open has ended: %v", context.Cause(held))
		}

		r.issuer.publish("kept", "new")
		r.issuer.be(false)
		r.ends(held, "what was open under a key that is gone", rotationTime)
		r.expect("a token met before, of a key that is gone", met, unverifiable)
		r.expect("one that was not", unmet, unverifiable)
		r.expect("a token of the key that stayed", bystander, "in")
		r.expect("a token of the new key", r.by("new", "ann"), "in")
		if other.Err() != nil {
			t.Errorf("what is open under the key that stayed has ended: %v", context.Cause(other))
		}
		if err := r.tokens.Ready(); err != nil {
			t.Errorf("ready: got %v", err)
		}
	})
}

// The end of a token is its end, whoever is away.
func TestATokenEndsWhileTheIssuerIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRotating(t, "old")
		defer func() { r.stop() }()
		met := r.by("old", "ann")
		held, stop := r.open(met)
		defer stop()
		r.issuer.be(true)
		r.ends(held, "what was open", time.Hour+time.Second)
		r.expect("the token", met, "the token has expired")
	})
}

// Before the set was fetched nobody is let in, and nobody is told that a token is
// wrong.
func TestBeforeTheFirstKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer := &publisher{private: map[string]ed25519.PrivateKey{}, away: true}
		issuer.publish("old")
		r := newRotatingFrom(t, issuer)
		defer func() { r.stop() }()
		r.expect("a token", r.by("old", "ann"), "unavailable")
		issuer.be(false)
		time.Sleep(rotationTime)
		r.expect("the same", r.by("old", "ann"), "in")
	})
}
