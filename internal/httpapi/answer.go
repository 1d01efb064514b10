package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
)

// maxPooledBytes keeps a rare large answer from being held for ever.
const maxPooledBytes = 256 << 10

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// writeJSON answers with a body that fits in memory.
func writeJSON(w http.ResponseWriter, status int, body any) error {
	return write(w, status, "application/json", body)
}

func write(w http.ResponseWriter, status int, media string, body any) error {
	buffer, _ := buffers.Get().(*bytes.Buffer)
	buffer.Reset()
	defer func() {
		if buffer.Cap() <= maxPooledBytes {
			buffers.Put(buffer)
		}
	}()
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false) // nosniff and the content type keep it from being a page
	if err := encoder.Encode(body); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(buffer.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(buffer.Bytes()) // the client may have gone
	return nil
}
