package token

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxSubject is how many characters a subject has at most. It is a user's name.
const maxSubject = 255

// Claims are what a token says that was verified.
type Claims struct {
	Subject string
	Scopes  []string
	// Topics are the patterns of topics that the token is limited to: nil if it says nothing of topics, empty if it permits none.
	Topics []string
	// IssuedAt is zero if the token does not say; to the microsecond if it does.
	IssuedAt time.Time
	Expires  time.Time

	signedBy fingerprint
}

// expectations are what tokens must say.
type expectations struct {
	issuer, audience string // "": anything, or nothing
	skew             time.Duration
}

// read judges the claims of a token whose signature is right.
func (e expectations) read(text []byte, now time.Time) (Claims, error) {
	members, err := readMembers(text)
	if err != nil {
		return Claims{}, refuse(reasonClaims)
	}
	var c Claims
	if c.Expires, c.IssuedAt, err = e.times(members, now); err != nil {
		return Claims{}, err
	}
	if err := e.addressed(members); err != nil {
		return Claims{}, err
	}
	if !readString(members["sub"], &c.Subject) || !isSubject(c.Subject) {
		return Claims{}, unusable("sub")
	}
	if c.Scopes, err = readNames(members, "scope"); err != nil {
		return Claims{}, err
	}
	if c.Topics, err = readNames(members, "topics"); err != nil {
		return Claims{}, err
	}
	return c, nil
}

// times checks exp, which must be there, and nbf and iat, which need not.
func (e expectations) times(members map[string]json.RawMessage, now time.Time) (expires, issued time.Time, err error) {
	expires, ok := readTime(members["exp"])
	if !ok {
		return expires, issued, unusable("exp")
	}
	if !now.Before(expires.Add(e.skew)) {
		return expires, issued, refuse(reasonExpired)
	}
	var from time.Time
	if text := members["nbf"]; text != nil {
		if from, ok = readTime(text); !ok {
			return expires, issued, unusable("nbf")
		}
	}
	if text := members["iat"]; text != nil {
		if issued, ok = readTime(text); !ok {
			return expires, issued, unusable("iat")
		}
	}
	if latest := now.Add(e.skew); from.After(latest) || issued.After(latest) {
		return expires, issued, refuse(reasonNotYet)
	}
	return expires, issued, nil
}

// addressed checks iss and aud, where we were told what to expect.
func (e expectations) addressed(members map[string]json.RawMessage) error {
	var issuer string
	if e.issuer != "" && (!readString(members["iss"], &issuer) || issuer != e.issuer) {
		return refuse(reasonIssuer)
	}
	if e.audience == "" {
		return nil
	}
	var audiences []string
	var one string
	if readString(members["aud"], &one) {
		audiences = []string{one}
	} else if !readStrings(members["aud"], &audiences) {
		return refuse(reasonAudience)
	}
	if !slices.Contains(audiences, e.audience) {
		return refuse(reasonAudience)
	}
	return nil
}

// isSubject tells whether a text names a user: U+FFFD stands for what was no text, so that two names would become one, and of two names that look alike
// to who reads the log, since what they differ in is not seen, one would pass for the other.
func isSubject(text string) bool {
	length := utf8.RuneCountInString(text)
	return length > 0 && length <= maxSubject && utf8.ValidString(text) && !strings.ContainsRune(text, utf8.RuneError) &&
		strings.TrimSpace(text) == text && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) })
}

// readNames reads names separated by spaces, or a list of names. It is nil if there is no such claim, and never nil if there is one: a claim
// that limits what a token permits must not be taken for its absence.
func readNames(members map[string]json.RawMessage, claim string) ([]string, error) {
	text := members[claim]
	if text == nil {
		return nil, nil
	}
	names := []string{}
	var spaced string
	if readString(text, &spaced) {
		names = append(names, strings.FieldsFunc(spaced, func(r rune) bool { return r == ' ' })...)
	} else if !readStrings(text, &names) {
		return nil, unusable(claim)
	}
	if !slices.ContainsFunc(names, isNoName) {
		return names, nil
	}
	return nil, unusable(claim)
}

// isNoName tells what cannot be one name among several.
func isNoName(text string) bool {
	return text == "" || !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) ||
		strings.IndexFunc(text, func(r rune) bool { return r == ' ' || unicode.IsControl(r) }) >= 0
}

// readStrings is false for anything but a list of strings; null is no string.
func readStrings(text json.RawMessage, into *[]string) bool {
	var items []json.RawMessage
	if len(text) == 0 || text[0] != '[' || json.Unmarshal(text, &items) != nil {
		return false
	}
	strs := make([]string, len(items))
	for i, item := range items {
		if !readString(item, &strs[i]) {
			return false
		}
	}
	*into = strs
	return true
}

// lastSecond is the end of the year 9999, the last that time.Time writes as RFC 3339 does.
const lastSecond = 253402300799

// readTime reads a NumericDate, to the microsecond: seconds since 1970 that may have a fraction. It is false for anything else, and for what lies
// before 1970 or after 9999.
func readTime(text json.RawMessage) (time.Time, bool) {
	seconds, err := strconv.ParseFloat(string(text), 64) // 1e999 is an error
	if err != nil || !isNumber(text) || seconds < 0 || seconds > lastSecond {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(math.Round(fraction*1e6))*int64(time.Microsecond)), true
}

// isNumber tells a JSON number from what else ParseFloat reads, such as NaN.
func isNumber(text json.RawMessage) bool {
	return len(text) > 0 && (text[0] == '-' || text[0] >= '0' && text[0] <= '9')
}
