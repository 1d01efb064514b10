package httpapi_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidings-io/tidings/internal/access"
)

// TestWhyStreamsEndIsCounted: each by one reason, and by no other.
func TestWhyStreamsEndIsCounted(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		end    func(*streamWorld, *streamWire)
		reason string
	}{
		"its client goes":             {func(_ *streamWorld, c *streamWire) { c.gone() }, "gone"},
		"the process stops":           {func(w *streamWorld, _ *streamWire) { w.drain() }, "drained"},
		"it is old":                   {func(*streamWorld, *streamWire) { time.Sleep(26 * time.Hour) }, "age"},
		"its credential is revoked":   {func(_ *streamWorld, c *streamWire) { c.end(&access.Refused{Reason: "revoked"}) }, "access"},
		"its client does not read on": {func(w *streamWorld, c *streamWire) { c.stop(); w.published("one", false) }, "too_slow"},
		"its client is gone before it hears so": {func(w *streamWorld, c *streamWire) {
			w.published("one", false)
			c.gone()
			w.drain()
		}, "drained"}, // both are true, and the process is what an operator can do something about
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inStreamWorld(t, func(w *streamWorld) {
				client := w.open("", "")
				test.end(w, client)
				<-client.ended
				synctest.Wait()
				families, err := w.metrics.Gather()
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range families {
					if f.GetName() != "tidings_live_dropped_total" {
						continue
					}
					for _, m := range f.GetMetric() {
						reason, want := m.GetLabel()[0].GetValue(), 0.0
						if reason == test.reason {
							want = 1
						}
						if got := m.GetCounter().GetValue(); got != want {
							t.Errorf("%s: got %v, want %v", reason, got, want)
						}
					}
				}
			})
		})
	}
}

// stop has the client read no more.
func (c *streamWire) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stuck = true
}
