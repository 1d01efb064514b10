package commands

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

// FuzzDraft: whatever a client sends is a notification within its bounds, or a list
// of flaws that repeat little of it. What is accepted is the same, by its BodyHash,
// when it is stored and read, and when it is sent once more as it was understood.
// What failed once, and what led to new code, is kept in testdata/fuzz.
func FuzzDraft(f *testing.F) {
	for _, body := range []string{
		`{"to":["topic:builds","user:alice"],"title":"main is red","body":"line 7","data":{"build":42},"severity":"high","sender":"ci","link":"https://ci.example/42","expires_at":"2030-01-01T00:00:00Z"}`,
		`{"to":["user:a"],"title":"t","data":{"a":1e400,"b":-0,"c":[1.50,{}],"<":"\u2028&>","d":null,"a":2}}`, `{"to":["user:a"],"title":"t","data":{"n":"\u0000\ud800"}}`,
		`{"to":["topic:cafe\u0301","topic:caf\u00e9"],"title":"t"}`, `{"to":["user:a",null],"title":"t"}`, `{"to":null,"title":null}`, `{"to":["user:a"],"title":"\ud800","body":"\u0000"}`,
		`{"to":["user:a"],"title":"t","expires_at":"9999-12-31T23:59:59.9999999-01:00"}`, `{"to":["user:a"],"title":"t","expires_at":"1970-01-01T00:00:00+00:01"}`,
		`{"to":["user:a"],"title":"t","expires_at":"2030-01-01T1:00:00Z"}`, `{"to":["user:a"],"title":"t","expires_at":"2030-01-01T00:00:00,5Z"}`, `{"to":["user:a"],"title":"t","expires_at":"2016-12-31T23:59:60Z"}`,
		`{"to":["user:a"],"title":"t","link":"https://a.example/%zz"}`, `{"to":["user:a"],"title":"t","link":"https://user:secret@[::1]:80/?q#f"}`, `{"to":["user:a"],"title":"t","link":"javascript:alert(1)"}`,
		`{"to":["user:a"],"title":"t","severity":"","sender":null,"channels":[ ]}`, `{"TO":["user:a"],"Title":"t"}`, `{"to":["user:a"],"title":"t","to":["user:b"]}`,
		`{"` + strings.Repeat("x", 999) + `":1}`, `{"` + strings.Repeat("é", 65) + `":1,"` + strings.Repeat("é", 66) + `":1}`, `{"to":["user:` + strings.Repeat("x", 999) + `"],"title":"t","severity":"` + strings.Repeat("x", 199) + `"}`,
		"{\"to\":[\"user:a\"],\"title\":\"\xff\"}", "{\"\xff\":1}", `[]`, `null`, ``, `{`, `{"to":["user:a"],"title":"t"} `, `{"to":["user:a"],"title":"t"}{}`,
		`{"to":["user:a"],"title":"t","data":` + strings.Repeat(`{"a":`, 90) + `1` + strings.Repeat(`}`, 91),
	} {
		f.Add([]byte(body))
	}
	f.Add([]byte(manyMembers(maxUnknown)))
	f.Add([]byte(manyMembers(500)))
	f.Fuzz(func(t *testing.T, body []byte) {
		const most = 256 << 10 // the edge takes no larger one
		if len(body) > most {
			t.Skip("never comes so far")
		}
		p, flaws := ParseDraft(body)
		if len(flaws) > 0 {
			checkFlaws(t, flaws)
			return
		}
		if !utf8.Valid(body) {
			t.Errorf("accepted, and not valid UTF-8: %q", body)
		}
		checkDraft(t, p)
		hash := hashOf(t, p)
		proposed, err := events.Encode(p, "s", 0, events.Metadata{BodyHash: hash})
		if err != nil {
			t.Fatalf("encode %+v: %v", p, err)
		}
		stored, err := events.Decode(events.Stored{Type: proposed.Type, Data: proposed.Data, Metadata: proposed.Metadata})
		if err != nil {
			t.Fatalf("decode %s: %v", proposed.Data, err)
		}
		if got := hashOf(t, stored.Event.(events.Published)); got != hash {
			t.Errorf("the hash of %s is %s, and once stored %s", body, hash, got)
		}
		p.NotificationID = uuid.New()
		if got := hashOf(t, p); got != hash {
			t.Errorf("the id changes the hash of %s", body)
		}
		sent, flaws := ParseDraft(resent(t, p))
		if len(flaws) > 0 {
			t.Fatalf("%s is refused as it was understood: %v", body, flaws)
		}
		if got := hashOf(t, sent); got != hash {
			t.Errorf("the hash of %s is %s, and as it was understood %s", body, hash, got)
		}
	})
}

// checkFlaws holds that flaws are in order, and short whatever they are about.
func checkFlaws(t *testing.T, flaws []Flaw) {
	t.Helper()
	const (
		mostField   = 64 + 1 // so many characters of input, and that there were more
		mostMessage = 120    // what we say ourselves
		mostFlaws   = MaxTargets + maxUnknown + 12
	)
	if len(flaws) > mostFlaws {
		t.Errorf("%d flaws", len(flaws))
	}
	if !slices.IsSortedFunc(flaws, func(a, b Flaw) int { return strings.Compare(a.Field, b.Field) }) {
		t.Errorf("not in order: %v", flaws)
	}
	for _, flaw := range flaws {
		if n := utf8.RuneCountInString(flaw.Field); n > mostField || !utf8.ValidString(flaw.Field) {
			t.Errorf("a flaw names a field by %d characters: %.80q", n, flaw.Field)
		}
		if flaw.Message == "" || len(flaw.Message) > mostMessage {
			t.Errorf("a flaw of %.80q with a message of %d bytes: %.200q", flaw.Field, len(flaw.Message), flaw.Message)
		}
	}
}

// checkDraft holds an accepted notification to docs/API.md.
func checkDraft(t *testing.T, p events.Published) {
	t.Helper()
	c := p.Content
	for rule, kept := range map[string]bool{
		"1-100 targets":                  len(p.To) >= 1 && len(p.To) <= MaxTargets,
		"a title of 1-200 characters":    c.Title != "" && utf8.RuneCountInString(c.Title) <= maxTitleRunes,
		"a body of at most 8 KiB":        len(c.Body) <= maxBodyBytes,
		"data of at most 64 KiB":         len(c.Data) <= maxDataBytes,
		"data is an object, or absent":   len(c.Data) == 0 || c.Data[0] == '{' && json.Valid(c.Data),
		"a sender of 200 characters":     utf8.RuneCountInString(p.Sender) <= maxSenderRunes,
		"a link is http or https":        c.Link == "" || strings.HasPrefix(strings.ToLower(c.Link), "http"),
		"no U+0000 in what is shown":     !strings.ContainsRune(c.Title+c.Body+p.Sender+c.Link, 0),
		"valid UTF-8":                    utf8.ValidString(c.Title + c.Body + p.Sender + c.Link + string(c.Data)),
		"an expiry within 1970 and 9999": p.ExpiresAt == nil || p.ExpiresAt.Year() >= 1970 && p.ExpiresAt.Year() <= 9999,
	} {
		if !kept {
			t.Errorf("accepted against the rule %q: %+v", rule, p)
		}
	}
	seen := map[events.Target]bool{}
	for _, to := range p.To {
		if seen[to] || (to.User == "") == (to.Topic == "") {
			t.Errorf("accepted for %v", p.To)
		}
		seen[to] = true
	}
}

func hashOf(t *testing.T, p events.Published) string {
	t.Helper()
	hash, err := BodyHash(p)
	if err != nil {
		t.Fatalf("hash %+v: %v", p, err)
	}
	return hash
}

// resent is a notification as a client sends it, every default spelled out.
func resent(t *testing.T, p events.Published) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"to": p.To, "severity": p.Severity, "sender": p.Sender, "expires_at": p.ExpiresAt,
		"title": p.Content.Title, "body": p.Content.Body, "link": p.Content.Link, "data": orNull(p.Content.Data),
	})
	if err != nil {
		t.Fatalf("write %+v: %v", p, err)
	}
	return body
}

func orNull(data json.RawMessage) any {
	if data == nil {
		return nil
	}
	return data
}

// manyMembers is an object of so many members that nobody knows.
func manyMembers(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"x%d":0`, i)
	}
	return "{" + strings.Join(members, ",") + "}"
}
