package httpapi

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A request that is refused before its body is read is not waited for as long as one
// that is served.
func TestWhatIsRefusedIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/v1/nothing", "/livez", "/closed"} {
		a, _ := alone(t)
		router := a.router([]route{
			{method: http.MethodGet, pattern: "/livez", needs: needs{anybody: true}},
			{method: http.MethodPost, pattern: "/closed", serve: func(http.ResponseWriter, *http.Request) error { return errors.New("it was served") }},
		})
		edge := edgeOf(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
			if path == "/closed" { // as one that admit refuses
				hurry(w, r)
				a.fail(w, r, unauthenticated("who?"))
				return
			}
			router.ServeHTTP(w, r)
		})
		synctest.Test(t, func(t *testing.T) {
			network := newPipes()
			server := &http.Server{Handler: edge, ReadHeaderTimeout: readHeaderTimeout, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
			ended := make(chan error, 1)
			go func() { ended <- server.Serve(network) }()
			defer func() {
				_ = server.Close()
				<-ended
			}()
			conn, _ := network.Dial(t.Context(), "", "")
			defer conn.Close()
			if _, err := io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\nx"); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > discardTimeout || answer.StatusCode/100 != 4 {
				t.Errorf("%s: got %s after %s, want it within %s", path, answer.Status, took, discardTimeout)
			}
		})
	}
}

func TestRefusalsAreLoggedNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		f := refusals{logger: slog.New(slog.NewTextHandler(&log, nil))}
		r := locate(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?access_token=secret", nil), nil)
		for range 1000 {
			f.happened(r, "no")
		}
		time.Sleep(refusalsEvery)
		f.happened(r, "no")
		got := log.String()
		if strings.Count(got, "\n") != 2 || !strings.Contains(got, "requests=1000") || !strings.Contains(got, "last_from=192.0.2.1") || strings.Contains(got, "secret") {
			t.Errorf("the log has:\n%s", got)
		}
	})
}

// counting is a gatherer that takes its time.
type counting struct{ n atomic.Int64 }

func (c *counting) Gather() ([]*dto.MetricFamily, error) {
	c.n.Add(1)
	time.Sleep(time.Millisecond)
	return nil, nil
}

func TestMetricsAreGatheredForAllWhoAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c counting
		p := newPaced(&c)
		began := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				for range 10 {
					before := c.n.Load()
					if _, err := p.Gather(); err != nil || c.n.Load() == before {
						t.Errorf("answered from before it was asked: %v", err)
					}
				}
			})
		}
		wg.Wait()
		if most := int64(time.Since(began)/gatherEvery) + 1; c.n.Load() > most {
			t.Errorf("gathered %d times in %s, want at most %d", c.n.Load(), time.Since(began), most)
		}
	})
}

var _ prometheus.Gatherer = (*counting)(nil)

func TestMetricsElsewhere(t *testing.T) {
	t.Parallel()
	health, err := Health(prometheus.NewRegistry(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		handler http.Handler
		want    int
	}{"the API": {whole(t, Config{MetricsElsewhere: true}), 404}, "the API by itself": {whole(t, Config{}), 200}, "the monitor": {health, 200}} {
		if got := call(test.handler, http.MethodGet, "/metrics").StatusCode; got != test.want {
			t.Errorf("%s: got %d, want %d", what, got, test.want)
		}
	}
}
