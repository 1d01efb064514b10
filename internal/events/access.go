package events

import "time"

// KeyEvent is an event of an API key's stream.
type KeyEvent interface {
	Event
	key()
}

// KeyCreated makes an API key. The key itself was told once, to whoever made it,
// and is nowhere: only its hash is.
type KeyCreated struct {
	Key  KeyID  `json:"key"`
	Name string `json:"name"` // what it is for, in the operator's words
	Hash string `json:"hash"` // of its secret: SHA-256, in hex
	// Subject is who those are that show the key: the actor of what they do.
	Subject string   `json:"subject"`
	Scopes  []string `json:"scopes"`
	// Topics are the patterns of topics that it may publish and subscribe to; nil,
	// which is written as null: any. An empty list is none.
	Topics    []string   `json:"topics"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// KeyRevoked refuses an API key from its position on.
type KeyRevoked struct {
	Key    KeyID  `json:"key"`
	Reason string `json:"reason,omitempty"`
}

// TokensRevoked refuses the tokens of a user that were issued before it, by the
// time at which the store accepted it.
type TokensRevoked struct {
	User   User   `json:"user"`
	Reason string `json:"reason,omitempty"`
}

// KeyID names an API key. It is no secret.
type KeyID string

// Type is the stored type name.
func (KeyCreated) Type() string { return "KeyCreated" }

// Type is the stored type name.
func (KeyRevoked) Type() string { return "KeyRevoked" }

// Type is the stored type name.
func (TokensRevoked) Type() string { return "TokensRevoked" }

func (KeyCreated) key() {}
func (KeyRevoked) key() {}
