package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/live"
)

// BenchmarkStreamFanOut tells 1,000 readers on one topic as fast as they can be
// told, on real connections, beside the floor: a server that writes one shared
// frame per message from a goroutine per reader. An operation is one message to
// all of them.
func BenchmarkStreamFanOut(b *testing.B) {
	b.Run("hub", func(b *testing.B) {
		store := &memory.Store{}
		hub := &live.Hub{
			Source: store,
			History: func(_ context.Context, _ inbox.Ask) (inbox.Snapshot, error) {
				return inbox.Snapshot{Periods: []inbox.Period{{Topic: "a"}}}, nil
			},
			Start: func(context.Context) (events.Position, error) { return 0, nil },
		}
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan error)
		go func() { ended <- hub.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		for hub.Ready() != nil {
			runtime.Gosched() // it begins at once
		}
		stream := httpapi.Stream(hub, httpapi.StreamOptions{
			User: func(_ http.ResponseWriter, r *http.Request) (events.User, bool) {
				return events.User(r.URL.Path[1:]), true
			},
		})
		fanOut(b, stream, func(n int) {
			proposed, err := events.Encode(events.Published{
				NotificationID: uuid.New(), To: []events.Target{{Topic: "a"}},
				Content: events.Content{Title: "~" + strings.Repeat("x", 80)},
			}, "s", n, events.Metadata{Attempt: uuid.New()})
			if err == nil {
				_, err = store.Append(ctx, "s", events.Any(), proposed)
			}
			if err != nil {
				b.Error(err)
			}
		})
	})
	b.Run("floor", func(b *testing.B) {
		var mu sync.Mutex
		var readers []chan []byte
		handler := func(w http.ResponseWriter, r *http.Request) {
			frames := make(chan []byte, 1024)
			mu.Lock()
			readers = append(readers, frames)
			mu.Unlock()
			control := http.NewResponseController(w)
			_, _ = io.WriteString(w, "event: connected\n\n")
			_ = control.Flush()
			for {
				select {
				case frame := <-frames:
					if _, err := w.Write(frame); err != nil {
						return
					}
					_ = control.Flush()
				case <-r.Context().Done():
					return
				}
			}
		}
		frame := []byte("event: message\nid: 123456\ndata: ~" + strings.Repeat("x", 250) + "\n\n")
		fanOut(b, handler, func(int) {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range readers {
				r <- frame
			}
		})
	})
}

func fanOut(b *testing.B, stream http.HandlerFunc, publish func(n int)) {
	b.Helper()
	const readers = 1000
	const ahead = 128 // messages published before the readers have all been told
	server := httptest.NewServer(stream)
	defer server.Close()
	var told atomic.Int64
	progress := make(chan struct{}, 1)
	wait := func(messages int) {
		for told.Load() < int64(messages)*readers {
			<-progress
		}
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	connections := make([]net.Conn, readers)
	for i := range connections {
		c, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		connections[i] = c
		if _, err := fmt.Fprintf(c, "GET /u%d HTTP/1.1\r\nHost: x\r\n\r\n", i); err != nil {
			b.Fatal(err)
		}
		begun := make(chan struct{})
		reading.Go(func() { count(c, &told, progress, begun) })
		<-begun
	}
	b.ResetTimer()
	for n := range b.N {
		publish(n)
		wait(n - ahead)
	}
	wait(b.N)
	b.ReportMetric(float64(b.N)*readers/b.Elapsed().Seconds(), "deliveries/s")
	b.StopTimer()
	for _, c := range connections {
		_ = c.Close()
	}
}

// count adds up the messages a connection brings: each has one ~.
func count(from io.Reader, told *atomic.Int64, progress chan<- struct{}, begun chan<- struct{}) {
	buffer := make([]byte, 32<<10)
	greeted := false
	for {
		n, err := from.Read(buffer)
		if !greeted && bytes.Contains(buffer[:n], []byte("event: connected")) {
			greeted = true
			close(begun)
		}
		told.Add(int64(bytes.Count(buffer[:n], []byte("~"))))
		select {
		case progress <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}
