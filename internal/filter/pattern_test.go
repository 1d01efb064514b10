package filter_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/filter"
)

func TestPatterns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`title.matches('^main .* red$')`:                     true,
		`title.matches("r[aeiou]d")`:                         true,
		`matches(title, 'red')`:                              true,
		`title.matches('green')`:                             false,
		`data.tags.exists(t, t.matches('^b+$'))`:             true,
		`data.missing.matches('x')`:                          false,
		`data.build.matches('4')`:                            false, // a number is no text
		`title.matches('(red|green|blue|[a-z]{3})$')`:        true,
		`!title.matches('green') && sender.matches('^c.?$')`: true,
	} {
		if err := filter.Check(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if got := filter.Of(notification).Matches(text, "builds"); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	for text, complaint := range map[string]string{
		`title.matches(sender)`:                                             "written out",
		`title.matches(data.pattern)`:                                       "written out",
		`title.matches('a' + 'b')`:                                          "written out",
		`title.matches('(')`:                                                "missing closing",
		`title.matches('(a?){1000}')`:                                       "too large",
		`title.matches('((a{100}){100}){100}')`:                             "", // in whose words does not matter
		`title.matches('` + strings.Repeat(`(a?){1000}`, 150) + `b')`:       "too large",
		`matches(title, '` + strings.Repeat(`[a-z]?`, 300) + `')`:           "too large",
		`data.l.exists(x, x.matches('` + strings.Repeat(`é{9}`, 99) + `'))`: "too large",
	} {
		if err := filter.Check(text); err == nil || !strings.Contains(err.Error(), complaint) {
			t.Errorf("%.60q: got %v, want %q in it", text, err, complaint)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	n := events.Published{Content: events.Content{Data: json.RawMessage(
		`{"n":1,"big":9007199254740993,"huge":1e400,"half":0.5,"whole":2.0,"list":[{"n":7}],"max":18446744073709551615}`)}}
	for text, want := range map[string]bool{
		`data.n + 1 == 2`:                               true,
		`data.n % 2 == 1`:                               true,
		`data.big == 9007199254740993`:                  true,
		`data.big == 9007199254740992`:                  false,
		`data.half < 1`:                                 true,
		`data.half + 1.0 == 1.5`:                        true,
		`data.whole == 2`:                               true,
		`data.list[0].n == 7`:                           true,
		`data.max > 1`:                                  true,
		`data.huge > 1`:                                 true,
		`data.n == 1.0`:                                 true,
		`data.half + 1 == 1.5`:                          false, // CEL adds like to like alone
		`data.list.exists(x, has(x.n) && x.n / 2 == 3)`: true,
	} {
		if got := filter.Of(n).Matches(text, "t"); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

// TestPatternsTakeNoTime: whatever passes the check is soon judged, also on the
// longest texts there are.
func TestPatternsTakeNoTime(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(map[string]any{"s": strings.Repeat("a", 60_000), "l": make([]int, 1000)})
	if err != nil {
		t.Fatal(err)
	}
	n := events.Published{Content: events.Content{Title: strings.Repeat("a", 200), Data: data}}
	dear := `(a?){120}b`
	var many []string
	for i := range 20 {
		many = append(many, fmt.Sprintf(`title.matches('%s%d')`, dear, i))
	}
	for _, text := range []string{
		`data.s.matches('` + dear + `')`,
		`(data.s + data.s + data.s).matches('a*b')`,
		`title.matches('` + dear + `')`,
		strings.Join(many, " || "),
		`data.l.exists(x, title.matches('` + dear + `'))`,
		`data.l.exists(x, data.l.exists(y, title.matches('a*b')))`,
		`data.l.exists(x, data.s.matches('b'))`,
	} {
		if err := filter.Check(text); err != nil {
			t.Errorf("%.60q: %v", text, err)
			continue
		}
		began := time.Now()
		if filter.Of(n).Matches(text, "t") {
			t.Errorf("%.60q matches", text)
		}
		const slow = 10 * time.Second // of what takes some 20 ms, on a machine that is busy with all else, under the race detector
		if took := time.Since(began); took > slow {
			t.Errorf("%.60q: took %s", text, took)
		}
	}
}

// TestMatchesArePaidFor: a hundred dear matches cost more than a filter may, though
// each is small enough.
func TestMatchesArePaidFor(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(map[string]any{"l": make([]int, 100)})
	if err != nil {
		t.Fatal(err)
	}
	n := events.Published{Content: events.Content{Title: strings.Repeat("a", 200), Data: data}}
	_, err = filter.Of(n).Explain(`data.l.exists(x, title.matches('(a?){120}b'))`, "t")
	if err == nil || !strings.Contains(err.Error(), "cost limit") {
		t.Errorf("got %v, want that the cost limit was exceeded", err)
	}
}
