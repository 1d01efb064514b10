package token

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/prometheus/client_golang/prometheus"
)

const issuerURL = "https://issuer.example/keys?hunter2"

// issuer answers for a key set, as a transport.
type issuer struct {
	mu     sync.Mutex
	answer func(*http.Request) (*http.Response, error)
	asked  []time.Time
}

func (i *issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	i.asked = append(i.asked, time.Now())
	answer := i.answer
	i.mu.Unlock()
	return answer(r)
}

func (i *issuer) will(answer func(*http.Request) (*http.Response, error)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

func (i *issuer) fetches() []time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clip(i.asked)
}

func serve(status int, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// hang answers nothing until the caller gives up.
func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// described is a key as a set has it.
func described(t testing.TB, key Key, change func(*jwkset.JWKMarshal)) string {
	t.Helper()
	jwk, err := jwkset.NewJWKFromKey(key.verifies, jwkset.JWKOptions{})
	if err != nil {
		t.Fatal(err)
	}
	marshal := jwk.Marshal()
	if change != nil {
		change(&marshal)
	}
	return write(t, marshal)
}

func named(id string) func(*jwkset.JWKMarshal) { return func(m *jwkset.JWKMarshal) { m.KID = id } }

func setOf(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// world is a verifier with a key set, that runs, and all it said.
type world struct {
	*Verifier

	issuer   *issuer
	logged   *bytes.Buffer
	registry *prometheus.Registry
}

// inWorld runs a test in a bubble of time, where the issuer first answers with a body. At its end the log holds no secret.
func inWorld(t *testing.T, o Options, body string, test func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{issuer: &issuer{answer: serve(http.StatusOK, body)}, logged: &bytes.Buffer{}, registry: prometheus.NewRegistry()}
		o.KeySetURL, o.Client, o.Registerer = issuerURL, &http.Client{Transport: w.issuer}, w.registry
		o.Logger = slog.New(slog.NewTextHandler(w.logged, nil))
		w.Verifier = verifying(t, o)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		synctest.Wait()
		test(t, w)
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run ended with %v", err)
		}
		if strings.Contains(w.logged.String(), "hunter2") || strings.Contains(w.logged.String(), "eyJ") {
			t.Errorf("the log tells too much: %s", w.logged)
		}
	})
}

// later lets time pass.
func later(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) wants(t *testing.T, token, reason string) {
	t.Helper()
	_, err := w.Verify(t.Context(), token)
	if got := refusedWith(t, err); got != reason {
		t.Errorf("got %q, want %q", got, reason)
	}
}

func (w *world) wantsUnavailable(t *testing.T, token string) {
	t.Helper()
	if _, err := w.Verify(t.Context(), token); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if err := w.Ready(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("ready: got %v, want ErrUnavailable", err)
	}
}

func longLived(t *testing.T, key Key, kid string) string {
	t.Helper()
	return signed(t, key, members{"kid": kid}, everyday(members{"exp": time.Now().Add(24 * time.Hour).Unix()}))
}

func TestARotationIsInForceWithinAMinute(t *testing.T) {
	t.Parallel()
	old, fresh := ours[ES256], theirs[ES256]
	inWorld(t, Options{}, setOf(described(t, old, named("old"))), func(t *testing.T, w *world) {
		claims, err := w.Verify(t.Context(), longLived(t, old, "old"))
		if err != nil || !w.InForce(claims) || w.Ready() != nil {
			t.Fatalf("got %v, in force %t, ready %v", err, w.InForce(claims), w.Ready())
		}
		changed := w.Changed()
		later(time.Minute)
		select {
		case <-changed:
			t.Error("the keys are said to have changed, and have not")
		default:
		}
		w.issuer.will(serve(http.StatusOK, setOf(described(t, fresh, named("fresh")))))
		rotated := time.Now()
		<-changed
		if took := time.Since(rotated); took > time.Minute || w.InForce(claims) {
			t.Errorf("after %s: the old key is in force: %t", took, w.InForce(claims))
		}
		w.wants(t, longLived(t, old, "old"), reasonUnverifiable)
		w.wants(t, longLived(t, fresh, "fresh"), "")
		if w.Changed() == changed {
			t.Error("the next change would not be seen")
		}
		if got, want := w.logged.String(), "other keys"; !strings.Contains(got, want) {
			t.Errorf("logged %s, want %q", got, want)
		}
	})
}

// TestANewKeyIsFoundAtOnce by the first token that names it, also one that comes right after another fetch.
func TestANewKeyIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	old, fresh := ours[ES256], theirs[ES256]
	inWorld(t, Options{}, setOf(described(t, old, named("old"))), func(t *testing.T, w *world) {
		w.issuer.will(serve(http.StatusOK, setOf(described(t, old, named("old")), described(t, fresh, named("fresh")))))
		began := time.Now()
		changed := w.Changed()
		w.wants(t, longLived(t, fresh, "fresh"), "")
		<-changed
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s", took)
		}
		w.wants(t, longLived(t, old, "old"), "")
		w.wants(t, longLived(t, theirs[ES256], "old"), reasonUnverifiable) // a key is asked for by its name
	})
}

func TestAnOutageIsBridgedForAMinute(t *testing.T) {
	t.Parallel()
	key := ours[RS256]
	body := setOf(described(t, key, named("a")))
	inWorld(t, Options{Keys: []Key{ours[HS256]}}, body, func(t *testing.T, w *world) {
		token := longLived(t, key, "a")
		claims, err := w.Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		fetched := w.issuer.fetches()[0]
		w.issuer.will(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })
		later(time.Until(fetched.Add(maxAge)))
		w.wants(t, token, "") // the last moment
		later(time.Second)
		w.wantsUnavailable(t, token)
		w.wantsUnavailable(t, longLived(t, key, ""))
		w.wantsUnavailable(t, longLived(t, theirs[RS256], "unknown")) // who knows
		w.wants(t, longLived(t, ours[HS256], ""), "")                 // it needs no key set
		w.wants(t, longLived(t, theirs[HS256], "a"), reasonUnverifiable)
		w.wants(t, "x.y.z", reasonUnverifiable)
		if !w.InForce(claims) {
			t.Error("an outage took a key away")
		}
		later(time.Hour)
		if got := strings.Count(w.logged.String(), "level=WARN"); got < 3 || got > 16 {
			t.Errorf("%d warnings in an hour, want a few:\n%s", got, w.logged)
		}
		if got := w.value(t, "tidings_token_key_set_age_seconds"); got < 3600 {
			t.Errorf("the keys are said to be %v seconds old", got)
		}
		changed := w.Changed()
		w.issuer.will(serve(http.StatusOK, body))
		later(defaultRefresh + defaultRefresh/10)
		w.wants(t, token, "")
		if err := w.Ready(); err != nil || !w.InForce(claims) {
			t.Errorf("ready: %v; in force: %t", err, w.InForce(claims))
		}
		if got, want := w.logged.String(), "fetched again"; strings.Count(got, want) != 1 {
			t.Errorf("logged %s, want %q once", got, want)
		}
		select {
		case <-changed:
			t.Error("the same keys are said to have changed")
		default:
		}
		if got := w.value(t, "tidings_token_key_set_keys"); got != 1 {
			t.Errorf("got %v keys, want 1", got)
		}
	})
}

// value of a metric, of the series with a label's value if it has several.
func (w *world) value(t *testing.T, name string, label ...string) float64 {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			if family.GetName() == name && (len(label) == 0 || series.GetLabel()[0].GetValue() == label[0]) {
				return series.GetGauge().GetValue() + series.GetCounter().GetValue()
			}
		}
	}
	t.Errorf("there is no %s %s", name, label)
	return 0
}

// TestStartingWithoutTheIssuer: tokens are neither verified nor refused, and the first that comes once there are keys is verified.
func TestStartingWithoutTheIssuer(t *testing.T) {
	t.Parallel()
	inWorld(t, Options{}, "", func(t *testing.T, w *world) {
		token := longLived(t, ours[EdDSA], "a")
		w.wantsUnavailable(t, token)
		later(extraEvery)
		w.issuer.will(serve(http.StatusOK, setOf(described(t, ours[EdDSA], named("a")))))
		w.wants(t, token, "")
	})
}

// TestAFloodOfUnknownKeysCausesFewFetches, and each sender waits for two seconds at most.
func TestAFloodOfUnknownKeysCausesFewFetches(t *testing.T) {
	t.Parallel()
	key := ours[ES256]
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"answers": serve(http.StatusOK, setOf(described(t, key, named("a")))), "hangs": hang, "fails": serve(http.StatusInternalServerError, ""),
	} {
		t.Run("the issuer "+name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, Options{}, setOf(described(t, key, named("a"))), func(t *testing.T, w *world) {
				w.issuer.will(answer)
				token := longLived(t, theirs[ES256], "unknown")
				before := len(w.issuer.fetches())
				var flood sync.WaitGroup
				const lasts = 50 * time.Second
				for began := time.Now(); time.Since(began) < lasts; time.Sleep(100 * time.Millisecond) {
					for range 20 {
						flood.Go(func() {
							asked := time.Now()
							w.wants(t, token, reasonUnverifiable)
							if took := time.Since(asked); took > extraWait {
								t.Errorf("waited for %s", took)
							}
						})
					}
				}
				flood.Wait()
				got, most := len(w.issuer.fetches())-before, int(lasts/extraEvery)+int(lasts/(defaultRefresh*9/10))+2
				if got > most || got < 2 {
					t.Errorf("%d fetches, want 2 to %d", got, most)
				}
			})
		})
	}
}

// TestFewWaitForAFetch: the others are answered at once.
func TestFewWaitForAFetch(t *testing.T) {
	t.Parallel()
	inWorld(t, Options{}, setOf(described(t, ours[ES256], named("a"))), func(t *testing.T, w *world) {
		w.issuer.will(hang)
		token := longLived(t, theirs[ES256], "unknown")
		var all sync.WaitGroup
		for range maxWaiting {
			all.Go(func() { w.wants(t, token, reasonUnverifiable) })
		}
		synctest.Wait()
		asked := time.Now()
		w.wants(t, token, reasonUnverifiable)
		if took := time.Since(asked); took > 0 {
			t.Errorf("one more waited for %s", took)
		}
		all.Wait()
	})
}

func TestAWaitEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	inWorld(t, Options{}, setOf(described(t, ours[ES256], named("a"))), func(t *testing.T, w *world) {
		w.issuer.will(hang)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		asked := time.Now()
		if _, err := w.Verify(ctx, longLived(t, theirs[ES256], "unknown")); err == nil || time.Since(asked) != time.Second {
			t.Errorf("got %v after %s", err, time.Since(asked))
		}
	})
}

// TestKeysOfASet: which are taken, and which tokens they verify.
func TestKeysOfASet(t *testing.T) {
	t.Parallel()
	set := setOf(
		described(t, ours[ES256], func(m *jwkset.JWKMarshal) { m.KID, m.USE, m.ALG = "ec", "sig", "ES256" }),
		described(t, ours[RS256], func(m *jwkset.JWKMarshal) { m.KID, m.KEYOPS = "rsa", []jwkset.KEYOPS{"verify"} }),
		described(t, ours[EdDSA], nil),
		`{"kty":"oct","kid":"secret","k":"`+encode("another secret, which is an attacker's own")+`"}`,
		described(t, theirs[ES256], func(m *jwkset.JWKMarshal) { m.KID, m.USE = "enc", "enc" }),
		described(t, theirs[ES256], func(m *jwkset.JWKMarshal) { m.KID, m.ALG = "alg", "RS256" }),
		described(t, theirs[RS256], func(m *jwkset.JWKMarshal) { m.KID, m.ALG = "pss", "PS256" }),
		described(t, theirs[RS256], func(m *jwkset.JWKMarshal) { m.KID, m.KEYOPS = "ops", []jwkset.KEYOPS{"encrypt"} }),
		`{"kty":"EC","kid":"off","crv":"P-256","x":"AQ","y":"AQ"}`, `{"kty":"none"}`, `{"kty":1}`, `1`, `null`,
	)
	inWorld(t, Options{}, set, func(t *testing.T, w *world) {
		w.wants(t, longLived(t, ours[ES256], "ec"), "")
		w.wants(t, longLived(t, ours[RS256], "rsa"), "")
		w.wants(t, signed(t, ours[EdDSA], nil, everyday(nil)), "")
		w.wants(t, signed(t, ours[ES256], nil, everyday(nil)), "") // names no key
		w.wants(t, longLived(t, ours[ES256], "rsa"), reasonUnverifiable)
		w.wants(t, longLived(t, theirs[HS256], "secret"), reasonUnverifiable)
		for _, kid := range []string{"enc", "alg", "pss", "ops", "off", ""} {
			w.wants(t, longLived(t, theirs[ES256], kid), reasonUnverifiable)
			w.wants(t, longLived(t, theirs[RS256], kid), reasonUnverifiable)
		}
		later(10 * time.Minute)
		if got := strings.Count(w.logged.String(), "symmetric"); got != 1 {
			t.Errorf("the secret was warned of %d times, want once:\n%s", got, w.logged)
		}
		if got := w.value(t, "tidings_token_key_set_keys"); got != 3 {
			t.Errorf("got %v keys, want 3", got)
		}
	})
}

// TestAlgorithmsLeftOutAreLeftOut of a key set, too.
func TestAlgorithmsLeftOutAreLeftOut(t *testing.T) {
	t.Parallel()
	set := setOf(described(t, ours[ES256], named("ec")), described(t, ours[RS256], named("rsa")))
	inWorld(t, Options{Algorithms: []string{RS256}}, set, func(t *testing.T, w *world) {
		w.wants(t, longLived(t, ours[RS256], "rsa"), "")
		w.wants(t, longLived(t, ours[ES256], "ec"), reasonUnverifiable)
		if got := w.value(t, "tidings_token_key_set_keys"); got != 1 {
			t.Errorf("got %v keys, want 1", got)
		}
	})
}

// TestTheEndIsNoFault: a fetch that Run's end cuts short is not warned of.
func TestTheEndIsNoFault(t *testing.T) {
	t.Parallel()
	var logged *bytes.Buffer
	inWorld(t, Options{}, setOf(described(t, ours[ES256], nil)), func(_ *testing.T, w *world) {
		logged = w.logged
		w.issuer.will(hang)
		later(defaultRefresh + defaultRefresh/10) // the fetch has begun, and has not timed out
	})
	if strings.Contains(logged.String(), "level=WARN") {
		t.Errorf("logged %s", logged)
	}
}

// TestAKeyOfTheSetHidesStaticKeys of tokens that name it, and only of those.
func TestAKeyOfTheSetHidesStaticKeys(t *testing.T) {
	t.Parallel()
	set := setOf(described(t, theirs[ES256], named("a")))
	inWorld(t, Options{Keys: []Key{ours[ES256]}}, set, func(t *testing.T, w *world) {
		w.wants(t, longLived(t, ours[ES256], "a"), reasonUnverifiable)
		w.wants(t, longLived(t, ours[ES256], "b"), "")
		w.wants(t, longLived(t, ours[ES256], ""), "")
		w.wants(t, longLived(t, theirs[ES256], "a"), "")
		w.wants(t, longLived(t, theirs[ES256], ""), "")
	})
}

// TestAtMostFourSignaturesAreChecked however many keys there are.
func TestAtMostFourSignaturesAreChecked(t *testing.T) {
	t.Parallel()
	keys, texts := make([]Key, maxChecks+1), make([]string, maxChecks+1)
	for i := range keys {
		keys[i] = newES256()
		texts[i] = described(t, keys[i], named("same"))
	}
	inWorld(t, Options{}, setOf(texts...), func(t *testing.T, w *world) {
		for i, key := range keys {
			want := ""
			if i >= maxChecks {
				want = reasonUnverifiable
			}
			w.wants(t, longLived(t, key, "same"), want)
		}
	})
}

func TestAnswersThatAreNoKeySet(t *testing.T) {
	t.Parallel()
	good := setOf(described(t, ours[ES256], named("a")))
	redirect := func(to string) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			if r.URL.String() == issuerURL {
				return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {to}}, Body: http.NoBody}, nil
			}
			return serve(http.StatusOK, good)(r)
		}
	}
	many := strings.Repeat(described(t, theirs[ES256], nil)+",", maxSetKeys)
	cases := map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		good   bool
	}{
		"a key set":                      {serve(http.StatusOK, good), true},
		"another status":                 {serve(http.StatusAccepted, good), false},
		"nothing":                        {serve(http.StatusOK, ""), false},
		"a page":                         {serve(http.StatusOK, "<html>hunter2</html>"), false},
		"no keys":                        {serve(http.StatusOK, `{"keys":[]}`), false},
		"no list of keys":                {serve(http.StatusOK, `{"keys":"hunter2"}`), false},
		"keys of no use":                 {serve(http.StatusOK, setOf(described(t, ours[ES256], func(m *jwkset.JWKMarshal) { m.USE = "enc" }))), false},
		"too many keys":                  {serve(http.StatusOK, setOf(many+described(t, ours[ES256], named("a")))), false},
		"too large a set":                {serve(http.StatusOK, good+strings.Repeat(" ", maxKeySetBytes)), false},
		"no answer":                      {hang, false},
		"a redirect to https":            {redirect("https://other.example/keys"), true},
		"a redirect to http":             {redirect("http://other.example/keys"), false},
		"a redirect to this machine":     {redirect("http://127.0.0.1/keys"), false},
		"a redirect to a file":           {redirect("file:///hunter2"), false},
		"a redirect to another password": {redirect("https://a:hunter2@other.example/keys"), false},
		"redirects without end":          {redirect(issuerURL), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, Options{}, "", func(t *testing.T, w *world) {
				w.issuer.will(c.answer)
				later(2*defaultRefresh + fetchTimeout)
				token := longLived(t, ours[ES256], "a")
				if c.good {
					w.wants(t, token, "")
					return
				}
				w.wantsUnavailable(t, token)
				if got := w.logged.String(); strings.Contains(got, "level=INFO") || !strings.Contains(got, "level=WARN") {
					t.Errorf("logged %s, want a warning alone", got)
				}
			})
		})
	}
}

// TestFetchesAreSpread: instances that start together do not fetch together.
func TestFetchesAreSpread(t *testing.T) {
	t.Parallel()
	inWorld(t, Options{}, setOf(described(t, ours[ES256], nil)), func(t *testing.T, w *world) {
		later(time.Hour)
		fetches := w.issuer.fetches()
		least, most := time.Hour, time.Duration(0)
		for i := range fetches[1:] {
			between := fetches[i+1].Sub(fetches[i])
			least, most = min(least, between), max(most, between)
		}
		if least < 18*time.Second || most > 22*time.Second || most-least < time.Second {
			t.Errorf("fetched every %s to %s, want 18 to 22 seconds, spread", least, most)
		}
	})
}

func TestFetchesAreCounted(t *testing.T) {
	t.Parallel()
	inWorld(t, Options{}, setOf(described(t, ours[ES256], nil)), func(t *testing.T, w *world) {
		w.issuer.will(serve(http.StatusNotFound, ""))
		later(23 * time.Second)
		for _, outcome := range []string{outcomeFailed, outcomeFetched} {
			if got := w.value(t, "tidings_token_key_set_fetches_total", outcome); got != 1 {
				t.Errorf("%s: got %v, want 1", outcome, got)
			}
		}
	})
}

func TestWithoutAKeySetRunOnlyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		v := verifying(t, Options{Keys: []Key{ours[HS256]}, Registerer: registry})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		if err := v.Run(ctx); err != nil || time.Since(began) != time.Hour {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		if err := v.Ready(); err != nil {
			t.Error(err)
		}
		if got, err := registry.Gather(); err != nil || len(got) != 3 {
			t.Errorf("got %d metrics, %v, want 3, from the start", len(got), err)
		}
		if _, err := NewVerifier(Options{Keys: []Key{ours[HS256]}, Registerer: registry}); err == nil {
			t.Error("two verifiers share metrics")
		}
	})
}

func TestAKeySetIsUsedByManyWhileItRotates(t *testing.T) {
	t.Parallel()
	a, b := described(t, ours[ES256], named("a")), described(t, theirs[ES256], named("b"))
	inWorld(t, Options{Refresh: time.Second}, setOf(a), func(t *testing.T, w *world) {
		var all sync.WaitGroup
		tokens := []string{longLived(t, ours[ES256], "a"), longLived(t, theirs[ES256], "b"), longLived(t, ours[ES256], "c")}
		for i := range 12 {
			all.Go(func() {
				for range 10 {
					claims, err := w.Verify(t.Context(), tokens[i%len(tokens)])
					if err == nil {
						w.InForce(claims)
					}
					select {
					case <-w.Changed():
					case <-time.After(300 * time.Millisecond):
					}
				}
			})
		}
		for i := range 5 {
			w.issuer.will(serve(http.StatusOK, setOf([]string{a, b}[i%2])))
			time.Sleep(time.Second)
		}
		all.Wait()
		w.wants(t, tokens[0], "")
	})
}

// TestAKeySetOverTheWire, from a server on this machine, with a client of our own that leaves nothing behind.
func TestAKeySetOverTheWire(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, setOf(described(t, ours[RS256], named("a")))) // the verifier notices
	}))
	defer server.Close()
	v := verifying(t, Options{KeySetURL: server.URL})
	for range 2 { // Run may be started again
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- v.Run(ctx) }()
		if _, err := v.Verify(ctx, longLived(t, ours[RS256], "a")); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
