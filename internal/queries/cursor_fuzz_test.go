package queries

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidings-io/tidings/internal/events"
)

// FuzzCursor: a cursor is one that its list has given, to the byte, or ErrBadCursor,
// also in the list beside it. What is taken out of one is text that Postgres takes,
// and says where to go on and nothing else: whose list it is comes from the query.
// What failed once, and what led to new code, is kept in testdata/fuzz.
func FuzzCursor(f *testing.F) {
	encode := base64.RawURLEncoding.EncodeToString
	for _, text := range []string{
		"", "aTE", "aTE\n", "a TE", "aTE=", "aTF", "dGJ1aWxkcw", "====", "é", "i7", "\x00",
		encode([]byte("i")), encode([]byte("i0")), encode([]byte("i01")), encode([]byte("i-1")), encode([]byte("i9223372036854775807")), encode([]byte("i7\x00")),
		encode([]byte("s")), encode([]byte("t\x00")), encode([]byte("t\xff")), encode([]byte("talice' or 1=1 --")), encode([]byte("ualice")), encode([]byte("x7")), encode([]byte("tcafe\u0301")),
	} {
		f.Add(text)
	}
	lists := []list{inboxList, subscriptionsList, topicsList, subscribersList}
	f.Fuzz(func(t *testing.T, text string) {
		belongs := 0
		for _, l := range lists {
			last, err := l.last(text)
			at, positionErr := l.lastPosition(text)
			switch {
			case text == "":
				if last != "" || err != nil || at != forEver || positionErr != nil {
					t.Fatalf("the beginning of list %s: %q, %v; %s, %v", l, last, err, at, positionErr)
				}
				continue
			case err != nil:
				if last != "" || !errors.Is(err, ErrBadCursor) || !errors.Is(positionErr, ErrBadCursor) {
					t.Fatalf("list %s, cursor %q: %q, %v, %v", l, text, last, err, positionErr)
				}
				continue
			}
			belongs++
			if last == "" || !utf8.ValidString(last) || strings.ContainsRune(last, 0) || l.cursor(last) != text {
				t.Errorf("list %s, cursor %q: %q, whose cursor is %q", l, text, last, l.cursor(last))
			}
			switch {
			case positionErr == nil && (at.String() != last || at > events.MaxPosition):
				t.Errorf("list %s, cursor %q: %q is position %s", l, text, last, at)
			case positionErr != nil && !errors.Is(positionErr, ErrBadCursor):
				t.Errorf("list %s, cursor %q: %v, want ErrBadCursor", l, text, positionErr)
			}
		}
		if belongs > 1 {
			t.Errorf("cursor %q belongs to %d lists", text, belongs)
		}
		topic, err := events.ParseTopic(text)
		if err != nil {
			return
		}
		for _, l := range lists { // as the last entry of a page
			if last, err := l.last(l.cursor(string(topic))); err != nil || last != string(topic) {
				t.Errorf("list %s: topic %q came back as %q, %v", l, topic, last, err)
			}
		}
	})
}
