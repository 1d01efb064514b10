package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func send(t *testing.T, handler http.Handler, method, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return w.Body.String()
}

// On its end the server refuses new requests, ends the streams and lets what is
// under way come to its end.
func TestServeEndsInOrder(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	drained, drain := context.WithCancel(context.Background())
	began := make(chan struct{}, 2)
	handler := http.NewServeMux()
	handler.HandleFunc("/stream", func(w http.ResponseWriter, _ *http.Request) {
		began <- struct{}{}
		<-drained.Done()
		_, _ = w.Write([]byte("the last words"))
	})
	release := make(chan struct{})
	handler.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		began <- struct{}{}
		<-release
		_, _ = w.Write([]byte("done"))
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, listener, handler, drain, slog.New(slog.DiscardHandler)) }()

	answers := make(chan string, 2)
	for _, path := range []string{"/stream", "/slow"} {
		go func() {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+path, nil)
			if err != nil {
				answers <- err.Error()
				return
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				answers <- err.Error()
				return
			}
			body, err := io.ReadAll(response.Body)
			if err == nil {
				err = response.Body.Close()
			}
			if err != nil {
				body = []byte(err.Error())
			}
			answers <- string(body)
		}()
	}
	<-began
	<-began
	stop()
	if got := <-answers; got != "the last words" {
		t.Errorf("the stream got %q", got)
	}
	select {
	case err := <-ended:
		t.Fatalf("ended before a request under way: %v", err)
	default:
	}
	close(release)
	if got := <-answers; got != "done" {
		t.Errorf("the request under way got %q", got)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("got %v, want an end without error", err)
		}
	case <-time.After(shutdownTimeout):
		t.Error("the server did not end")
	}
}

func TestServeSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Serve(t.Context(), listener, http.NotFoundHandler(), nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("no error from a listener that is closed")
	}
}
