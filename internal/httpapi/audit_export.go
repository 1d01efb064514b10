package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tidings-io/tidings/internal/events"
)

const (
	// auditWriteTimeout is how long a reader of a whole range may take for what is
	// written at once: a quarter of a megabyte, as a rule.
	auditWriteTimeout = 30 * time.Second
	// exportTimeout is how long sending a whole range may take: what is longer is
	// broken off, and goes on after the last position that arrived.
	exportTimeout = 15 * time.Minute
	// exportBytes are written together where the log gives them that fast,
	exportBytes = 64 << 10
	// exportPause is how long less than that waits for more.
	exportPause = 250 * time.Millisecond
)

// auditExport writes the whole range, an event a line, in bounded memory: one
// goroutine reads and encodes while this one writes.
func (a *api) auditExport(w http.ResponseWriter, r *http.Request, asked string, after events.Position, filter auditFilter) (err error) {
	lines := &lineWriter{w: w, control: http.NewResponseController(w)}
	if r.Method == http.MethodHead {
		lines.begin()
		return nil
	}
	r, stop := a.hold(r)
	defer stop()
	ctx, cancel := context.WithTimeout(r.Context(), exportTimeout)
	defer cancel()
	read := a.auditRead(r, auditExports, asked, after)
	box := newOutbox(after, exportBytes, appendLine)
	go a.export(ctx, box, a.auditFrom(ctx, after, filter), filter)
	err = lines.writeAll(box, read)
	read.record(read.ended(ctx, err))
	cancel()
	box.drain()
	if err != nil {
		return lines.fail(err)
	}
	lines.begin()
	return nil
}

func appendLine(b []byte, e *auditEvent) []byte { return append(appendAuditEvent(b, e), '\n') }

// export reads the range into the box, which it ends.
func (a *api) export(ctx context.Context, box *outbox, after events.Position, filter auditFilter) {
	for stored, err := range a.log.ReadAll(ctx, after, filter.Filter) {
		switch {
		case err != nil:
			box.end(fmt.Errorf("read the log after %s: %w", after, asAway(err)))
			return
		case filter.over(stored):
			box.end(nil)
			return
		case !filter.match(stored):
		case !box.add(ctx, newAuditEvent(stored)):
			box.end(fmt.Errorf("read the log after %s: %w", after, asAway(ctx.Err())))
			return
		}
	}
	box.end(nil)
}

// lineWriter writes JSON lines and sends them in parts.
type lineWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (l *lineWriter) begin() {
	if l.begun {
		return
	}
	l.begun = true
	l.w.Header().Set("Content-Type", ndjson)
	l.w.Header().Set("Cache-Control", "no-store")
	l.w.WriteHeader(http.StatusOK)
}

// writeAll writes what comes into the box until that ends.
func (l *lineWriter) writeAll(box *outbox, read *auditRead) error {
	tick := time.NewTicker(exportPause)
	defer tick.Stop()
	for spare := []byte(nil); ; {
		select {
		case <-box.some:
		case <-tick.C:
		}
		p := box.take(spare)
		if len(p.text) > 0 {
			if err := l.write(p.text); err != nil {
				return err
			}
			read.sent(p.events, p.considered)
		}
		if p.ended {
			return p.err
		}
		spare = keep(p.text)
	}
}

func (l *lineWriter) write(lines []byte) error {
	l.begin()
	_ = l.control.SetWriteDeadline(time.Now().Add(auditWriteTimeout)) // recorders in tests have none
	_, err := l.w.Write(lines)
	if err == nil {
		err = l.control.Flush()
	}
	_ = l.control.SetWriteDeadline(time.Time{}) // the next line may be far: HTTP/2 ends a stream whose deadline passes
	if err != nil {
		return fmt.Errorf("write lines: %w: %w", errNotTaken, err)
	}
	return nil
}

// fail breaks an answer off that has begun, so that nobody takes it for whole; an
// answer that has not begun becomes a problem.
func (l *lineWriter) fail(err error) error {
	if l.begun || errors.Is(err, errNotTaken) {
		panic(http.ErrAbortHandler)
	}
	return err
}
