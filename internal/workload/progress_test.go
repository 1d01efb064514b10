package workload

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressWithoutATerminalIsALineEveryFewSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := Progress{Out: &out, Task: "import"}
		for done := 100; done <= 200; done++ { // one a second; 100 were done before
			p.Show(done, 300)
			<-time.After(time.Second)
		}
		p.Done()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 20 {
			t.Errorf("got %d lines in 100 s, want 20", len(lines))
		}
		if got, want := lines[0], "import: 105 of 300, 1/s, 3m15s left"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestProgressOnATerminalIsABarWithRateAndRemainingTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := Progress{Out: &out, Terminal: true, Task: "import"}
		for done := range 51 {
			p.Show(done, 100)
			<-time.After(time.Second)
		}
		p.Done()
		for _, want := range []string{"import", "50%", "50/100", "60 it/min", "50s]"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("got %q, want it to show %q", out.String()[max(0, out.Len()-200):], want)
			}
		}
	})
}

func TestNoticesAreNotRepeatedForEveryRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := Progress{Out: &out, Task: "import"}
		for range 100 {
			p.Notice("waiting")
		}
		<-time.After(betweenNotices)
		p.Notice("waiting still")
		if got, want := out.String(), "import: waiting\nimport: waiting still\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
