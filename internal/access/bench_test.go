package access

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/token"
)

// BenchmarkFigure is what it costs a request to find out who sends it: with a token
// that was seen before, as all but the first of its life are, with one that was not,
// and with an API key. The floor is one SHA-256 of a token.
func BenchmarkFigure(b *testing.B) {
	keys := signingKeys(b)
	all := make([]token.Key, 0, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	tokens, err := token.NewVerifier(token.Options{Keys: all})
	if err != nil {
		b.Fatal(err)
	}
	store := &memory.Store{}
	a, err := New(Options{Log: store, Tokens: tokens})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	id, key, hash := NewKey()
	created := commands.CreateKey{Key: events.KeyCreated{Key: id, Hash: hash, Subject: "ci", Scopes: []string{"publish"}}}
	if _, err := commands.Handle(ctx, store, md(), created); err != nil {
		b.Fatal(err)
	}
	run := func(name string, once func() error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := once(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e3, "µs/request")
		})
	}
	authenticate := func(credential string) func() error {
		return func() error {
			_, err := a.Authenticate(ctx, credential)
			return err
		}
	}
	for _, algorithm := range []string{token.HS256, token.RS256, token.ES256, token.EdDSA} {
		text, err := token.Sign(keys[algorithm], token.SignClaims{
			Subject: "ann", Scopes: []string{"publish", "subscribe", "inbox"}, Lifetime: time.Hour,
		}, time.Now())
		if err != nil {
			b.Fatal(err)
		}
		run(algorithm+"/seen before", authenticate(text))
		run(algorithm+"/not seen before", func() error {
			a.verified.Purge()
			return authenticate(text)()
		})
		if algorithm == token.RS256 {
			run("floor: SHA-256 of the token", func() error {
				_ = sha256.Sum256([]byte(text))
				return nil
			})
		}
	}
	run("API key", authenticate(key))
	cancel()
	<-ended
}

// signingKeys are one of each algorithm.
func signingKeys(b *testing.B) map[string]token.Key {
	b.Helper()
	secret, err := token.ParseKey([]byte(rand.Text() + rand.Text()))
	if err != nil {
		b.Fatal(err)
	}
	rsaKey, rsaErr := rsa.GenerateKey(rand.Reader, 2048)
	ecdsaKey, ecdsaErr := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, edwards, edwardsErr := ed25519.GenerateKey(rand.Reader)
	if rsaErr != nil || ecdsaErr != nil || edwardsErr != nil {
		b.Fatal(rsaErr, ecdsaErr, edwardsErr)
	}
	keys := map[string]token.Key{token.HS256: secret}
	for algorithm, private := range map[string]crypto.Signer{token.RS256: rsaKey, token.ES256: ecdsaKey, token.EdDSA: edwards} {
		encoded, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			b.Fatal(err)
		}
		if keys[algorithm], err = token.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})); err != nil {
			b.Fatal(err)
		}
	}
	return keys
}
