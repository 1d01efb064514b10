package token

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// maxTokenBytes bounds what is read of a token; the header fields of a request are seldom allowed more.
const maxTokenBytes = 8 << 10

// header is what counts of a token's first part, before anything is known to be true of it. Keys that it brings along (jwk, x5c) or points to (jku,
// x5u) are ignored: they are the word of whoever made the token.
type header struct {
	algorithm string
	keyID     string // "" if it names none
}

// strictBase64 lets one text through for each content: no padding, and no bits that do not count.
var strictBase64 = base64.RawURLEncoding.Strict()

// readHeader is false for what is no signed token that could be verified here.
func readHeader(token string) (header, bool) {
	if len(token) > maxTokenBytes || strings.IndexFunc(token, foreign) >= 0 {
		return header{}, false
	}
	first, _, _ := strings.Cut(token, ".")
	text, err := strictBase64.DecodeString(first)
	if err != nil {
		return header{}, false
	}
	members, err := readMembers(text)
	if err != nil {
		return header{}, false
	}
	// What must be understood (crit), is encrypted or compressed (enc, zip), has another signing input (b64) or holds a token in a token (cty) is not for us.
	for _, name := range []string{"crit", "enc", "zip", "b64", "cty"} {
		if members[name] != nil {
			return header{}, false
		}
	}
	if typ := members["typ"]; typ != nil && !isAccessToken(typ) {
		return header{}, false
	}
	var h header
	if !readString(members["alg"], &h.algorithm) || members["kid"] != nil && !readString(members["kid"], &h.keyID) {
		return header{}, false
	}
	return h, true
}

// isAccessToken tells tokens that say they are one, or nothing in particular, from those that an issuer signs for other purposes: proofs, logouts.
func isAccessToken(typ json.RawMessage) bool {
	var text string
	if !readString(typ, &text) {
		return false
	}
	text = strings.TrimPrefix(strings.ToLower(text), "application/")
	return text == "jwt" || text == "at+jwt"
}

// foreign tells what has no place in a token. Go's base64 passes over ends of lines, so that one token would have many texts.
func foreign(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// readString is false for anything but a string, null included.
func readString(text json.RawMessage, into *string) bool {
	return len(text) > 0 && text[0] == '"' && json.Unmarshal(text, into) == nil
}
