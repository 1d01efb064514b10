package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/live"
)

// streamWorld is a log of ann's, a hub, and one stream of it. The read model has
// the items and changes the test gives it. Time is the bubble's own.
type streamWorld struct {
	t       *testing.T
	store   memory.Store
	hub     *live.Hub
	metrics *prometheus.Registry
	drain   context.CancelFunc
	options httpapi.StreamOptions

	mu       sync.Mutex
	snapshot inbox.Snapshot
	away     error
}

func inStreamWorld(t *testing.T, test func(*streamWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		drained, drain := context.WithCancel(t.Context())
		w := &streamWorld{t: t, metrics: prometheus.NewRegistry(), drain: drain}
		w.options = httpapi.StreamOptions{
			Drain: drained, MaxAge: 24 * time.Hour,
			User: func(_ http.ResponseWriter, r *http.Request) (events.User, bool) {
				return events.User(r.URL.Query().Get("user")), true
			},
			Invalid: func(w http.ResponseWriter, _ *http.Request, field, message string) {
				http.Error(w, field+": "+message, http.StatusUnprocessableEntity)
			},
		}
		w.hub = &live.Hub{
			Source: &w.store, History: w.history, Metrics: live.NewMetrics(w.metrics),
			Start: func(context.Context) (events.Position, error) { return 0, nil },
		}
		ended := make(chan error)
		go func() { ended <- w.hub.Run(ctx) }()
		synctest.Wait()
		test(w)
		cancel()
		drain()
		if err := <-ended; err != nil {
			t.Errorf("the hub: %v", err)
		}
	})
}

func (w *streamWorld) history(_ context.Context, ask inbox.Ask) (inbox.Snapshot, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.snapshot
	s.Through, s.Entries = s.Position, nil
	for _, e := range w.snapshot.Entries {
		if ask.Resume && e.Position > ask.After || ask.Newest > 0 && e.Item != nil {
			s.Entries = append(s.Entries, e)
		}
	}
	if ask.Newest > 0 {
		s.Entries = s.Entries[max(0, len(s.Entries)-ask.Newest):]
	}
	return s, w.away
}

// published appends a notification for ann; projected ones are in the read model.
func (w *streamWorld) published(title string, projected bool) {
	w.t.Helper()
	id := uuid.UUID{15: byte(len(title))}
	p := events.Published{
		NotificationID: id, To: []events.Target{{User: "ann"}}, Severity: events.SeverityNormal, Content: events.Content{Title: title},
	}
	r := w.append(p)
	if item := inbox.NewItem(r, p, "ann"); projected {
		w.project(inbox.Entry{Position: r.Position, Item: &item})
	}
}

func (w *streamWorld) append(e events.Event) events.Recorded {
	w.t.Helper()
	proposed, err := events.Encode(e, "test", 0, events.Metadata{Attempt: uuid.New()})
	if err != nil {
		w.t.Fatal(err)
	}
	at, err := w.store.Append(w.t.Context(), "test", events.Any(), proposed)
	if err != nil {
		w.t.Fatal(err)
	}
	return events.Recorded{Position: at.Position, At: time.Now().UTC(), Event: e}
}

func (w *streamWorld) project(e inbox.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.snapshot.Position = e.Position
	w.snapshot.Entries = append(w.snapshot.Entries, e)
}

// streamWire is the client's end: what has been flushed to it.
type streamWire struct {
	header http.Header

	mu       sync.Mutex
	status   int
	text     string
	waiting  string // written, not yet flushed
	flushes  int
	stuck    bool          // the client does not read
	hold     chan struct{} // the client reads when it is closed
	deadline time.Time
	gone     context.CancelFunc
	end      context.CancelCauseFunc // gone, for a reason
	ended    chan struct{}
}

func (c *streamWire) Header() http.Header { return c.header }

func (c *streamWire) WriteHeader(status int) { c.status = status }

func (c *streamWire) Write(text []byte) (int, error) {
	c.mu.Lock()
	stuck, hold, wait := c.stuck, c.hold, time.Until(c.deadline)
	c.waiting += string(text)
	c.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if stuck {
		time.Sleep(wait)
		return 0, os.ErrDeadlineExceeded
	}
	return len(text), nil
}

func (c *streamWire) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text, c.waiting = c.text+c.waiting, ""
	c.flushes++
}

func (c *streamWire) SetWriteDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = at
	return nil
}

// open sends a request; the stream ends with the test at the latest.
func (w *streamWorld) open(query, lastEventID string) *streamWire {
	ctx, end := context.WithCancelCause(w.t.Context())
	cancel := func() { end(nil) }
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/?user=ann&"+query, http.NoBody)
	if lastEventID != "" {
		r.Header.Set("Last-Event-ID", lastEventID)
	}
	c := &streamWire{header: http.Header{}, gone: cancel, end: end, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		httpapi.Stream(w.hub, w.options)(c, r)
	}()
	w.t.Cleanup(func() { cancel(); <-c.ended })
	synctest.Wait()
	return c
}

var busyRetry = regexp.MustCompile(`(?m)(event: busy\n)retry: [5-9]\d{3}$`)

func (c *streamWire) read() string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	text := busyRetry.ReplaceAllString(c.text, "${1}retry: 5000 to 10000")
	c.text = ""
	select {
	case <-c.ended:
		return text + "(the end)\n"
	default:
		return text
	}
}

const streamLog = `event: message
id: 1
data: {"id":"00000000-0000-0000-0000-000000000003","position":"1","to":["user:ann"],"title":"one","severity":"normal","published_at":"2000-01-01T00:00:00Z"}

event: message
id: 2
data: {"id":"00000000-0000-0000-0000-000000000006","position":"2","to":["user:ann"],"title":"second","severity":"normal","published_at":"2000-01-01T00:00:00Z"}

event: state
id: 3
data: {"change":"read","through":"1"}

`

const streamFresh = `event: message
id: 4
data: {"id":"00000000-0000-0000-0000-000000000005","position":"4","to":["user:ann"],"title":"fresh","severity":"normal","published_at":"2000-01-01T00:00:00Z"}

event: retracted
id: 5
data: {"id":"00000000-0000-0000-0000-000000000005"}

`

func connected(at string) string {
	return "event: connected\nid: " + at + "\nretry: 2000\ndata: {\"user\":\"ann\",\"position\":\"" + at + "\",\"retry_ms\":2000}\n\n"
}

// streamEvent is the n-th event of a text.
func streamEvent(text string, n int) string { return strings.SplitAfter(text, "\n\n")[n] }

func TestStreamConversations(t *testing.T) {
	t.Parallel()
	reset := func(reason string) string {
		return connected("3") + "event: reset\nid: 3\ndata: {\"reason\":\"" + reason + "\"}\n\n" + streamFresh
	}
	cases := map[string]struct{ query, id, want string }{
		"live":                              {want: connected("3") + streamFresh},
		"an empty id is none":               {query: "last_event_id=", want: connected("3") + streamFresh},
		"earliest":                          {query: "last_event_id=earliest", want: connected("0") + streamLog + streamFresh},
		"earliest by header":                {id: "earliest", want: connected("0") + streamLog + streamFresh},
		"0 is the same":                     {id: "0", want: connected("0") + streamLog + streamFresh},
		"resume":                            {id: "2", want: connected("2") + streamEvent(streamLog, 2) + streamFresh},
		"the header wins over the query":    {query: "last_event_id=earliest", id: "3", want: connected("3") + streamFresh},
		"the newest, just before them":      {query: "history=1", want: connected("1") + streamEvent(streamLog, 1) + streamFresh},
		"the newest, more than there are":   {query: "history=100", want: connected("0") + streamEvent(streamLog, 0) + streamEvent(streamLog, 1) + streamFresh},
		"none of the newest":                {query: "history=0", want: connected("3") + streamFresh},
		"history is ignored on a resume":    {query: "history=2", id: "3", want: connected("3") + streamFresh},
		"even when it is wrong":             {query: "history=x", id: "3", want: connected("3") + streamFresh},
		"an id that is no position":         {id: "12a", want: reset("the id is not a position of the log")},
		"an id above the head":              {id: "4", want: reset("the id is above the head of the log")},
		"an id no log can issue":            {id: "9223372036854775807", want: reset("the id is not a position of the log")},
		"more history than is allowed":      {query: "history=1001", want: "history: must be a number from 0 to 1000\n(the end)\n"},
		"less than none":                    {query: "history=-1", want: "history: must be a number from 0 to 1000\n(the end)\n"},
		"history that is no number":         {query: "history=ten", want: "history: must be a number from 0 to 1000\n(the end)\n"},
		"history without saying how much":   {query: "history=", want: connected("3") + streamFresh},
		"a stream of somebody else's is so": {query: "user=bob", want: connected("3") + streamFresh}, // the first user counts
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inStreamWorld(t, func(w *streamWorld) {
				w.published("one", true)
				w.published("second", true)
				read := events.ItemsRead{Items: events.Items{User: "ann", Through: 1}}
				change := inbox.NewChange(read)
				w.project(inbox.Entry{Position: w.append(read).Position, Change: &change})
				synctest.Wait()
				client := w.open(c.query, c.id)
				w.published("fresh", false)
				w.append(events.Retracted{NotificationID: uuid.UUID{15: 5}, PublishedPosition: 4, To: []events.Target{{User: "ann"}}})
				synctest.Wait()
				client.mu.Lock()
				client.text += client.waiting // an answer that is no stream is not flushed
				client.mu.Unlock()
				if diff := cmp.Diff(c.want, client.read()); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				if strings.HasSuffix(c.want, "(the end)\n") {
					return
				}
				want := http.Header{
					"Content-Type": {"text/event-stream"}, "Cache-Control": {"no-store"}, "X-Accel-Buffering": {"no"},
				}
				if diff := cmp.Diff(want, client.header); diff != "" || client.status != http.StatusOK {
					t.Errorf("%d (-want +got)\n%s", client.status, diff)
				}
			})
		})
	}
}

func TestStreamHeartbeats(t *testing.T) {
	t.Parallel()
	inStreamWorld(t, func(w *streamWorld) {
		client := w.open("", "")
		streamIs(t, client, connected("0"))
		time.Sleep(14 * time.Second)
		w.published("one", false)
		streamIs(t, client, strings.ReplaceAll(streamEvent(streamLog, 0), "00:00:00Z", "00:00:14Z"))
		time.Sleep(14 * time.Second)
		streamIs(t, client, "")
		time.Sleep(2 * time.Second) // 15 s after the last word
		streamIs(t, client, "event: heartbeat\ndata: {\"timestamp\":\"2000-01-01T00:00:29Z\"}\n\n")
		time.Sleep(15 * time.Second)
		streamIs(t, client, "event: heartbeat\ndata: {\"timestamp\":\"2000-01-01T00:00:44Z\"}\n\n")
		client.gone()
		streamIs(t, client, "(the end)\n")
	})
}

const streamBusy = "event: busy\nretry: 5000 to 10000\ndata: {\"reason\":\"the stream is not available now\"}\n\n(the end)\n"

func TestStreamWithoutPostgres(t *testing.T) {
	t.Parallel()
	inStreamWorld(t, func(w *streamWorld) {
		attached := w.open("", "")
		w.mu.Lock()
		w.away = errors.New("postgres is away")
		w.mu.Unlock()
		streamIs(t, w.open("", ""), streamBusy)
		streamIs(t, w.open("", "earliest"), streamBusy)
		w.published("one", false)
		streamIs(t, attached, connected("0")+streamEvent(streamLog, 0))
	})
}

func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		age time.Duration // about; a twentieth more or less
		end func(*streamWorld)
	}{
		"drained, with what waits for them written": {end: func(w *streamWorld) { w.drain() }},
		"when they are old":                         {age: 24 * time.Hour, end: func(*streamWorld) { time.Sleep(24*time.Hour + 24*time.Hour/20) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inStreamWorld(t, func(w *streamWorld) {
				w.options.Heartbeat = 48 * time.Hour
				client := w.open("", "")
				streamIs(t, client, connected("0"))
				hold := make(chan struct{})
				client.mu.Lock()
				client.hold = hold
				client.mu.Unlock()
				w.published("one", false)
				synctest.Wait() // now it is being written
				w.published("second", false)
				synctest.Wait() // now the hub has it, and it waits for the reader
				begun := time.Now()
				c.end(w)
				close(hold)
				<-client.ended
				if took := time.Since(begun); took > c.age+c.age/20 {
					t.Errorf("it ended after %s", took)
				}
				streamIs(t, client, streamEvent(streamLog, 0)+streamEvent(streamLog, 1)+"(the end)\n")
			})
		})
	}
}

func TestStreamToAReaderThatDoesNotRead(t *testing.T) {
	t.Parallel()
	inStreamWorld(t, func(w *streamWorld) {
		client, other := w.open("", ""), w.open("", "")
		client.mu.Lock()
		client.stuck = true
		client.mu.Unlock()
		begun := time.Now()
		for range 100 {
			w.published("one", false)
		}
		<-client.ended
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("it was closed after %s", took)
		}
		other.mu.Lock()
		defer other.mu.Unlock()
		if n := strings.Count(other.text, "event: message"); n != 100 {
			t.Errorf("the other reader was told %d", n)
		}
	})
}

func TestStreamJoinsWhatWaitsIntoOneWrite(t *testing.T) {
	t.Parallel()
	inStreamWorld(t, func(w *streamWorld) {
		for range 50 {
			w.published("one", true)
		}
		synctest.Wait()
		client := w.open("", "earliest")
		client.mu.Lock()
		defer client.mu.Unlock()
		if n := strings.Count(client.text, "event: message"); n != 50 || client.flushes != 3 {
			t.Errorf("%d messages in %d writes, want 50 in 3: headers, connected, messages", n, client.flushes)
		}
	})
}

func TestStreamMetrics(t *testing.T) {
	t.Parallel()
	inStreamWorld(t, func(w *streamWorld) {
		w.published("one", true)
		synctest.Wait()
		w.open("", "earliest")
		w.published("second", false)
		w.append(events.ItemsRead{Items: events.Items{User: "ann", Through: 2}})
		synctest.Wait()
		families, err := w.metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, l := range m.GetLabel() {
					name += " " + l.GetValue()
				}
				got[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
		want := map[string]float64{
			"tidings_live_append_to_stream_seconds": 2, // what was caught up with is not counted
			"tidings_live_connections":              1, "tidings_live_deliveries_total message": 2,
			"tidings_live_deliveries_total retracted": 0, "tidings_live_deliveries_total state": 1,
			"tidings_live_halted": 0, "tidings_live_overflows_total": 0, "tidings_live_position": 3, "tidings_live_waiting_frames": 0,
		}
		for _, reason := range []string{"access", "age", "drained", "gone", "too_slow", "unavailable"} {
			want["tidings_live_dropped_total "+reason] = 0
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func streamIs(t *testing.T, c *streamWire, want string) {
	t.Helper()
	if diff := cmp.Diff(want, c.read()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
