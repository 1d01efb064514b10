package httpapi

import (
	"context"
	"net/http"

	"github.com/google/uuid"
)

const maxRequestIDBytes = 128

type requestIDKey struct{}

// identify gives a request its id: the one it came with, if that is 1 to 128
// visible ASCII characters, or a new one. It is the correlation id of the events
// the request causes, and nothing else.
func identify(w http.ResponseWriter, r *http.Request, newID func() uuid.UUID) *http.Request {
	id := r.Header.Get("X-Request-Id")
	if !usable(id) {
		id = newID().String()
	}
	w.Header().Set("X-Request-Id", id)
	return r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
}

func usable(id string) bool {
	if id == "" || len(id) > maxRequestIDBytes {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// requestID is what identify chose.
func requestID(r *http.Request) string {
	id, _ := r.Context().Value(requestIDKey{}).(string)
	return id
}
