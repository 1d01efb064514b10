package replay

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// schedule hands out commands in an order that keeps the outcome, until all are done.
func (r *run) schedule(ctx context.Context) error {
	for events := r.events; ; {
		next, err := r.next()
		if err != nil {
			return err
		}
		if events == nil && len(r.window) == 0 {
			return nil
		}
		work, taken := r.work, events
		if next.step == nil {
			work = nil // never chosen
		}
		if len(r.window) >= cmp.Or(r.Window, defaultWindow) || r.bytes > maxWindowBytes {
			taken = nil
		}
		select {
		case work <- next:
			r.ready = r.ready[1:]
		case got := <-r.results:
			if err := r.take(&got); err != nil {
				return err
			}
		case e, more := <-taken:
			if !more {
				events = nil
			} else if err := r.admit(&e); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// next is the command of the first step that is ready and has one; those before it that have none are done with.
func (r *run) next() (job, error) {
	for len(r.ready) > 0 {
		s := r.ready[0]
		if r.head.step == s {
			return r.head, nil
		}
		request, something, err := s.command(&r.Checkpoint.places)
		switch {
		case err != nil:
			if err := r.refused(s, err); err != nil {
				return job{}, err
			}
		case !something:
			r.report.Void[s.event.Type]++
		default:
			r.head = job{s, request}
			return r.head, nil
		}
		r.ready = r.ready[1:]
		if err := r.finish(s); err != nil {
			return job{}, err
		}
	}
	return job{}, nil
}

// admit takes the next event of the log into the window.
func (r *run) admit(e *Event) error {
	s := &step{event: *e}
	r.report.Events++
	r.window = append(r.window, s)
	r.bytes += s.bytes()
	var err error
	s.form, s.fact, err = understand(e)
	switch {
	case err != nil:
		s.form.kind = ofTheInstance // nothing waits for it
		if err := r.refused(s, err); err != nil {
			return err
		}
		return r.finish(s)
	case s.form.kind == ofTheInstance:
		r.report.LeftOut[e.Type]++
		return r.finish(s)
	}
	if r.order.add(s); s.waitFor == 0 {
		r.ready = append(r.ready, s)
	}
	return nil
}

// take takes what became of a command.
func (r *run) take(got *result) error {
	s := got.step
	if got.err != nil {
		if err := r.refused(s, got.err); err != nil {
			return err
		}
		return r.finish(s)
	}
	if s.form.kind == publishes && (got.answer.Position == 0 || got.answer.ID == uuid.Nil) {
		return fmt.Errorf("%s at %d: the answer names no notification, or no position: is it the API of tidings?", s.event.Type, s.event.Position)
	}
	r.report.Done[s.event.Type]++
	r.report.Last = max(r.report.Last, got.answer.Position)
	if s.form.kind == publishes {
		if got.again {
			r.report.Again++
		}
		if err := r.Checkpoint.published(s.fact.NotificationID, s.event.Position, got.answer.ID, got.answer.Position); err != nil {
			return err
		}
	}
	return r.finish(s)
}

// refused notes what cannot be played, or ends the run.
func (r *run) refused(s *step, why error) error {
	if r.Strict {
		return fmt.Errorf("%s at %d (%s) is refused: %w", s.event.Type, s.event.Position, s.event.Stream, why)
	}
	r.report.refuse(&s.event, why)
	return nil
}

// finish is done with a step, readies those that waited for it, and moves the checkpoint if nothing before it is left.
func (r *run) finish(s *step) error {
	s.finished = true
	r.ready = append(r.ready, r.order.done(s)...)
	passed := slices.IndexFunc(r.window, func(s *step) bool { return !s.finished })
	switch passed {
	case 0:
		return nil
	case -1:
		passed = len(r.window)
	}
	last := r.window[passed-1].event
	for _, s := range r.window[:passed] {
		r.bytes -= s.bytes()
	}
	clear(r.window[:passed])
	r.window = r.window[passed:]
	if r.Progress != nil {
		r.Progress(last.Position, last.At)
	}
	return r.Checkpoint.done(last.Position)
}
