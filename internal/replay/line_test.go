package replay

import (
	"encoding/json"
	"testing"
)

func TestNothingThatIsPrintedSteersTheTerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"title":"plain, 도구"}`:                `{"title":"plain, 도구"}`,
		"{\"title\":\"\u009b2J\u202e\u007f\"}": `{"title":"\u009b2J\u202e\u007f"}`,
		"{\"title\":\"\U000e0041\"}":           `{"title":"\udb40\udc41"}`,
	} {
		got := string(Escaped([]byte(text)))
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		var before, after any
		if json.Unmarshal([]byte(text), &before) != nil || json.Unmarshal([]byte(got), &after) != nil {
			t.Errorf("%q became %q, one of which is no JSON", text, got)
		}
	}
	if got := Seen("a\x1b[2J\r\u202eb"); got != "a[2Jb" {
		t.Errorf("got %q", got)
	}
}

func TestAnEventOfAStreamIsBounded(t *testing.T) {
	t.Parallel()
	if _, err := newMessages(&endless{line: []byte("data: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")}).next(); err == nil {
		t.Error("an event without end was taken")
	}
}

// endless says the same line for ever.
type endless struct{ line []byte }

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n+len(e.line) <= len(p) {
		n += copy(p[n:], e.line)
	}
	return n, nil
}
