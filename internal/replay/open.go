package replay

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/tidings-io/tidings/internal/workload"
)

// open begins to read an answer that may be long. It is given up when nothing comes for as long as silence, while
// somebody waits for it; a reader who takes time between two reads loses nothing.
func open(ctx context.Context, s *workload.Server, r workload.Request, silence time.Duration) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	body, err := s.Open(ctx, r)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	quiet := time.AfterFunc(silence, func() { cancel(fmt.Errorf("nothing came for %s", silence)) })
	quiet.Stop()
	return &watched{ctx: ctx, body: body, quiet: quiet, silence: silence, cancel: cancel}, nil
}

// watched is an answer whose reads have a deadline each.
type watched struct {
	ctx     context.Context //nolint:containedctx // the request's own, which says why it ended
	body    io.ReadCloser
	quiet   *time.Timer
	silence time.Duration
	cancel  context.CancelCauseFunc
}

// Read reads, at most for as long as silence.
func (w *watched) Read(into []byte) (int, error) {
	w.quiet.Reset(w.silence)
	n, err := w.body.Read(into)
	w.quiet.Stop()
	if why := context.Cause(w.ctx); err != nil && why != nil {
		return n, why
	}
	return n, err //nolint:wrapcheck // io.EOF is compared
}

// Close ends the request.
func (w *watched) Close() error {
	w.quiet.Stop()
	w.cancel(nil)
	return w.body.Close()
}
