package soak

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

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
