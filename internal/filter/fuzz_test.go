package filter_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/filter"
)

// bound is far above what the dearest filter takes on a busy machine, and far
// below what an unbounded one would.
const bound = 5 * time.Second

// FuzzFilter: whatever a subscriber writes and a publisher sends, a filter is
// refused or judged, in time, and always the same way. What failed once is kept in
// testdata/fuzz.
func FuzzFilter(f *testing.F) {
	for _, text := range []string{
		``, ` `, `true`, `1`, `title`, `severity == 'high' && data.region == 'eu'`, `!(data.missing == 1)`, `!has(data.missing)`,
		`data.exists(k, data[k] == 1)`, `data.map(k, k)[0] == 'a'`, `data.tags.exists_one(t, t.matches('^(a+)+$'))`,
		`[1,2].map(x, x * 9223372036854775807)[1] > 0`, `1 / (data.build - 42) > 0`, `timestamp(title) > timestamp('2020-01-01T00:00:00Z')`,
		`timestamp('2020-01-01T00:00:00Z').getHours('Asia/Seoul') == 9`, `duration(title) < duration('1h')`,
		`google.protobuf.Struct{fields:{'z':1}}.z == 1.0`, `{1:'a'}[1u] == 'a'`, `{1:1,1:2}.size() == 1`, `b'\xff' == bytes(title)`,
		`title.matches('(((((a{1000}){1000}')`, `type(data) == map`, `dyn(title) == 1`, `data == data`, `(title + title + title).size() > 3`,
		`data.map(a, data.map(b, data.map(c, a + b + c))).size() > 0`, `.title == 'x'`, `title ? true : false`, `"` + "\x00" + `" == title`,
		strings.Repeat("!", 1999) + "true", strings.Repeat("[", 60) + "1" + strings.Repeat("]", 60) + " == []",
		"true" + strings.Repeat(" && true", 240), "title == 'x'" + strings.Repeat(" || title == 'y'", 120),
		strings.Repeat("[1].all(x,", 49) + "true" + strings.Repeat(")", 49), "'" + strings.Repeat("é", 1990) + "' == title",
	} {
		f.Add(text, "main is red", `{"region":"eu","build":42,"tags":["a","b"],"b":{"c":null},"a":1e400}`)
	}
	f.Fuzz(func(t *testing.T, text, title, data string) {
		if !utf8.ValidString(text) || utf8.RuneCountInString(text) > filter.MaxRunes || len(data) > 64<<10 {
			t.Skip() // never comes so far
		}
		begun := time.Now()
		refused := filter.Check(text)
		if refused != nil && refused.Error() == "" {
			t.Errorf("refused without a reason")
		}
		n := events.Published{Severity: events.SeverityHigh, Sender: "ci", Content: events.Content{Title: title, Data: json.RawMessage(data)}}
		first := filter.Of(n).Matches(text, "builds")
		if first && refused != nil {
			t.Errorf("it matches, and was refused: %v", refused)
		}
		if again, err := filter.Of(n).Explain(text, "builds"); again != first || first && err != nil {
			t.Errorf("%v, and %v with %v", first, again, err)
		}
		if took := time.Since(begun); took > bound {
			t.Errorf("it took %s", took)
		}
	})
}
