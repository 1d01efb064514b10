package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The keys of the tests. Making one for RSA takes a while, so each is made once.
var (
	ours = map[string]Key{
		HS256: must(ParseKey([]byte("a secret that is known to everybody, for tests"))),
		RS256: must(privateKey(must(rsa.GenerateKey(rand.Reader, minRSABits)))),
		ES256: newES256(),
		EdDSA: newEd25519(),
	}
	theirs = map[string]Key{
		HS256: must(ParseKey([]byte("another secret, which is an attacker's own"))),
		RS256: must(privateKey(must(rsa.GenerateKey(rand.Reader, minRSABits)))),
		ES256: newES256(),
		EdDSA: newEd25519(),
	}
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func must2[A, T any](_ A, value T, err error) T { return must(value, err) }

func newEd25519() Key { return must(privateKey(must2(ed25519.GenerateKey(rand.Reader)))) }

func newES256() Key { return must(privateKey(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))) }

// public is the half of a key that everybody may know, as a file has it.
func public(t testing.TB, key Key) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.verifies)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// verifying has all of our keys, public halves where there are two.
func verifying(t testing.TB, o Options) *Verifier {
	t.Helper()
	if o.Keys == nil && o.KeySetURL == "" {
		o.Keys = []Key{ours[HS256]}
		for _, algorithm := range []string{RS256, ES256, EdDSA} {
			o.Keys = append(o.Keys, must(ParseKey(public(t, ours[algorithm]))))
		}
	}
	v, err := NewVerifier(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// members are those of a header or of claims; changed for a case, nil to leave one out.
type members = map[string]any

func everyday(changes members) members {
	return changed(members{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()}, changes)
}

func changed(all, changes members) members {
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

// signed is a token with any header and claims, whose signature is right.
func signed(t testing.TB, key Key, head members, claims members) string {
	t.Helper()
	return signedText(t, key, write(t, changed(members{"alg": key.algorithm}, head)), write(t, claims))
}

func write(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func signedText(t testing.TB, key Key, head, claims string) string {
	t.Helper()
	text := encode(head) + "." + encode(claims)
	signature, err := jwt.GetSigningMethod(key.algorithm).Sign(text, key.signs)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + encode(string(signature))
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// refusedWith is why a token was refused: "" if it was not, else the reason.
func refusedWith(t testing.TB, err error) string {
	t.Helper()
	var refused *Refused
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refused):
		return refused.Reason
	default:
		t.Errorf("got the error %v, want a refusal", err)
		return err.Error()
	}
}

// withTampered replaces one part of a token.
func withTampered(token string, part int, text string) string {
	parts := strings.Split(token, ".")
	parts[part] = text
	return strings.Join(parts, ".")
}
