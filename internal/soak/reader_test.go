package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// streams serves one user's stream: items at positions 10, 20, …, cut at random and resumed by Last-Event-ID. Its func
// fields plant faults.
type streams struct {
	items int

	greet  func(from int) string                // what connected says its id is
	resume func(from int) int                   // where a connection really goes on
	send   func(to http.ResponseWriter, at int) // one item
	status func(connection int) int             // what the server answers instead, 0 for a stream

	mu          sync.Mutex
	random      *rand.Rand
	connections int
}

func (s *streams) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.connections++
	connection, cut, middle := s.connections, s.random.IntN(6), s.random.IntN(2) == 0
	s.mu.Unlock()
	if s.status != nil {
		if status := s.status(connection); status != 0 {
			to.WriteHeader(status)
			return
		}
	}
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		id = r.URL.Query().Get("last_event_id")
	}
	from, _ := strconv.Atoi(id)
	to.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(to, "event: connected\nid: %s\ndata: {}\n\n", s.greeting(from))
	if s.resume != nil && id != "" {
		from = s.resume(from)
	}
	for at := from/10*10 + 10; at <= 10*s.items; at += 10 {
		if cut--; cut < 0 {
			if middle {
				fmt.Fprintf(to, "event: message\nid: %d\n", at)
			}
			_ = http.NewResponseController(to).Flush() // what was sent must arrive before the cut
			panic(http.ErrAbortHandler)
		}
		if s.send != nil {
			s.send(to, at)
		} else {
			sendItem(to, at, at, "n"+strconv.Itoa(at))
		}
	}
	fmt.Fprintf(to, "event: heartbeat\ndata: {}\n\n")
	_ = http.NewResponseController(to).Flush() // the test waits for it
	<-r.Context().Done()
}

func (s *streams) greeting(from int) string {
	if s.greet != nil {
		return s.greet(from)
	}
	return strconv.Itoa(from)
}

func sendItem(to http.ResponseWriter, id, position int, notification string) {
	fmt.Fprintf(to, "event: message\nid: %d\ndata: {\"id\":%q,\"position\":\"%d\"}\n\n", id, notification, position)
}

func TestReaderTellsWhatAStreamDoesWrong(t *testing.T) {
	t.Parallel()
	const items = 30
	for sentence, c := range map[string]struct {
		plant func(s *streams)
		want  string // a part of what is wrong; "" when nothing is
	}{
		"nothing on a stream that is cut and resumed": {func(*streams) {}, ""},
		"nothing when the server is away for a while": {func(s *streams) {
			s.status = func(connection int) int { return map[int]int{2: 503, 3: 502, 4: 429}[connection] }
		}, ""},
		"an item that comes again after a cut":   {func(s *streams) { s.resume = func(from int) int { return from - 10 } }, "2 times, want once"},
		"an item that is lost at a cut":          {func(s *streams) { s.resume = func(from int) int { return min(from+10, 10*items-10) } }, "0 times, want once"},
		"an item that comes again on one stream": {func(s *streams) { s.send = sendTwice }, "want rising positions"},
		"positions that fall":                    {func(s *streams) { s.send = sendFalling }, "want rising positions"},
		"an item of nobody": {func(s *streams) {
			s.send = func(to http.ResponseWriter, at int) {
				sendItem(to, at, at, "n"+strconv.Itoa(at))
				sendItem(to, at+1, at+1, "stranger"+strconv.Itoa(at))
			}
		}, "want it never"},
		"an id that is not the item's position": {func(s *streams) {
			s.send = func(to http.ResponseWriter, at int) { sendItem(to, at, at+1, "n"+strconv.Itoa(at)) }
		}, "want its position"},
		"a cursor that is not the one given": {func(s *streams) { s.greet = func(from int) string { return strconv.Itoa(from + 1) } }, "want the id given"},
		"a stream that starts over": {func(s *streams) {
			s.send = func(to http.ResponseWriter, at int) {
				fmt.Fprintf(to, "event: reset\nid: %d\ndata: {}\n\n", at-1)
				sendItem(to, at, at, "n"+strconv.Itoa(at))
			}
		}, "want every id to resume"},
		"an event that does not exist": {func(s *streams) {
			s.send = func(to http.ResponseWriter, at int) {
				fmt.Fprint(to, "event: surprise\ndata: {}\n\n")
				sendItem(to, at, at, "n"+strconv.Itoa(at))
			}
		}, "which the API does not have"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			s := &streams{items: items, random: rand.New(rand.NewPCG(seed, 0))}
			c.plant(s)
			wrong := strings.Join(readAll(t, s, items), "\n")
			if (c.want == "") != (wrong == "") || !strings.Contains(wrong, c.want) {
				t.Errorf("seed %d: got wrong %q, want it to say %q", seed, wrong, c.want)
			}
		})
	}
}

func TestReaderStopsWhenItIsRefusedForGood(t *testing.T) {
	t.Parallel()
	s := &streams{random: rand.New(rand.NewPCG(1, 0)), status: func(int) int { return http.StatusBadRequest }}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	err := (&Reader{URL: server.URL, User: "u"}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "stream of u: the server answered 400") {
		t.Errorf("got error %v, want one that names the status", err)
	}
}

// readAll reads until the last item has come and returns what was wrong.
func readAll(t *testing.T, s *streams, items int) []string {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r := &Reader{URL: server.URL, User: "u", From: "0", Pause: func() time.Duration { return time.Millisecond }}
	done := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() { done <- r.Run(running) }()
	if err := r.Connected(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.Received(ctx, "n"+strconv.Itoa(10*items)); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range items {
		want = append(want, "n"+strconv.Itoa(10*(i+1)))
	}
	return r.Wrong(want)
}

func sendTwice(to http.ResponseWriter, at int) {
	for range 2 {
		sendItem(to, at, at, "n"+strconv.Itoa(at))
	}
}

// sendFalling sends pairs in the wrong order.
func sendFalling(to http.ResponseWriter, at int) {
	sendItem(to, at, at, "n"+strconv.Itoa(at))
	sendItem(to, at-5, at-5, "late"+strconv.Itoa(at))
}
