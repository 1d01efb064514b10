package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
)

func count[N int | int64](n N, of string) string {
	return strings.TrimSpace(strconv.FormatInt(int64(n), 10) + " " + of)
}

// fields reads what a request names, in its path, query, headers and body, and
// keeps every flaw it meets, so that one answer names them all.
type fields struct {
	flaws []commands.Flaw
}

func (f *fields) flaw(field, format string, args ...any) {
	f.flaws = append(f.flaws, commands.Flaw{Field: field, Message: fmt.Sprintf(format, args...)})
}

// err is nil when nothing is wrong.
func (f *fields) err() error {
	slices.SortStableFunc(f.flaws, func(a, b commands.Flaw) int { return strings.Compare(a.Field, b.Field) })
	return invalid(f.flaws)
}

// path is a segment of the path, unescaped once: routing goes by the escaped
// path, so that a name may contain %2F.
func (f *fields) path(r *http.Request, name string) string {
	text, err := url.PathUnescape(r.PathValue(name))
	if err != nil { // the server has refused such a path already
		f.flaw(name, "is not percent-encoded")
	}
	return text
}

func (f *fields) user(r *http.Request) events.User {
	user, err := events.ParseUser(f.path(r, "user"))
	if err != nil {
		f.flaw("user", "%s", err)
	}
	return user
}

func (f *fields) topic(r *http.Request) events.Topic {
	topic, err := events.ParseTopic(f.path(r, "topic"))
	if err != nil {
		f.flaw("topic", "%s", err)
	}
	return topic
}

func (f *fields) notificationID(r *http.Request) uuid.UUID {
	id, ok := parseID(f.path(r, "id"))
	if !ok {
		f.flaw("id", "is a UUID")
	}
	return id
}

// parseID reads the one form in which ids are given out.
func parseID(s string) (uuid.UUID, bool) {
	id, err := uuid.Parse(s)
	return id, err == nil && len(s) == len(uuid.UUID{}.String())
}

// object is a body that is a JSON object; members are taken out as they are read.
type object map[string]json.RawMessage

// object reads a body's members; a body that is none is a flaw.
func (f *fields) object(body json.RawMessage) object {
	var o object
	if err := json.Unmarshal(body, &o); err != nil || o == nil {
		f.flaw("", "the body is a JSON object")
	}
	return o
}

// take removes a member; null is the same as absent.
func (o object) take(name string) (json.RawMessage, bool) {
	value, ok := o[name]
	delete(o, name)
	return value, ok && string(value) != "null"
}

// rest names the members nobody took.
func (f *fields) rest(o object, of string) {
	f.flaws = append(f.flaws, commands.UnknownFields(slices.Collect(maps.Keys(o)), of)...)
}

// text reads a string within bounds, in characters; "" when it is absent.
func (f *fields) text(o object, name string, least, most int) string {
	value, ok := o.take(name)
	if !ok {
		if least > 0 {
			f.flaw(name, "is missing")
		}
		return ""
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		f.flaw(name, "is a string")
		return ""
	}
	switch n := utf8.RuneCountInString(s); {
	case n < least:
		f.flaw(name, "is empty")
	case n > most:
		f.flaw(name, "has at most %d characters", most)
	case strings.ContainsRune(s, 0):
		f.flaw(name, "contains the character U+0000")
	}
	return s
}

// list reads a list of at most so many entries; nil when it is absent.
func (f *fields) list(o object, name string, most int) []json.RawMessage {
	value, ok := o.take(name)
	if !ok {
		return nil
	}
	entries := []json.RawMessage{}
	if err := json.Unmarshal(value, &entries); err != nil {
		f.flaw(name, "is a list")
		return nil
	}
	if len(entries) > most {
		f.flaw(name, "has at most %d entries", most)
		return nil
	}
	return entries
}

// each reads every entry of a list of different strings; parse says what is wrong
// with one.
func each[T comparable](f *fields, name string, entries []json.RawMessage, parse func(string) (T, error)) []T {
	values := make([]T, 0, len(entries))
	first := make(map[T]int, len(entries))
	for i, entry := range entries {
		field := fmt.Sprintf("%s[%d]", name, i)
		var s string
		if err := json.Unmarshal(entry, &s); err != nil || string(entry) == "null" {
			f.flaw(field, "is a string")
			continue
		}
		value, err := parse(s)
		if err != nil {
			f.flaw(field, "%s", err)
			continue
		}
		if at, twice := first[value]; twice {
			f.flaw(field, "is the same as %s[%d]", name, at)
			continue
		}
		first[value] = i
		values = append(values, value)
	}
	return values
}

// severity reads a severity's name.
func (f *fields) severity(o object, name string, byDefault events.Severity) events.Severity {
	value, ok := o.take(name)
	if !ok {
		return byDefault
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		f.flaw(name, "is a string")
		return byDefault
	}
	severity, err := events.ParseSeverity(s)
	if err != nil {
		f.flaw(name, "is one of low, normal, high and critical")
	}
	return severity
}
