package soak

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tidings-io/tidings/deploy"
)

// alarm is an alert that must fire, and of which process; "": of none alone.
type alarm struct{ alert, instance string }

// alarmed is a wire, and what must be told of it when it is broken.
type alarmed struct {
	*wire

	alarms []alarm
}

// alarmLimit is how long it may take to be told, by rules that wait for a second: a process that hears nothing may
// notice after seven.
const alarmLimit = slack * 12 * time.Second

// watchFor starts a Prometheus that scrapes an API and a projector; nil where there is none and none is needed.
func watchFor(t *testing.T, api, projector string) *prometheus {
	t.Helper()
	if _, err := deploy.Program(os.Getenv("TIDINGS_PROMETHEUS_BIN"), "prometheus"); err != nil && os.Getenv("CI") != "true" {
		t.Logf("no alert is looked at: %v", err)
		return nil
	}
	return startPrometheus(t, map[string][]string{
		"api":       {strings.TrimPrefix(api, "http://")},
		"projector": {strings.TrimPrefix(projector, "http://")},
	}, hastyRules(t))
}

// alarm waits until all that must be told of a wire is, and says after how long.
func (s *faulty) alarm(ctx context.Context, t *testing.T, w *alarmed, began time.Time) string {
	t.Helper()
	if s.watch == nil {
		return "–"
	}
	var told []string
	for _, a := range w.alarms {
		eventually(ctx, t, alarmLimit, a.alert+" fires", func() error { return s.watch.tells(ctx, a, true) })
		told = append(told, fmt.Sprintf("%s %.1f s", strings.TrimPrefix(a.alert, "Tidings"), time.Since(began).Seconds()))
	}
	return strings.Join(told, ", ")
}

// silent waits until none of it is told any more.
func (s *faulty) silent(ctx context.Context, t *testing.T, w *alarmed) {
	t.Helper()
	if s.watch == nil {
		return
	}
	for _, a := range w.alarms {
		eventually(ctx, t, alarmLimit, a.alert+" ends", func() error { return s.watch.tells(ctx, a, false) })
	}
}

// tells is nil if an alert fires, or if it does not.
func (p *prometheus) tells(ctx context.Context, a alarm, wanted bool) error {
	of := ""
	if a.instance != "" {
		of = `,instance="` + a.instance + `"`
	}
	found, err := p.query(ctx, `ALERTS{alertstate="firing",alertname="`+a.alert+`"`+of+`}`)
	if err == nil && (len(found) > 0) != wanted {
		err = fmt.Errorf("%s of %q fires: %t, want %t", a.alert, a.instance, !wanted, wanted)
	}
	return err
}
