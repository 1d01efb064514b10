package replay

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/tidings-io/tidings/internal/workload"
)

// send is one worker: it sends commands as they are handed out.
func (r *run) send(ctx context.Context) error {
	for j := range r.work {
		got, err := r.sendOne(ctx, j)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the scheduler, or the worker that failed, says why
		}
		if err != nil {
			return fmt.Errorf("%s at %d (%s): %w", j.step.event.Type, j.step.event.Position, j.step.event.Stream, err)
		}
		select {
		case r.results <- got:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// sendOne sends a command until it is answered. The error is one that ends the run.
func (r *run) sendOne(ctx context.Context, j job) (result, error) {
	for tries := 1; ; tries++ {
		got := result{step: j.step}
		reply, err := r.Target.Do(ctx, j.request, &got.answer)
		var problem *workload.Problem
		switch {
		case err == nil:
			got.again = reply.Replayed
			return got, nil
		case !errors.As(err, &problem):
			return got, err
		case problem.Status == http.StatusConflict && problem.Code == "conflict" && tries < maxConflicts:
			continue // others kept changing the same thing; the server has tried four times itself
		case forGood(problem):
			got.err = problem
			return got, nil
		default:
			return got, err
		}
	}
}

// forGood says whether a refusal is about the event alone, so that the next one may fare better: not where it is about
// who asks, how, or whom.
func forGood(p *workload.Problem) bool {
	return slices.Contains([]string{
		"validation", "malformed", "too_large", "notification_not_found", "stream_deleted", "idempotency_key_reused", "conflict",
	}, p.Code)
}
