package commands

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tidings-io/tidings/internal/events"
)

// The limits of a notification.
const (
	MaxTargets     = 100
	maxTitleRunes  = 200
	maxBodyBytes   = 8 << 10
	maxDataBytes   = 64 << 10
	maxSenderRunes = 200
	maxLinkBytes   = 2048
)

// ParseDraft reads a notification as clients send it, fills in defaults and
// checks everything, naming every flaw at once. The result lacks only its id. It
// expects well-formed JSON in valid UTF-8 and answers a flaw otherwise.
func ParseDraft(body json.RawMessage) (events.Published, []Flaw) {
	d := draft{published: events.Published{Severity: events.SeverityNormal}}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil || !utf8.Valid(body) {
		return d.published, []Flaw{{"", "a notification is a JSON object"}}
	}
	for name, value := range members {
		d.member(name, value)
	}
	if _, ok := members["to"]; !ok {
		d.flaw("to", "is missing: name 1 to %d targets, such as topic:builds or user:alice", MaxTargets)
	}
	if _, ok := members["title"]; !ok {
		d.flaw("title", "is missing")
	}
	d.flaws = append(d.flaws, UnknownFields(d.unknown, "a notification")...)
	slices.SortFunc(d.flaws, func(a, b Flaw) int { return strings.Compare(a.Field, b.Field) })
	return d.published, d.flaws
}

// BodyHash is the SHA-256, in hex, of a validated notification with its
// defaults filled in; two requests are the same when their hashes are. The id is
// left out.
func BodyHash(p events.Published) (string, error) {
	p.NotificationID = [16]byte{}
	canonical, err := json.Marshal(p) // fields in fixed order, data canonical already
	if err != nil {
		return "", fmt.Errorf("hash a notification: %w", err)
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

type draft struct {
	published events.Published
	flaws     []Flaw
	unknown   []string // members that are no fields
}

func (d *draft) flaw(field, format string, args ...any) {
	d.flaws = append(d.flaws, Flaw{field, fmt.Sprintf(format, args...)})
}

// member reads one member of the object; null is the same as absent.
func (d *draft) member(name string, value json.RawMessage) {
	p := &d.published
	if string(value) == "null" && name != "to" && name != "title" {
		return
	}
	switch name {
	case "to":
		d.targets(value)
	case "title":
		d.text(name, value, &p.Content.Title, 1, maxTitleRunes)
	case "body":
		if d.text(name, value, &p.Content.Body, 0, maxBodyBytes) && len(p.Content.Body) > maxBodyBytes {
			d.flaw(name, "has at most %d bytes", maxBodyBytes)
		}
	case "data":
		d.data(value)
	case "severity":
		var s string
		if !d.text(name, value, &s, 0, maxSenderRunes) {
			return
		}
		severity, err := events.ParseSeverity(s)
		if err != nil {
			d.flaw(name, "is one of low, normal, high and critical")
		}
		p.Severity = severity
	case "sender":
		d.text(name, value, &p.Sender, 0, maxSenderRunes)
	case "link":
		d.link(value)
	case "expires_at":
		p.ExpiresAt = d.time(name, value)
	case "send_at":
		d.flaw(name, "is not supported yet: notifications are published at once")
	case "channels":
		if string(bytes.ReplaceAll(value, []byte(" "), nil)) != "[]" {
			d.flaw(name, "is not supported yet: notifications are delivered to the inbox and its streams")
		}
	default:
		d.unknown = append(d.unknown, name)
	}
}

// text reads a string and says whether it is one, and within its bounds.
func (d *draft) text(name string, value json.RawMessage, into *string, least, most int) bool {
	before := len(d.flaws)
	if err := json.Unmarshal(value, into); err != nil || string(value) == "null" {
		d.flaw(name, "is a string")
		return false
	}
	switch n := utf8.RuneCountInString(*into); {
	case n < least:
		d.flaw(name, "is empty")
	case n > most:
		d.flaw(name, "has at most %d characters", most)
	case strings.ContainsRune(*into, 0):
		d.flaw(name, "contains the character U+0000")
	}
	return len(d.flaws) == before
}

func (d *draft) targets(value json.RawMessage) {
	var texts []json.RawMessage
	if err := json.Unmarshal(value, &texts); err != nil || texts == nil {
		d.flaw("to", "is a list of strings")
		return
	}
	if len(texts) == 0 || len(texts) > MaxTargets {
		d.flaw("to", "has 1 to %d targets", MaxTargets)
		return
	}
	seen := map[events.Target]int{}
	for i, text := range texts {
		field := fmt.Sprintf("to[%d]", i)
		var s string
		if err := json.Unmarshal(text, &s); err != nil {
			d.flaw(field, "is a string")
			continue
		}
		target, err := events.ParseTarget(s)
		if err != nil {
			d.flaw(field, "%s", err)
			continue
		}
		if first, twice := seen[target]; twice {
			d.flaw(field, "is the same target as to[%d]", first)
			continue
		}
		seen[target] = i
		d.published.To = append(d.published.To, target)
	}
}

func (d *draft) data(value json.RawMessage) {
	canonical, err := canonicalObject(value)
	switch {
	case err != nil:
		d.flaw("data", "%s", err)
	case len(canonical) > maxDataBytes:
		d.flaw("data", "has at most %d bytes", maxDataBytes)
	default:
		d.published.Content.Data = canonical
	}
}

func (d *draft) link(value json.RawMessage) {
	var s string
	if !d.text("link", value, &s, 0, maxLinkBytes) || s == "" {
		return
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.ContainsFunc(s, unicode.IsSpace) {
		d.flaw("link", "is an absolute http or https address")
		return
	}
	d.published.Content.Link = s
}

func (d *draft) time(name string, value json.RawMessage) *time.Time {
	var text string
	err := json.Unmarshal(value, &text)
	t, bad := events.ParseTime(text)
	if err != nil || bad != nil {
		d.flaw(name, "is an RFC 3339 time, such as 2026-01-31T12:00:00Z")
		return nil
	}
	t = t.Truncate(time.Microsecond) // what every read model keeps
	if t.Year() < 1970 || t.Year() > 9999 {
		d.flaw(name, "lies outside the years 1970 to 9999")
		return nil
	}
	return &t
}

// canonicalObject is a JSON object with its members sorted, its numbers as they
// were written and no white space.
func canonicalObject(value json.RawMessage) (json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil || object == nil {
		return nil, errors.New("is a JSON object")
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(object); err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}
