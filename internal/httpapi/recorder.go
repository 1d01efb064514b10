package httpapi

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// writeTimeout is how long an answer may take from its first byte: a slow line takes
// the largest page in less, and whoever does not read holds no more than this.
const writeTimeout = time.Minute

// recorder remembers what was answered, and for which route, and bounds the time
// that the answer may take to be taken.
type recorder struct {
	http.ResponseWriter

	route    string
	status   int
	span     trace.SpanContext // the request's, where it is traced
	patience time.Duration     // 0: no end
}

// record is the recorder below a response writer of this package's handlers.
func record(w http.ResponseWriter) *recorder {
	for {
		switch x := w.(type) {
		case *recorder:
			return x
		case interface{ Unwrap() http.ResponseWriter }:
			w = x.Unwrap()
		default:
			return &recorder{ResponseWriter: w} // a handler tested by itself
		}
	}
}

// WriteHeader remembers the first final status.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
		w.limitDeparture()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write remembers that a status not given is 200.
func (w *recorder) Write(body []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
		w.limitDeparture()
	}
	return w.ResponseWriter.Write(body)
}

// routeName is the route, or what stands for none.
func (w *recorder) routeName() string {
	if w.route == "" {
		return otherRoute
	}
	return w.route
}

// final is the status, where none was given that which net/http sends then.
func (w *recorder) final() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}

// inTrace is the context with the request's trace, for who speaks of it from outside.
func (w *recorder) inTrace(ctx context.Context) context.Context {
	if !w.span.IsValid() {
		return ctx
	}
	return trace.ContextWithSpanContext(ctx, w.span)
}

// limitDeparture bounds the time from now in which the answer may be taken. Streams
// replace the deadline with each write.
func (w *recorder) limitDeparture() {
	if w.patience > 0 {
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.patience)) // as above
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
