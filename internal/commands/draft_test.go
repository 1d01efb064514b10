package commands

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidings-io/tidings/internal/events"
)

func TestParseDraftFillsInDefaults(t *testing.T) {
	t.Parallel()
	got, flaws := ParseDraft(json.RawMessage(`{
		"to": ["topic:cafe\u0301", "user:alice"], "title": "red", "data": {"b": 1.50, "a": [{"d": 1, "c": 2}]},
		"expires_at": "2030-01-01T01:00:00.1234567+01:00", "body": null, "channels": []
	}`))
	if len(flaws) > 0 {
		t.Fatalf("flaws: %v", flaws)
	}
	if got.Severity != events.SeverityNormal {
		t.Errorf("severity = %s, want normal", got.Severity)
	}
	if want := []events.Target{{Topic: "café"}, {User: "alice"}}; !cmp.Equal(got.To, want) {
		t.Errorf("to = %v, want %v", got.To, want)
	}
	if want := `{"a":[{"c":2,"d":1}],"b":1.50}`; string(got.Content.Data) != want {
		t.Errorf("data = %s, want %s", got.Content.Data, want)
	}
	if want := "2030-01-01T00:00:00.123456Z"; got.ExpiresAt.Format("2006-01-02T15:04:05.999999999Z07:00") != want {
		t.Errorf("expires_at = %s, want %s", got.ExpiresAt, want)
	}
}

func TestParseDraftNamesEveryFlaw(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		body   string
		fields []string
	}{
		"no object":                             {`[]`, []string{""}},
		"null":                                  {`null`, []string{""}},
		"nothing in it":                         {`{}`, []string{"title", "to"}},
		"everything wrong at once":              {`{"to":[],"title":"","severity":"loud","link":"ftp://x","colour":"red","data":[1]}`, []string{"colour", "data", "link", "severity", "title", "to"}},
		"a target twice":                        {`{"to":["user:a","user:a"],"title":"t"}`, []string{"to[1]"}},
		"a topic twice after NFC":               {`{"to":["topic:cafe\u0301","topic:caf\u00e9"],"title":"t"}`, []string{"to[1]"}},
		"targets that are none":                 {`{"to":["user:","alice","topic:..",7,"topic:a//b"],"title":"t"}`, []string{"to[0]", "to[1]", "to[2]", "to[3]", "to[4]"}},
		"too many targets":                      {`{"to":[` + targets(101) + `],"title":"t"}`, []string{"to"}},
		"to is no list":                         {`{"to":"user:a","title":"t"}`, []string{"to"}},
		"to is null":                            {`{"to":null,"title":"t"}`, []string{"to"}},
		"title is null":                         {`{"to":["user:a"],"title":null}`, []string{"title"}},
		"title of 201 characters":               {`{"to":["user:a"],"title":"` + strings.Repeat("é", 201) + `"}`, []string{"title"}},
		"title with U+0000":                     {`{"to":["user:a"],"title":"a\u0000b"}`, []string{"title"}},
		"body over 8 KiB":                       {`{"to":["user:a"],"title":"t","body":"` + strings.Repeat("é", 4097) + `"}`, []string{"body"}},
		"data over 64 KiB":                      {`{"to":["user:a"],"title":"t","data":{"x":"` + strings.Repeat("x", 64<<10) + `"}}`, []string{"data"}},
		"sending later, and by channels":        {`{"to":["user:a"],"title":"t","send_at":"2030-01-01T00:00:00Z","channels":["email"]}`, []string{"channels", "send_at"}},
		"no time":                               {`{"to":["user:a"],"title":"t","expires_at":"tomorrow"}`, []string{"expires_at"}},
		"a link to no host":                     {`{"to":["user:a"],"title":"t","link":"http://:80/"}`, []string{"link"}},
		"a link with a space":                   {`{"to":["user:a"],"title":"t","link":"https://a.example/ x"}`, []string{"link"}},
		"an hour of one digit":                  {`{"to":["user:a"],"title":"t","expires_at":"2030-01-01T1:00:00Z"}`, []string{"expires_at"}},
		"an offset of a day":                    {`{"to":["user:a"],"title":"t","expires_at":"2030-01-01T00:00:00+24:00"}`, []string{"expires_at"}},
		"a time with a comma":                   {`{"to":["user:a"],"title":"t","expires_at":"2030-01-01T00:00:00,5Z"}`, []string{"expires_at"}},
		"unknown members beyond 20 are counted": {manyMembers(23), append([]string{"", "title", "to"}, unknown(20)...)},
		"a name too long to repeat":             {`{"to":["user:a"],"title":"t","` + strings.Repeat("é", 65) + `":1}`, []string{strings.Repeat("é", 64) + "…"}},
		"wrong types":                           {`{"to":["user:a"],"title":1,"body":{},"sender":[],"severity":3,"link":true}`, []string{"body", "link", "sender", "severity", "title"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, flaws := ParseDraft(json.RawMessage(c.body))
			got := make([]string, len(flaws))
			for i, f := range flaws {
				got[i] = f.Field
				if f.Message == "" {
					t.Errorf("%s: no message", f.Field)
				}
			}
			if diff := cmp.Diff(c.fields, got); diff != "" {
				t.Errorf("fields (-want +got):\n%s%v", diff, flaws)
			}
		})
	}
}

func TestLimitsAreReached(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"100 targets":             `{"to":[` + targets(100) + `],"title":"t"}`,
		"title of 200 characters": `{"to":["user:a"],"title":"` + strings.Repeat("é", 200) + `"}`,
		"body of 8 KiB":           `{"to":["user:a"],"title":"t","body":"` + strings.Repeat("é", 4096) + `"}`,
		"data of 64 KiB":          `{"to":["user:a"],"title":"t","data":{"x":"` + strings.Repeat("x", 64<<10-8) + `"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, flaws := ParseDraft(json.RawMessage(body)); len(flaws) > 0 {
				t.Errorf("flaws: %v", flaws)
			}
		})
	}
}

func TestBodyHashIsThatOfTheMeaning(t *testing.T) {
	t.Parallel()
	hash := func(body string) string {
		p, flaws := ParseDraft(json.RawMessage(body))
		if len(flaws) > 0 {
			t.Fatalf("flaws: %v", flaws)
		}
		h, err := BodyHash(p)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	one := hash(`{"to":["user:a"],"title":"t","data":{"a":1,"b":2}}`)
	same := hash(`{ "data": {"b":2, "a":1}, "severity":"normal", "title":"\u0074", "to":["user:a"], "body":null }`)
	other := hash(`{"to":["user:a"],"title":"t","data":{"a":1,"b":3}}`)
	if one != same {
		t.Errorf("another spelling has another hash")
	}
	if one == other {
		t.Errorf("another body has the same hash")
	}
}

// unknown are the first names, in order, of manyMembers.
func unknown(n int) []string {
	names := []string{}
	for i := range 23 {
		names = append(names, fmt.Sprintf("x%d", i))
	}
	slices.Sort(names)
	return names[:n]
}

func targets(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"user:u%d"`, i)
	}
	return strings.Join(all, ",")
}
