package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// floorCommand serves the floor: a publish goes straight to the reader's
// channel, a subscription nowhere. Nothing is kept, nothing can be resumed.
type floorCommand struct{}

// Run serves until ctx ends.
func (floorCommand) Run(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	f := &floor{readers: map[string]chan []byte{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/users/{user}/inbox/stream", f.stream)
	mux.HandleFunc("POST /v1/notifications", f.publish)
	// What else an import asks for.
	for _, pattern := range []string{"PUT /v1/users/{user}/subscriptions/{topic...}", "DELETE /v1/users/{user}/subscriptions/{topic...}"} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { answer(w, `{"position":"1"}`) })
	}
	mux.HandleFunc("GET /v1/audit/events", func(w http.ResponseWriter, _ *http.Request) { answer(w, `{"items":[],"next_cursor":""}`) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // Serve tells
	fmt.Println("ready http://" + listener.Addr().String())
	_ = server.Serve(listener) // ends by Close
	return nil
}

type floor struct {
	mu      sync.Mutex
	readers map[string]chan []byte
}

func (f *floor) stream(w http.ResponseWriter, r *http.Request) {
	frames := make(chan []byte, 64)
	f.mu.Lock()
	f.readers["user:"+r.PathValue("user")] = frames
	f.mu.Unlock()
	flush := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = w.Write([]byte("event: connected\ndata: {}\n\n"))
	_ = flush.Flush()
	for {
		select {
		case frame := <-frames:
			_, _ = w.Write(frame)
			_ = flush.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (f *floor) publish(w http.ResponseWriter, r *http.Request) {
	type content struct {
		Title string `json:"title"`
		Body  string `json:"body"`
	}
	var n struct {
		content

		To []string `json:"to"`
	}
	if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
		http.Error(w, strings.ToLower(err.Error()), http.StatusBadRequest)
		return
	}
	data, err := json.Marshal(n.content)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	f.mu.Lock()
	frames := f.readers[n.To[0]]
	f.mu.Unlock()
	if frames != nil {
		frames <- fmt.Appendf(nil, "event: message\ndata: %s\n\n", data)
	}
	w.WriteHeader(http.StatusAccepted)
	answer(w, `{"id":"`+uuid.NewString()+`","status":"published","position":"1"}`)
}

func answer(w http.ResponseWriter, text string) {
	_, _ = w.Write([]byte(text)) // the client tells what it did not get
}
