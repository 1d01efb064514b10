package limits

import (
	"context"
	"sync"
	"time"
)

const (
	day = 24 * time.Hour
	// firstRead bounds the one read that a Spend waits for.
	firstRead = 300 * time.Millisecond
	// mostSpenders bounds the memory, and what is read each second. Of those without news the
	// first found goes when there are more: it is read again when it spends again.
	mostSpenders = 10_000
	// awayRetry is when to come again while nothing is exchanged.
	awayRetry = 10 * time.Second
	// keptSpender is how long one that spends nothing more is read all the same.
	keptSpender = time.Minute
)

// spending is what an instance knows of a subject's day.
type spending struct {
	first sync.Once // the read before anything else

	// Guarded by quotas.mu:
	known   bool  // sum was read
	sum     int64 // of all instances, as last read
	pending int64 // let through here and not in sum yet
	last    time.Time
}

// quotas are the subjects that publish today.
type quotas struct {
	most     int64
	exchange Exchange

	mu        sync.Mutex
	instances int
	away      bool
	all       map[Spender]*spending
}

// Spend counts n notifications against the subject's quota of the day: all, or none when that
// would be too many. The first of a subject waits up to 300 ms to read what was spent before.
//
// What the other instances let through since the last exchange is not known: together they may
// let through about a second's traffic too much. While nothing is exchanged each hands out its
// part of what was left.
func (l *Limiter) Spend(subject string, n int) Verdict {
	q := &l.quotas
	if q.most <= 0 {
		return Verdict{OK: true}
	}
	now := time.Now()
	who := Spender{Subject: nameOf(policyQuota, subject), Day: dayOf(now)}
	left, ok := q.spend(who, int64(max(0, n)), now)
	v := Verdict{
		OK: ok, Limited: true, Policy: policyQuota, Quota: q.most, Window: int64(day / time.Second),
		Remaining: left, Reset: day - time.Duration(now.UnixNano()%int64(day)),
	}
	if !ok {
		v.RetryAfter = v.Reset
		if q.partial(who) { // there may be more as soon as the others are heard of
			v.RetryAfter = min(v.Reset, awayRetry)
		}
		l.metrics.refusedQuota.Inc()
	}
	return v
}

// GiveBack takes back what Spend counted today and did not come to be, such as a
// repeat of what was published before. It changes nothing once midnight has passed.
func (l *Limiter) GiveBack(subject string, n int) {
	q := &l.quotas
	if q.most == 0 {
		return
	}
	who := Spender{Subject: nameOf(policyQuota, subject), Day: dayOf(time.Now())}
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.all[who]; s != nil {
		s.pending -= int64(n)
	}
}

// partial tells that an instance hands out its part alone.
func (q *quotas) partial(who Spender) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.all[who]
	return q.away || s != nil && !s.known
}

func dayOf(t time.Time) int32 {
	return int32(t.Unix() / int64(day/time.Second)) //nolint:gosec // days since 1970
}

func (q *quotas) spend(who Spender, n int64, now time.Time) (left int64, ok bool) {
	for {
		s := q.of(who, now)
		s.first.Do(func() { q.read(who, s) })
		if left, ok, there := q.take(who, s, n); there {
			return left, ok
		}
	}
}

// take counts n if there is as much. there is false when the spender had to make room for
// another meanwhile.
func (q *quotas) take(who Spender, s *spending, n int64) (left int64, ok, there bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	left = q.left(s)
	if ok = n <= left; ok {
		s.pending += n
		left -= n
	}
	return max(0, left), ok || n == 0, q.all[who] == s
}

// left is what this instance may still hand out. mu must be held.
func (q *quotas) left(s *spending) int64 {
	left := q.most - s.sum
	if q.away || !s.known {
		// Rounded up: a quota smaller than the instances is not closed.
		left = (left + int64(q.instances) - 1) / int64(q.instances)
	}
	return left - s.pending
}

// of finds or makes what is known of a spender.
func (q *quotas) of(who Spender, now time.Time) *spending {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.all[who]
	if s == nil {
		if len(q.all) >= mostSpenders {
			q.makeRoom()
		}
		s = &spending{known: q.exchange == nil}
		q.all[who] = s
	}
	s.last = now
	return s
}

// makeRoom drops one that has nothing to tell. Where most have, as after long without an
// exchange, any goes, and what it spent with it. mu must be held.
func (q *quotas) makeRoom() {
	const tries = 32
	n := 0
	for who, s := range q.all {
		if n++; s.pending == 0 || n == tries {
			delete(q.all, who)
			return
		}
	}
}

// read is the first look at what others counted. Without an answer the spender has this
// instance's part of a full quota, until the next exchange.
func (q *quotas) read(who Spender, s *spending) {
	q.mu.Lock()
	skip := q.away || s.known
	q.mu.Unlock()
	if skip {
		return
	}
	limited, cancel := context.WithTimeout(context.Background(), firstRead)
	defer cancel()
	sum, err := q.exchange.Spent(limited, who)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil && !s.known { // an exchange that came between is newer
		s.known, s.sum = true, sum
	}
}

// report is what to add and read.
func (q *quotas) report() []Spending {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]Spending, 0, len(q.all))
	for who, s := range q.all {
		all = append(all, Spending{Spender: who, N: s.pending})
	}
	return all
}

// settle takes what was added off what is pending, and drops who spends no more. A report whose
// answer did not come may have been added and is told again: counting twice is the safe side.
func (q *quotas) settle(told []Spending, sums []int64, instances int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.away, q.instances = false, instances
	for i, t := range told {
		if s := q.all[t.Spender]; s != nil && i < len(sums) {
			s.known, s.sum, s.pending = true, sums[i], s.pending-t.N
		}
	}
	now := time.Now()
	for who, s := range q.all {
		ended := who.Day != dayOf(now)
		if q.exchange == nil && ended || q.exchange != nil && s.pending == 0 && (ended || now.Sub(s.last) > keptSpender) {
			delete(q.all, who)
		}
	}
}

func (q *quotas) lost() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.away = true
}
