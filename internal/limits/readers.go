package limits

import "sync"

// readers counts the open readers of this instance. It holds an entry for each user and address
// that has one: readers are bounded by the connections that the server keeps.
type readers struct {
	perUser, perAddress int

	mu               sync.Mutex
	users, addresses map[string]int
}

// Enter counts an open reader. Where the user or the address has as many as it may, ok is false
// and reason the policy that says so, "readers-user" or "readers-address"; else leave must be
// called when the reader ends. An empty user or address is nobody's, and not counted.
func (l *Limiter) Enter(user, address string) (leave func(), reason string, ok bool) {
	r := &l.readers
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case full(r.users, user, r.perUser):
		l.metrics.refusedReaderUser.Inc()
		return func() {}, policyReadersUser, false
	case full(r.addresses, address, r.perAddress):
		l.metrics.refusedReaderAddress.Inc()
		return func() {}, policyReadersAddress, false
	}
	count(r.users, user, r.perUser)
	count(r.addresses, address, r.perAddress)
	// Once, because a second call would let in one too many for ever.
	return sync.OnceFunc(func() { r.leave(user, address) }), "", true
}

func (r *readers) leave(user, address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	uncount(r.users, user)
	uncount(r.addresses, address)
}

func full(open map[string]int, name string, most int) bool { return most > 0 && open[name] >= most }

func count(open map[string]int, name string, most int) {
	if most > 0 && name != "" {
		open[name]++
	}
}

func uncount(open map[string]int, name string) {
	if open[name]--; open[name] <= 0 {
		delete(open, name)
	}
}
