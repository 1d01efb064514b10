package process

import "testing"

func TestErrorsDoNotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a line\n\tand one more, 도구":                     "a line\n\tand one more, 도구",
		"\x1b[2Jgone \a\r back \u009b1m \u202e reversed": "\ufffd[2Jgone \ufffd\ufffd back \ufffd1m \ufffd reversed",
	} {
		if got := visible(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
