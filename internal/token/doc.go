// Package token verifies JSON Web Tokens, and makes them for development. What a
// token's scopes and topics permit is not known here.
//
// Which algorithms are let through is said by configuration and by each key, never
// by the token: a key verifies its own algorithm and no other, and keys that a
// token brings along or points to are not looked at. Claims are judged only once
// the signature is known to be right, so that whoever cannot sign learns nothing;
// neither errors nor logs hold a token, a part of one, or a secret.
//
// Keys are read from files, or fetched as a key set (RFC 7517) and fetched again
// all the time. When the key set cannot be had, what was fetched serves for a
// minute; after that tokens that need it are neither verified nor refused: see
// ErrUnavailable.
package token
