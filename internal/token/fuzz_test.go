package token

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

// fuzzKeys are the same in every run, so that kept inputs stay tokens.
var fuzzKeys = []Key{
	must(ParseKey([]byte("a secret that is known to everybody, for fuzzing"))),
	must(ParseKey([]byte(`-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
`))),
}

// FuzzVerify: no text makes it panic, and what is verified once is verified again, is a token of ours, and says the same.
func FuzzVerify(f *testing.F) {
	v := verifying(f, Options{Keys: fuzzKeys})
	seeds := SignClaims{Subject: "ann", Scopes: []string{"publish"}, Topics: []string{"builds.*"}, Lifetime: time.Hour}
	for _, key := range fuzzKeys {
		token, err := Sign(key, seeds, time.Now())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := v.Verify(t.Context(), token)
		if err != nil {
			if refusedWith(t, err) == "" || !reflect.DeepEqual(claims, Claims{}) {
				t.Errorf("refused with %v, and claims %+v", err, claims)
			}
			return
		}
		again, err := v.Verify(t.Context(), token)
		if err != nil || !reflect.DeepEqual(again, claims) || !v.InForce(claims) || !isSubject(claims.Subject) {
			t.Errorf("got %+v, then %+v, %v", claims, again, err)
		}
	})
}

// FuzzClaims: whatever is signed, what is read of it can be signed again and is read the same.
func FuzzClaims(f *testing.F) {
	for _, text := range []string{
		`{"sub":"ann","exp":253402300799}`, `{"sub":"ann","exp":2e11,"iat":1.5,"nbf":0,"scope":"a b","topics":[]}`,
		`{"sub":"ann","exp":1e308,"iat":-1e308}`, `{"sub":"\ud800","exp":1e11}`, `{"sub":"ann","exp":2e11,"x":{"a":[{"b":1}]}}`, `[]`, `null`, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		now := time.Now()
		read, err := (expectations{skew: defaultSkew}).read(text, now)
		if err != nil {
			return
		}
		again := SignClaims{Subject: read.Subject, Scopes: read.Scopes, Topics: read.Topics, Lifetime: time.Hour}
		token, err := Sign(fuzzKeys[0], again, now)
		if err != nil {
			if len(text) < maxTokenBytes/4 { // else it may have become too long
				t.Errorf("%+v was read, and cannot be signed: %v", read, err)
			}
			return
		}
		got, err := verifying(t, Options{Keys: fuzzKeys}).Verify(t.Context(), token)
		if err != nil || got.Subject != read.Subject || !slices.Equal(got.Scopes, read.Scopes) || !slices.Equal(got.Topics, read.Topics) || (got.Topics == nil) != (read.Topics == nil) {
			t.Errorf("got %+v, %v, want %+v", got, err, read)
		}
	})
}

// FuzzKeySet: no answer makes it panic, and the keys that are taken can be used.
func FuzzKeySet(f *testing.F) {
	f.Add([]byte(setOf(described(f, ours[ES256], named("a")), described(f, ours[EdDSA], nil), described(f, ours[RS256], nil))))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"},{"kty":"RSA","n":"AQ","e":"AQ"},{"kty":"OKP","crv":"Ed25519","x":"AQ"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := readKeySet(text, []string{RS256, ES256, EdDSA})
		if err != nil {
			return
		}
		for _, key := range got.keys {
			if _, _, ok := signedWith("e30.e30.", []Key{key.Key}); ok || key.signs != nil {
				t.Errorf("a %v verifies nothing, or signs", key)
			}
		}
	})
}

// FuzzParseKey: no file makes it panic, and what is no PEM and no secret is no key.
func FuzzParseKey(f *testing.F) {
	f.Add(public(f, ours[ES256]))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----"))
	f.Add([]byte("a secret that is known to everybody, for fuzzing"))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := ParseKey(text)
		if (err == nil) == (key.Algorithm() == "") {
			t.Errorf("got a %v, %v", key, err)
		}
	})
}
