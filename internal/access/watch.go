package access

import (
	"context"
	"time"
)

// watch is something open that ends when its identity no longer holds.
type watch struct {
	identity Identity
	end      context.CancelCauseFunc
}

// Hold is a context that ends when the identity no longer holds: it expired, it or
// its key was revoked, or the key that signed it was taken away. Then its cause is
// a *Refused, or ErrUnavailable. stop must be called.
func (a *Authority) Hold(ctx context.Context, i Identity) (held context.Context, stop func()) {
	ctx, end := context.WithCancelCause(ctx)
	w := &watch{identity: i, end: end}
	a.register.enter(w)
	var timer *time.Timer
	if !i.Expires.IsZero() {
		timer = time.AfterFunc(time.Until(i.Expires), func() { end(refuse("it has expired")) })
	}
	// What happened between the identity's being let in and its being watched.
	if err := a.holds(&i); err != nil {
		end(err)
	}
	return ctx, func() {
		if timer != nil {
			timer.Stop()
		}
		a.register.leave(w)
		end(context.Canceled)
	}
}

func (r *register) enter(w *watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.watches[w.identity.holder]
	if of == nil {
		of = make(map[*watch]struct{})
		r.watches[w.identity.holder] = of
	}
	of[w] = struct{}{}
}

func (r *register) leave(w *watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.watches[w.identity.holder]
	delete(of, w)
	if len(of) == 0 {
		delete(r.watches, w.identity.holder)
	}
}

// all calls f for everything open.
func (r *register) all(f func(*watch)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range r.watches {
		for w := range of {
			f(w)
		}
	}
}
