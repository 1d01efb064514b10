package commands

import (
	"testing"

	"github.com/tidings-io/tidings/internal/events"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	key := events.KeyCreated{Key: "k", Name: "ci", Hash: "00ff", Subject: "ci", Scopes: []string{"publish"}}
	revoked := events.KeyRevoked{Key: "k", Reason: "lost"}
	type given = []events.KeyEvent
	check(t, map[string]spec[Key, events.KeyEvent]{
		"a key is made": {
			when: CreateKey{key}, then: given{key},
		},
		"a key is made once": {
			given: given{key}, when: CreateKey{key},
		},
		"a key that was revoked is not made again": {
			given: given{key, revoked}, when: CreateKey{key},
		},
		"a key is revoked": {
			given: given{key}, when: RevokeKey{"k", "lost"}, then: given{revoked},
		},
		"a key is revoked once, whatever the reason": {
			given: given{key, revoked}, when: RevokeKey{"k", "again"},
		},
		"a key that nobody made cannot be revoked": {
			when: RevokeKey{"k", ""}, refused: CodeKeyNotFound,
		},
	})
}
