package soak

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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

// slowly makes what is far slow, pauses the projection, lets the certificate come near its end, takes the issuer away,
// and has somebody guess and others not listen. The last three go on while the next round begins.
func (w *watched) slowly(ctx context.Context, t *testing.T) {
	t.Helper()
	began := time.Now()
	w.keys.Close()
	w.issueCertificate(t, "10")
	stop := w.guess(ctx, t)
	w.deafReaders(ctx, t)
	w.operate(t, "pause")
	w.farStore.spoil(t, `{"type":"latency","name":"slow","stream":"downstream","attributes":{"latency":1500}}`)
	w.farDatabase.spoil(t, `{"type":"latency","name":"slow","stream":"downstream","attributes":{"latency":300}}`)
	calm := w.crowd(ctx)
	w.fires(ctx, t, began, "TidingsProjectionPaused", "TidingsCertificateExpires", "TidingsAppendsSlow", "TidingsStreamSlow", "TidingsPoolExhausted")
	for _, job := range []string{"api", "node"} {
		eventually(ctx, t, alertDeadline, "guesses at the "+job+" fire", func() error {
			fired, err := w.prometheus.firedSince(ctx, began, `alertname="TidingsCredentialsGuessed",job="`+job+`"`)
			if err == nil && len(fired) == 0 {
				err = errors.New("they have not")
			}
			return err
		})
	}
	stop()
	calm()
	w.farStore.unspoil(ctx, t, "slow")
	w.farDatabase.unspoil(ctx, t, "slow")
	w.operate(t, "resume")
	w.fires(ctx, t, began, "TidingsInboxSlow", "TidingsReadersDropped")
	w.calm(ctx, t, "TidingsHubBehind") // the slow hub was, too, by the seconds that these rules take for a minute
}

// guess shows wrong tokens to the API, and wrong passwords to the node, until stopped.
func (w *watched) guess(ctx context.Context, t *testing.T) (stop func()) {
	t.Helper()
	config, err := esdb.ParseConnectionString(w.storeURL(w.nodeListen, "wrong"))
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var guesses sync.WaitGroup
	again := func(guess func()) {
		guesses.Go(func() {
			for every := time.NewTicker(50 * time.Millisecond); ctx.Err() == nil; <-every.C {
				guess()
			}
		})
	}
	again(func() {
		_, _ = send(ctx, http.MethodGet, w.near+"/v1/users/ann/inbox", "", "Authorization", "Bearer "+w.token[:len(w.token)-8]+uuid.NewString()[:8])
	})
	again(func() {
		read, err := client.ReadStream(ctx, "store", esdb.ReadStreamOptions{}, 1)
		if err == nil {
			_, _ = read.Recv()
			read.Close()
		}
	})
	stop = sync.OnceFunc(func() { cancel(); guesses.Wait(); _ = client.Close() })
	t.Cleanup(stop)
	return stop
}

// deafReaders are more than a few, and are told more than their connections hold.
func (w *watched) deafReaders(ctx context.Context, t *testing.T) {
	t.Helper()
	for range 8 {
		w.deaf(ctx, t, "deaf")
	}
	large := `{"to":["user:deaf"],"title":"large","data":{"x":"` + strings.Repeat("x", 60<<10) + `"}}`
	for range 12 { // 12 MiB: a connection holds four, and the hub a megabyte
		w.mustSend(ctx, t, http.MethodPost, w.near+"/v1/notifications/batch", `{"notifications":[`+strings.Repeat(large+",", 15)+large+`]}`)
	}
}

// crowd asks the API that is far for more at once than it has connections for, until it is calmed.
func (w *watched) crowd(ctx context.Context) (calm func()) {
	ctx, stop := context.WithCancel(ctx)
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for ctx.Err() == nil {
				_, _ = w.send(ctx, http.MethodGet, w.far+"/v1/users/bob/inbox/counts", "")
			}
		})
	}
	return func() { stop(); asking.Wait() }
}

// cutOff takes Postgres and the event store away from the API that is far, each in its way, and an item out of an inbox
// behind the projector's back, which a rebuild then shows.
func (w *watched) cutOff(ctx context.Context, t *testing.T) {
	t.Helper()
	began := time.Now()
	w.farDatabase.cut(ctx, t)
	w.farStore.silence(ctx, t)
	calm := w.crowd(ctx)
	w.corrupt(ctx, t)
	w.fires(ctx, t, began, "TidingsTablesDiffer", "TidingsPostgresAway", "TidingsLimitsNotShared", "TidingsServerErrors", "TidingsHubBehind")
	calm()
	w.farDatabase.mend(ctx, t)
	w.farStore.hear(ctx, t)
	w.operate(t, "rebuild", "--switch", "manual")
	w.fires(ctx, t, began, "TidingsVersionsDiffer")
}

// corrupt deletes an item from an inbox.
func (w *watched) corrupt(ctx context.Context, t *testing.T) {
	t.Helper()
	conn, err := pgx.Connect(ctx, w.database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	const taken = `delete from inbox where (user_id, position) = (select user_id, position from inbox join users using (user_id) where name = 'ann' limit 1)`
	if tag, err := conn.Exec(ctx, taken); err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("take an item out: %d rows, %v", tag.RowsAffected(), err)
	}
}

// poisoned appends an event that nobody can read, with the official client, and has it skipped once all have seen it.
func (w *watched) poisoned(ctx context.Context, t *testing.T) {
	t.Helper()
	began := time.Now()
	config, err := esdb.ParseConnectionString(w.store)
	if err != nil {
		t.Fatal(err)
	}
	config.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	id := uuid.New()
	written, err := client.AppendToStream(ctx, "notification-"+id.String(), esdb.AppendToStreamOptions{},
		esdb.EventData{EventID: id, EventType: "Published", ContentType: esdb.ContentTypeJson, Data: []byte(`{"to":7}`)})
	if err != nil {
		t.Fatal(err)
	}
	w.fires(ctx, t, began, "TidingsProjectionHalted", "TidingsHubHalted", "TidingsProjectionBehind", "TidingsRebuildStuck", "TidingsKeySetOld")
	w.operate(t, "skip", "--position", fmt.Sprint(written.CommitPosition))
}

// nodeGoes kills the node, and starts it again with a disk that has less free than must stay free.
func (w *watched) nodeGoes(ctx context.Context, t *testing.T) {
	t.Helper()
	began := time.Now()
	w.node.kill()
	w.fires(ctx, t, began, "TidingsInstanceDown", "TidingsStoreAway")
	w.startNode(t, "--min-free-mib", "1000000000") // a petabyte
	w.fires(ctx, t, began, "TidingsNodeRefusesAppends", "TidingsDiskFillsUp")
}

// projectorGoes kills the projector, and starts one that never compares its tables with the log.
func (w *watched) projectorGoes(ctx context.Context, t *testing.T) {
	t.Helper()
	began := time.Now()
	w.projector.kill()
	w.fires(ctx, t, began, "TidingsNobodyProjects")
	w.startProjector(t, "0")
	w.fires(ctx, t, began, "TidingsSelfCheckOverdue")
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
	broken, err := w.prometheus.query(ctx, "prometheus_rule_evaluation_failures_total > 0")
	if err != nil || len(broken) > 0 {
		t.Errorf("rules could not be evaluated: %v, %v", broken, err)
	}
}
