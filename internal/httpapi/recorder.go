package httpapi

import (
	"net/http"
	"time"
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
	patience time.Duration // 0: no end
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

// limitDeparture bounds the time from now in which the answer may be taken. Streams
// replace the deadline with each write.
func (w *recorder) limitDeparture() {
	if w.patience > 0 {
		_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.patience)) // as above
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
