package filter_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/filter"
)

var notification = events.Published{
	Severity: events.SeverityHigh, Sender: "ci",
	Content: events.Content{Title: "main is red", Data: json.RawMessage(`{"region":"eu","build":42,"tags":["a","b"]}`)},
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		``:     true,
		`true`: true,
		`severity == 'high' && data.region == 'eu'`: true,
		`severity == 'low'`:                         false,
		`data.build > 41`:                           true,
		`data.build == 42`:                          true,
		`data.missing == 1`:                         false,
		`!(data.missing == 1)`:                      false, // what cannot be evaluated does not match, however it is turned
		`has(data.missing)`:                         false,
		`!has(data.missing)`:                        true,
		`'b' in data.tags`:                          true,
		`data.tags.exists(t, t == 'b')`:             true,
		`topic.startsWith('builds')`:                true,
		`sender == 'ci'`:                            true,
		`title.contains('red')`:                     true,
		`data.region`:                               false, // no boolean
		`data.build > 'x'`:                          false,
	} {
		if got := filter.Of(notification).Matches(text, "builds/main"); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestDataThatIsNoObjectIsNone(t *testing.T) {
	t.Parallel()
	for _, data := range []string{``, `null`, `[1]`, `{`} {
		n := events.Published{Content: events.Content{Data: json.RawMessage(data)}}
		if !filter.Of(n).Matches(`size(data) == 0`, "t") {
			t.Errorf("data %q is not empty", data)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for text, complaint := range map[string]string{
		`severity = 'high'`:               "Syntax error",
		`severety == 'high'`:              "undeclared reference to 'severety'",
		`title`:                           "true or false",
		`title.all(c, true)`:              "the elements or keys of",
		`body == 'x'`:                     "undeclared reference to 'body'",
		strings.Repeat("(", 200) + "true": "recursion",
	} {
		if err := filter.Check(text); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%q: got %v, want %q in it", text, err, complaint)
		}
	}
	for _, text := range []string{``, `true`, `data.x.y.z > 3`} {
		if err := filter.Check(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAFilterThatCostsTooMuchDoesNotMatch(t *testing.T) {
	t.Parallel()
	many := `[0,1,2,3,4,5,6,7,8,9]`
	dear := many + `.all(a, ` + many + `.all(b, ` + many + `.all(c, ` + many + `.all(d, ` + many + `.all(e, a+b+c+d+e >= 0)))))`
	if err := filter.Check(dear); err != nil {
		t.Fatal(err)
	}
	if filter.Of(notification).Matches(dear, "t") {
		t.Error("a hundred thousand steps were taken")
	}
}

func BenchmarkMatches(b *testing.B) {
	for b.Loop() {
		filter.Of(notification).Matches(`severity == 'high' && data.region == 'eu'`, "builds")
	}
}

// TestExplain: the reason of a filter that could not be evaluated is given, and the
// answer is otherwise that of Matches.
func TestExplain(t *testing.T) {
	t.Parallel()
	for text, complaint := range map[string]string{
		``:                    "",
		`severity == 'high'`:  "",
		`severity == 'low'`:   "",
		`data.missing == 1`:   "no such key: missing",
		`data.region`:         "neither true nor false",
		`data.build > 'x'`:    "no such overload",
		`severety == 'high'`:  "undeclared reference to 'severety'",
		`severity == 'high`:   "Syntax error",
		`!(data.missing > 1)`: "no such key: missing",
	} {
		c := filter.Of(notification)
		got, err := c.Explain(text, "builds/main")
		if want := c.Matches(text, "builds/main"); got != want {
			t.Errorf("%q: got %v, and %v of Matches", text, got, want)
		}
		if (err == nil) != (complaint == "") || err != nil && !strings.Contains(err.Error(), complaint) {
			t.Errorf("%q: got the error %v, want %q in it", text, err, complaint)
		}
	}
}
