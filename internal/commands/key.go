package commands

import "github.com/tidings-io/tidings/internal/events"

// CodeKeyNotFound says that there is no such API key.
const CodeKeyNotFound = "key_not_found"

// Key is the state of an API key.
type Key struct {
	Created bool
	Revoked bool
}

// Evolve folds one event.
func (k Key) Evolve(e events.KeyEvent, _ events.Position) Key {
	switch e.(type) {
	case events.KeyCreated:
		k.Created = true
	case events.KeyRevoked:
		k.Revoked = true
	}
	return k
}

// CreateKey makes an API key.
type CreateKey struct{ Key events.KeyCreated }

// Stream is the key's own.
func (c CreateKey) Stream() events.StreamName { return events.KeyStream(c.Key.Key) }

// Decide makes the key unless there is one of this id.
func (c CreateKey) Decide(k Key) ([]events.KeyEvent, error) {
	if k.Created {
		return nil, nil
	}
	return []events.KeyEvent{c.Key}, nil
}

func (CreateKey) fresh() {}

// RevokeKey refuses an API key from then on, for good.
type RevokeKey struct {
	Key    events.KeyID
	Reason string
}

// Stream is the key's own.
func (c RevokeKey) Stream() events.StreamName { return events.KeyStream(c.Key) }

// Decide revokes a key once.
func (c RevokeKey) Decide(k Key) ([]events.KeyEvent, error) {
	switch {
	case !k.Created:
		return nil, refuse(CodeKeyNotFound, "there is no API key %s", c.Key)
	case k.Revoked:
		return nil, nil
	}
	return []events.KeyEvent{events.KeyRevoked(c)}, nil
}
