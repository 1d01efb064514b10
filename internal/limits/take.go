package limits

import (
	"hash/maphash"
	"time"
)

// Take takes one of a class from the bucket of a holder. It never waits, and costs less than a
// microsecond.
func (l *Limiter) Take(of Of, name string, class Class) Verdict {
	k := kindOf(of, class)
	limit := &l.limits[k]
	if limit.perNano == 0 {
		return Verdict{OK: true}
	}
	hash := maphash.String(l.seeds[k], name)
	floor, now := l.floorShare(), l.now()
	s := &l.shards[hash%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.find(hash)
	if b == nil {
		b = s.add(bucket{hash: hash, name: nameOf(limit.policy, name), kind: k, tokens: limit.room(floor), at: now}, &l.limits, floor, now)
	}
	b.attempt(limit, now)
	v := b.take(limit, floor, now)
	if !v.OK {
		l.metrics.refused[k].Inc()
		if !b.settled && floor < 1 && !l.hurry.Load() {
			l.hurry.Store(true)
		}
	}
	return v
}

// take changes the bucket only when there is a token: of a bucket that stands still, waits are
// exact however often it is asked meanwhile.
func (b *bucket) take(l *limit, floor float64, now int64) Verdict {
	v := Verdict{Limited: true, Policy: l.policy, Quota: l.quota, Window: l.w}
	share := b.in(floor)
	level := b.level(l, share, now)
	if v.OK = level >= 1; v.OK {
		level--
		b.tokens, b.at = level, now
		v.Remaining = int64(level)
	} else {
		v.RetryAfter = time.Duration(b.wait(l, share) - (now - b.at))
		b.expect(now, v.RetryAfter)
	}
	v.Reset = time.Duration((l.room(share) - level) / (l.perNano * share))
	return v
}
