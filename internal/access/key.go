package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"strings"

	"github.com/tidings-io/tidings/internal/events"
)

// A key reads tidings_<id>_<secret>: the prefix lets scanners of repositories find
// one that got lost, the id says which it is, and the secret is 160 random bits, so
// that one round of SHA-256 is all the hashing it needs.
const (
	keyPrefix    = "tidings_"
	keyIDBytes   = 10
	secretBytes  = 20
	keyIDChars   = keyIDBytes * 8 / 5
	secretChars  = secretBytes * 8 / 5
	keyBytes     = len(keyPrefix) + keyIDChars + 1 + secretChars
	keyAlphabet  = "abcdefghijklmnopqrstuvwxyz234567"
	keySeparator = "_"
)

var keyEncoding = base32.NewEncoding(keyAlphabet).WithPadding(base32.NoPadding)

// NewKey makes an API key: its id, the key as its holder shows it, and the hash
// that is kept.
func NewKey() (id events.KeyID, key, hash string) {
	random := make([]byte, keyIDBytes+secretBytes)
	_, _ = rand.Read(random) // it never fails: crypto/rand
	id = events.KeyID(keyEncoding.EncodeToString(random[:keyIDBytes]))
	secret := keyEncoding.EncodeToString(random[keyIDBytes:])
	return id, keyPrefix + string(id) + keySeparator + secret, hashSecret(secret)
}

func hashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// LooksLikeKey tells a key from a token.
func LooksLikeKey(credential string) bool { return strings.HasPrefix(credential, keyPrefix) }

// parseKey takes a key apart; ok says that it has the form of one.
func parseKey(key string) (id events.KeyID, secret string, ok bool) {
	rest, ok := strings.CutPrefix(key, keyPrefix)
	if !ok || len(key) != keyBytes || rest[keyIDChars] != keySeparator[0] {
		return "", "", false
	}
	name, secret := rest[:keyIDChars], rest[keyIDChars+1:]
	if strings.Trim(name, keyAlphabet) != "" || strings.Trim(secret, keyAlphabet) != "" {
		return "", "", false
	}
	return events.KeyID(name), secret, true
}

// ParseKeyID reads an id, alone or from a whole key.
func ParseKeyID(s string) (events.KeyID, bool) {
	if id, _, ok := parseKey(s); ok {
		return id, true
	}
	return events.KeyID(s), len(s) == keyIDChars && strings.Trim(s, keyAlphabet) == ""
}

// sameHash compares in a time that does not depend on where they differ.
func sameHash(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
