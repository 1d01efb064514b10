package httpapi

import (
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// refusalsEvery is how often refused credentials are logged at most: anybody can have
// any number refused.
const refusalsEvery = 10 * time.Second

// refusals tell the operator that credentials are refused, now and then, and whose
// the last was as far as its address says.
type refusals struct {
	logger *slog.Logger

	mu    sync.Mutex
	count int
	next  time.Time
}

func (f *refusals) happened(r *http.Request, reason string) {
	f.mu.Lock()
	f.count++
	count, now := f.count, time.Now()
	due := !now.Before(f.next)
	if due {
		f.count, f.next = 0, now.Add(refusalsEvery)
	}
	f.mu.Unlock()
	if due {
		f.logger.WarnContext(r.Context(), "credentials were refused",
			"requests", count, "last_from", address(r).String(), "last_reason", reason, "correlation_id", requestID(r))
	}
}
