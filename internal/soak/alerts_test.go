package soak

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidings-io/tidings/deploy"
)

const (
	// alertDeadline is for a cause to show in what is scraped, to be evaluated twice, and to be asked for.
	alertDeadline = 60 * time.Second
	// calmDeadline is for a system that was just started to have nothing that fires: what it did at its start was slow.
	calmDeadline = 60 * time.Second
)

// TestEveryAlertFires has a real Prometheus scrape the programs at work. In health every expression of every panel and
// alert finds series, and nothing fires. Then the condition of every alert is caused, for real, and each fires: with the
// rules as they are deployed, but for their times.
func TestEveryAlertFires(t *testing.T) { // not parallel: it starts a whole system
	if testing.Short() {
		t.Skip("starts a whole system")
	}
	binary(t, "tidings") // compiling is not part of what has a deadline
	ctx, cancel := context.WithTimeoutCause(t.Context(), 6*time.Minute, errors.New("the test took too long"))
	defer cancel()
	rules := hastyRules(t)
	began := time.Now()
	w := startWatched(ctx, t)
	w.prometheus = startPrometheus(t, map[string][]string{
		"api": {w.nearMonitor, w.farMonitor}, "projector": {w.projectorListen}, "node": {w.nodeMonitor},
	}, rules)
	t.Logf("everything was started after %s", time.Since(began).Round(time.Millisecond))
	w.inHealth(ctx, t)
	for _, round := range []struct {
		name  string
		cause func(context.Context, *testing.T)
	}{
		{"slow, paused and guessed", w.slowly},
		{"cut off and corrupted", w.cutOff},
		{"an event that cannot be read", w.poisoned},
		{"the node is killed and finds its disk full", w.nodeGoes},
		{"no projector, and one that does not doubt", w.projectorGoes},
	} {
		if round.cause(ctx, t); t.Failed() {
			t.Fatalf("%s: see above", round.name)
		}
		t.Logf("%s: over after %s", round.name, time.Since(began).Round(time.Millisecond))
	}
	w.everyAlertFired(ctx, t)
}

// traced are the histograms whose exemplars lead from a slow moment to its trace.
var traced = []string{
	"tidings_http_request_duration_seconds", "tidings_append_duration_seconds",
	"tidings_live_append_to_stream_seconds", "tidings_projection_append_to_inbox_seconds",
}

// inHealth asks every question of every board and alert, and waits until nothing fires.
func (w *watched) inHealth(ctx context.Context, t *testing.T) {
	t.Helper()
	alerts, err := deploy.Alerts(alertRules)
	if err != nil {
		t.Fatal(err)
	}
	boards, err := deploy.Boards("../../deploy/grafana/dashboards")
	if err != nil {
		t.Fatal(err)
	}
	questions := map[string]string{} // by where they stand
	for _, board := range boards {
		for _, panel := range board.Panels {
			for _, target := range panel.Targets {
				questions[board.UID+", "+panel.Title+" "+target.RefID] = strings.ReplaceAll(target.Expr, "$__rate_interval", hastyRange)
			}
		}
	}
	for _, alert := range alerts {
		// Whole, an alert finds nothing in health: it must be understood. What it selects must be there.
		if _, err := w.prometheus.query(ctx, hasty(alert.Expr)); err != nil {
			t.Errorf("%s: %v", alert.Name, err)
		}
		for i, selector := range selectors(alert.Expr) {
			questions[fmt.Sprintf("%s, selector %d", alert.Name, i+1)] = selector
		}
	}
	for at, question := range questions {
		eventually(ctx, t, calmDeadline, at, func() error {
			found, err := w.prometheus.query(ctx, hasty(question))
			if err == nil && len(found) == 0 {
				err = fmt.Errorf("no series answers %s", question)
			}
			return err
		})
	}
	for _, histogram := range traced {
		eventually(ctx, t, calmDeadline, "an exemplar of "+histogram, func() error { return w.prometheus.hasExemplar(ctx, histogram+"_bucket") })
	}
	w.calm(ctx, t, "")
	t.Logf("in health %d expressions found series, and none of %d alerts fires", len(questions), len(alerts))
}

// calm waits until an alert does not fire, or none does where it is "".
func (w *watched) calm(ctx context.Context, t *testing.T, alert string) {
	t.Helper()
	eventually(ctx, t, calmDeadline, "it is calm", func() error {
		firing, err := w.prometheus.firing(ctx)
		if err == nil && (alert == "" && len(firing) > 0 || slices.Contains(firing, alert)) {
			err = fmt.Errorf("%v fire", firing)
		}
		return err
	})
}

// selector is a metric with its labels.
var selector = regexp.MustCompile(`\b(?:up|tidings_\w+)\b(?:\{[^}]*\})?`)

// selectors are what an expression asks for, before it compares and counts.
func selectors(expr string) []string { return selector.FindAllString(expr, -1) }

// fires waits until alerts have fired since a cause.
func (w *watched) fires(ctx context.Context, t *testing.T, since time.Time, alerts ...string) {
	t.Helper()
	for _, alert := range alerts {
		eventually(ctx, t, alertDeadline, alert+" fires", func() error {
			fired, err := w.prometheus.firedSince(ctx, since, `alertname="`+alert+`"`)
			if err == nil && len(fired) == 0 {
				err = errors.New("it has not")
			}
			return err
		})
		t.Logf("%s fired within %s", alert, time.Since(since).Round(100*time.Millisecond))
	}
}

// everyAlertFired names those that did not, and rules that could not be evaluated.
func (w *watched) everyAlertFired(ctx context.Context, t *testing.T) {
	t.Helper()
	fired, err := w.prometheus.fired(ctx)
	if err != nil {
		t.Fatal(err)
	}
	alerts, err := deploy.Alerts(alertRules)
	if err != nil {
		t.Fatal(err)
	}
	for _, alert := range alerts {
		if !slices.Contains(fired, alert.Name) {
			t.Errorf("%s did not fire", alert.Name)
		}
	}
	if err := w.prometheus.rulesAreWell(ctx); err != nil {
		t.Error(err)
	}
}
