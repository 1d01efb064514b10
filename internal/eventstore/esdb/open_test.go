package esdb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
)

func TestConnectionStrings(t *testing.T) {
	t.Parallel()
	for url, good := range map[string]bool{
		"esdb://127.0.0.1:1?tls=false":               true,
		"kurrentdb://127.0.0.1:1?tls=false":          true,
		"esdb+discover://127.0.0.1:1?tls=false":      true,
		"kurrentdb+discover://127.0.0.1:1?tls=false": true,
		"esdb://a:secret@127.0.0.1:1,127.0.0.1:2":    true,
		"":                                 false,
		"127.0.0.1:2113":                   false,
		"http://a:secret@127.0.0.1:2113":   false,
		"esdb://a:secret@:2113:x":          false,
		"esdb://a:secret@127.0.0.1:port":   false,
		"esdb://a:secret@127.0.0.1/path":   false,
		"esdb://a:secret%zz@127.0.0.1":     false,
		"esdb://a:secret@h?tls=perhaps":    false,
		"esdb://a:secret@h?userCertFile=x": false,
	} {
		store, err := esdb.Open(url, esdb.Options{})
		if err == nil {
			store.Close()
		}
		if (err == nil) != good {
			t.Errorf("%s: got %v, want good: %t", url, err, good)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", url, err)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	registry := prometheus.NewPedanticRegistry()
	proxy := startProxy(t, server.address)
	proxy.set(refuse)
	store := open(t, proxy.url(), esdb.Options{Registerer: registry})
	value := func(name string) float64 { return metric(t, registry, name) }
	want := func(when string, connected, reconnects, appends float64) {
		t.Helper()
		if got := value("tidings_store_connected"); got != connected {
			t.Errorf("%s: connected is %v, want %v", when, got, connected)
		}
		if got := value("tidings_store_reconnects_total"); got != reconnects {
			t.Errorf("%s: reconnects are %v, want %v", when, got, reconnects)
		}
		if got := value("tidings_append_duration_seconds"); got != appends {
			t.Errorf("%s: appends are %v, want %v", when, got, appends)
		}
	}
	want("before the first connection", 0, 0, 0)
	proxy.set(pass)
	if _, err := again(t.Context(), store, "s-1", events.NoStream(), []events.Proposed{proposed(1)}); err != nil {
		t.Fatal(err)
	}
	if got := value("tidings_store_connected"); got != 1 {
		t.Errorf("connected: got %v, want 1", got)
	}
	before := value("tidings_append_duration_seconds")
	proxy.set(refuse)
	proxy.cut()
	if _, err := store.Head(t.Context()); err == nil {
		t.Fatal("read the head of a store that is away")
	}
	want("away", 0, 0, before)
	proxy.set(pass)
	for _, err := store.Head(t.Context()); err != nil; _, err = store.Head(t.Context()) {
	}
	want("back", 1, 1, before)

	if _, err := esdb.Open(proxy.url(), esdb.Options{Registerer: registry}); err == nil {
		t.Error("a second store put its metrics into the same registry")
	}
}

// TestAnIdleStoreIsWatched has no calls that could notice that the store fell
// silent.
func TestAnIdleStoreIsWatched(t *testing.T) {
	t.Parallel()
	proxy := startProxy(t, startServer(t).address)
	registry := prometheus.NewPedanticRegistry()
	store := open(t, proxy.url(), esdb.Options{Registerer: registry})
	if _, err := store.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	proxy.strand()
	deadline, tick := time.After(15*time.Second), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for metric(t, registry, "tidings_store_reconnects_total") == 0 {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("nobody noticed that the store is silent")
		}
	}
}

// metric is a metric's value; of a histogram, the number of observations.
func metric(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
