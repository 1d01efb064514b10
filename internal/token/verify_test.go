package token

import (
	"crypto/rand"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTokensThatAreVerified(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(time.Hour).Unix()
	cases := map[string]struct {
		head, claims   members
		scopes, topics []string
	}{
		"it says no more than it must":      {nil, nil, nil, nil},
		"it says what type it is":           {members{"typ": "JWT"}, nil, nil, nil},
		"it says it is an access token":     {members{"typ": "application/at+jwt"}, nil, nil, nil},
		"its key has a name that we lack":   {members{"kid": "unknown"}, nil, nil, nil},
		"its key's name is empty":           {members{"kid": ""}, nil, nil, nil},
		"it brings a key along":             {members{"jwk": members{"kty": "RSA"}, "jku": "http://127.0.0.1:1"}, nil, nil, nil},
		"scopes have spaces between":        {nil, members{"scope": "publish  inbox "}, []string{"publish", "inbox"}, nil},
		"scopes are a list":                 {nil, members{"scope": []string{"publish", "inbox"}}, []string{"publish", "inbox"}, nil},
		"no scopes":                         {nil, members{"scope": ""}, []string{}, nil},
		"topics are a list":                 {nil, members{"topics": []string{"builds.*", "été"}}, nil, []string{"builds.*", "été"}},
		"topics have spaces between":        {nil, members{"topics": "builds.* ops"}, nil, []string{"builds.*", "ops"}},
		"an empty list of topics is no nil": {nil, members{"topics": []string{}}, nil, []string{}},
		"nor is an empty text of them":      {nil, members{"topics": ""}, nil, []string{}},
		"it is for several":                 {nil, members{"aud": []string{"theirs", "ours"}}, nil, nil},
		"it ended less ago than skew":       {nil, members{"exp": time.Now().Add(-25 * time.Second).Unix()}, nil, nil},
		"it begins sooner than skew":        {nil, members{"nbf": time.Now().Add(25 * time.Second).Unix(), "iat": time.Now().Add(25 * time.Second).Unix()}, nil, nil},
		"its end is in the year 9999":       {nil, members{"exp": lastSecond}, nil, nil},
		"its end has an exponent":           {nil, members{"exp": json.Number("2.5e11")}, nil, nil},
		"it says much that we do not ask":   {nil, members{"x": members{"y": []any{1, members{"z": nil}, "s"}}, "n": json.Number("1e999")}, nil, nil},
		"the same name at other depths":     {nil, members{"x": members{"sub": "bob", "x": members{"sub": 1}}, "exp": soon}, nil, nil},
	}
	v := verifying(t, Options{Issuer: "us", Audience: "ours", Skew: 5 * time.Minute}) // a slow machine may take some of it
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for algorithm, key := range ours {
				claims := changed(everyday(members{"iss": "us", "aud": "ours"}), c.claims)
				got, err := v.Verify(t.Context(), signed(t, key, c.head, claims))
				if err != nil || got.Subject != "ann" || got.Expires.IsZero() {
					t.Errorf("%s: got %+v, %v, want ann", algorithm, got, err)
				}
				if !slices.Equal(got.Scopes, c.scopes) || (got.Scopes == nil) != (c.scopes == nil) {
					t.Errorf("%s: got scopes %q, want %q", algorithm, got.Scopes, c.scopes)
				}
				if !slices.Equal(got.Topics, c.topics) || (got.Topics == nil) != (c.topics == nil) {
					t.Errorf("%s: got topics %q, want %q", algorithm, got.Topics, c.topics)
				}
				if !v.InForce(got) {
					t.Errorf("%s: its key is not in force", algorithm)
				}
			}
		})
	}
	if v.InForce(Claims{}) {
		t.Error("claims that no token said are in force")
	}
}

// TestTimesAreToTheMicrosecond where the token says so much.
func TestTimesAreToTheMicrosecond(t *testing.T) {
	t.Parallel()
	v := verifying(t, Options{})
	for _, micros := range []int64{0, 1, 123456, 500000, 999999} {
		now := time.Now().Truncate(time.Second).Add(time.Duration(micros) * time.Microsecond)
		token, err := Sign(ours[EdDSA], SignClaims{Subject: "ann", Lifetime: time.Hour}, now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Verify(t.Context(), token)
		if err != nil || !got.IssuedAt.Equal(now) || !got.Expires.Equal(now.Add(time.Hour)) {
			t.Errorf("got %s to %s, %v, want from %s", got.IssuedAt, got.Expires, err, now)
		}
	}
	got, err := v.Verify(t.Context(), signed(t, ours[EdDSA], nil, everyday(nil)))
	if err != nil || !got.IssuedAt.IsZero() {
		t.Errorf("got %s, %v, want zero where the token does not say", got.IssuedAt, err)
	}
}

func TestSignRefusesWhatVerifyWould(t *testing.T) {
	t.Parallel()
	good := SignClaims{Subject: "ann", Lifetime: time.Hour}
	cases := map[string]func(*SignClaims){
		"no subject":                 func(c *SignClaims) { c.Subject = "" },
		"a subject of control":       func(c *SignClaims) { c.Subject = "\x7f" },
		"no lifetime":                func(c *SignClaims) { c.Lifetime = 0 },
		"a scope with a space":       func(c *SignClaims) { c.Scopes = []string{"a b"} },
		"an empty topic":             func(c *SignClaims) { c.Topics = []string{""} },
		"more than is read of a one": func(c *SignClaims) { c.Topics = []string{strings.Repeat("x", maxTokenBytes)} },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := good
			spoil(&c)
			if token, err := Sign(ours[HS256], c, time.Now()); err == nil {
				t.Errorf("got %q, want an error", token)
			}
		})
	}
	if _, err := Sign(ours[HS256], good, time.Now()); err != nil {
		t.Error(err)
	}
	for name, key := range map[string]Key{"no key": {}, "half a key": must(ParseKey(public(t, ours[RS256])))} {
		if _, err := Sign(key, good, time.Now()); err == nil {
			t.Errorf("%s signs", name)
		}
	}
}

// TestOneByteChangedIsNeverOtherClaims, whichever byte it is.
func TestOneByteChangedIsNeverOtherClaims(t *testing.T) {
	t.Parallel()
	v := verifying(t, Options{})
	for _, algorithm := range []string{HS256, EdDSA} {
		token := signed(t, ours[algorithm], members{"kid": "a"}, everyday(members{"topics": []string{"builds.*"}}))
		want, err := v.Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		for i := range token {
			for _, flip := range []byte{1, 2, 4, 8, 16, 32, 64, 128, byte(must(rand.Int(rand.Reader, big.NewInt(255))).Int64()) + 1} {
				other := []byte(token)
				other[i] ^= flip
				if got, err := v.Verify(t.Context(), string(other)); err == nil {
					t.Errorf("%s: byte %d with bits %08b flipped: got %+v, want a refusal, not even %+v", algorithm, i, flip, got, want)
				}
			}
		}
	}
}

// TestFewSignaturesAreCheckedForOneToken: others pay for checking them.
func TestFewSignaturesAreCheckedForOneToken(t *testing.T) {
	t.Parallel()
	many := make([]Key, maxStatic+1)
	for i := range many {
		many[i] = newES256()
	}
	if _, err := NewVerifier(Options{Keys: many}); err == nil {
		t.Errorf("%d keys of one algorithm were let through, though not all of them would be tried", len(many))
	}
	v := verifying(t, Options{Keys: many[:maxStatic]})
	for _, key := range many[:maxStatic] {
		if _, err := v.Verify(t.Context(), signed(t, key, nil, everyday(nil))); err != nil {
			t.Errorf("one of %d keys: %v", maxStatic, err)
		}
	}
}

func TestOptionsThatMeanNothing(t *testing.T) {
	t.Parallel()
	key := ours[HS256]
	cases := map[string]Options{
		"no key at all":                  {},
		"a key that is none":             {Keys: []Key{{}}},
		"an algorithm that is none":      {Keys: []Key{key}, Algorithms: []string{"none"}},
		"an algorithm that is unknown":   {Keys: []Key{key}, Algorithms: []string{"HS512"}},
		"a key of an algorithm left out": {Keys: []Key{key}, Algorithms: []string{RS256}},
		"a skew below nothing":           {Keys: []Key{key}, Skew: -1},
		"a skew without end":             {Keys: []Key{key}, Skew: time.Hour},
		"a refresh below nothing":        {KeySetURL: "https://issuer.example/keys", Refresh: -1},
		"a refresh too seldom":           {KeySetURL: "https://issuer.example/keys", Refresh: time.Minute},
		"http to another machine":        {KeySetURL: "http://issuer.example/keys"},
		"http to a look-alike":           {KeySetURL: "http://localhost.example/keys"},
		"http to a number of another":    {KeySetURL: "http://10.0.0.1/keys"},
		"a file":                         {KeySetURL: "file:///etc/keys"},
		"no host":                        {KeySetURL: "https:///keys"},
		"a path alone":                   {KeySetURL: "/keys"},
		"a password in the URL":          {KeySetURL: "https://a:hunter2@issuer.example/keys"},
		"a URL that is none":             {KeySetURL: "https://hunter2\x00"},
	}
	for name, options := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := NewVerifier(options); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want an error that tells no secret", err)
			}
		})
	}
	for _, url := range []string{"https://issuer.example/keys", "http://localhost:1/keys", "http://127.0.0.1/keys", "http://[::1]:1/keys"} {
		if _, err := NewVerifier(Options{KeySetURL: url}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestAVerifierIsForMany(t *testing.T) {
	t.Parallel()
	v := verifying(t, Options{})
	var all sync.WaitGroup
	for _, key := range ours {
		token := signed(t, key, nil, everyday(nil))
		for range 4 {
			all.Go(func() {
				for range 20 {
					if claims, err := v.Verify(t.Context(), token); err != nil || !v.InForce(claims) || v.Ready() != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
}
