package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/workload"
)

// cuts is a transport that ends answers at random bytes.
type cuts struct {
	mu     sync.Mutex
	random *rand.Rand
	most   int // bytes of an answer
	times  int // answers that are cut; then no more
}

func (c *cuts) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.times--; err != nil || c.times < 0 {
		return response, err
	}
	response.Body = &cutBody{ReadCloser: response.Body, left: c.random.IntN(c.most)}
	return response, nil
}

type cutBody struct {
	io.ReadCloser

	left int
}

func (b *cutBody) Read(into []byte) (int, error) {
	if b.left == 0 {
		return 0, errCut
	}
	n, err := b.ReadCloser.Read(into[:min(len(into), b.left)])
	b.left -= n
	return n, err
}

// TestFollowingMissesNothingAndRepeatsNothing: wherever its streams are cut, while the log grows.
func TestFollowingMissesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 0))
			on := newInstance(t, random)
			h := history{t: t, random: random, on: on}
			h.run(60)
			server := httptest.NewServer(on.handler)
			t.Cleanup(server.Close)
			client := &http.Client{Transport: &cuts{random: rand.New(rand.NewPCG(seed, 1)), most: 4 << 10, times: 10}}
			log := &Log{Server: &workload.Server{URL: server.URL, Client: client}}
			if random.IntN(2) == 0 {
				log.Pick.Category = "notification"
			}
			var got []uint64
			came := make(chan struct{}, 1)
			following := make(chan error, 1)
			go func() {
				following <- followToTheLast(t.Context(), log, func(position uint64) {
					got = append(got, position)
					select {
					case came <- struct{}{}:
					default:
					}
				})
			}()
			for range 60 { // as events come, or without any that the pick means
				h.run(1)
				select {
				case <-came:
				case <-time.After(5 * time.Millisecond):
				}
			}
			on.ask(t, http.MethodPost, "/v1/notifications", map[string]any{"to": []string{"user:ann"}, "title": theLast})
			if err := <-following; err != nil {
				t.Fatal(err)
			}
			var want []uint64
			for stored, err := range on.store.ReadAll(t.Context(), 0, events.Filter{Category: log.Pick.Category}) {
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, uint64(stored.Position))
			}
			if !slices.Equal(got, want) {
				t.Errorf("got positions %v, want %v", got, want)
			}
		})
	}
}

const theLast = "the last of all"

// followToTheLast tells of each event, up to the last.
func followToTheLast(ctx context.Context, log *Log, tell func(position uint64)) error {
	for e, err := range log.Follow(ctx, "0") {
		if err != nil {
			return err
		}
		tell(e.Position)
		if strings.Contains(string(e.Text), theLast) {
			return nil
		}
	}
	return errors.New("it ended before the last event")
}

// script answers each request with the next of some streams, and remembers what was asked.
type script struct {
	streams []string
	asked   []string
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, r.Header.Get("Last-Event-ID")+" "+r.URL.RawQuery)
	stream := s.streams[0]
	s.streams = s.streams[1:]
	response := answered(r, http.StatusOK, stream)
	return response, nil
}

const (
	connected = "event: connected\nid: 7\ndata: {\"position\":\"7\"}\n\n"
	nine      = "event: event\nid: 9\ndata: {\"id\":\"018f2f6e-9a3b-7c4d-8e5f-60718293a4b5\",\"stream\":\"store\",\"position\":\"9\",\"type\":\"X\"}\n\n"
	end       = "event: end\nid: 9\ndata: {\"reason\":\"to has passed\"}\n\n"
)

// TestWhatAFollowerMakesOfAStream of the words of the API.
func TestWhatAFollowerMakesOfAStream(t *testing.T) {
	t.Parallel()
	pick := Pick{Type: "X", From: time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC)}
	const query = "from=2026-05-03T00%3A00%3A00Z&type=X"
	for rule, c := range map[string]struct {
		pick    *Pick // nil: the one above
		after   string
		streams []string
		asked   []string
		fails   string
		broken  string
	}{
		"it goes on after what it was told last": {
			streams: []string{connected + nine, connected + end}, asked: []string{" " + query, "9 " + query}, broken: "ended the stream",
		},
		"with neither a position nor a time it begins with what comes next": {
			pick: &Pick{}, streams: []string{connected + nine, connected + end}, asked: []string{" after=latest", "9 "}, broken: "ended the stream",
		},
		"a heartbeat tells how far the search came": {
			after: "3", streams: []string{connected + "event: heartbeat\nid: 8\ndata: {}\n\n", nine + end}, asked: []string{"3 " + query, "8 " + query},
			broken: "ended the stream",
		},
		"an event that is cut is not one": {
			streams: []string{connected + nine[:len(nine)-2], nine + end}, asked: []string{" " + query, "7 " + query}, broken: "unexpected EOF",
		},
		"who is busy is asked again": {
			streams: []string{"retry: 50\nevent: busy\ndata: {\"reason\":\"full\"}\n\n", connected + nine + end}, asked: []string{" " + query, " " + query},
			broken: "the server is busy: full",
		},
		"a log that does not know the position is another one": {
			after: "99", streams: []string{connected + "event: reset\nid: 7\ndata: {\"reason\":\"above the head\"}\n\n"}, asked: []string{"99 " + query},
			fails: "above the head: is this another log?",
		},
		"what comes twice is not passed on": {
			streams: []string{connected + nine + nine}, asked: []string{" " + query}, fails: "position 9 came after 9",
		},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			s := &script{streams: c.streams}
			var broken []string
			log := &Log{
				Server: &workload.Server{URL: "http://script", Client: &http.Client{Transport: s}}, Pick: *cmp.Or(c.pick, &pick),
				Broken: func(why error) { broken = append(broken, why.Error()) },
			}
			var failed error
			got := 0
			for _, err := range log.Follow(t.Context(), c.after) {
				if err != nil {
					failed = err
					break
				}
				got++
			}
			if c.fails == "" && (failed != nil || got != 1) {
				t.Errorf("got %d events and %v, want one", got, failed)
			}
			if c.fails != "" && (failed == nil || !strings.Contains(failed.Error(), c.fails)) {
				t.Errorf("got %v, want it to say %q", failed, c.fails)
			}
			if !slices.Equal(s.asked, c.asked) {
				t.Errorf("got requests %q, want %q", s.asked, c.asked)
			}
			if said := strings.Join(broken, "\n"); !strings.Contains(said, c.broken) || (c.broken == "") != (said == "") {
				t.Errorf("got told %q, want %q", said, c.broken)
			}
		})
	}
}

// TestAFollowerEndsWhenItIsToldTo, in the middle of silence.
func TestAFollowerEndsWhenItIsToldTo(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newInstance(t, rand.New(rand.NewPCG(1, 1))).handler)
	t.Cleanup(server.Close)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log := &Log{Server: &workload.Server{URL: server.URL}}
	for e, err := range log.Follow(ctx, "0") {
		if ctx.Err() == nil && (err != nil || e.Type != storeNamed) {
			t.Fatalf("got %s and %v, want the first event", e.Type, err)
		}
		if ctx.Err() != nil && err == nil {
			t.Errorf("got %s after the end", e.Type)
		}
		stop()
	}
}
