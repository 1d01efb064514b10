package node

import (
	"sync"
	"time"
)

// logEvery is how often strangers can make the node log the same, at most.
const logEvery = 10 * time.Second

// seldom counts what happens and is logged now and then. The zero value works.
type seldom struct {
	mu     sync.Mutex
	times  int // since logged
	logged time.Time
}

// happened answers how often it has since it was logged, and whether it is to be logged now.
func (s *seldom) happened() (times int, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times++
	times = s.times
	if now := time.Now(); now.Sub(s.logged) >= logEvery {
		s.times, s.logged, due = 0, now, true
	}
	return times, due
}
