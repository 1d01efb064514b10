package limits

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	// mostBusy bounds a report, at about 50 KB.
	mostBusy = 1000
	// coldPart of the limit ÷ instances is what a bucket may be asked for without being reported:
	// what all others do not count on then is at most this part of the limit.
	coldPart = 0.05
	// unasked is the part of its limit below which nobody misses a bucket's demand.
	unasked = 0.001
	// minShare keeps waits within what a time.Duration holds.
	minShare = 0.001
	// much is how many times more or less demand makes news of it.
	much = 2
	// nearly all of what telling could bring: no use in hurrying for the rest.
	nearly = 0.9
)

// peers is what an instance knows of the others. It belongs to Run.
type peers struct {
	exchange  Exchange
	instance  string
	instances int  // that live, this one included, as last known
	away      bool // the last exchange failed
	claims    map[uint64]claim
}

// claim is what the others were told of a bucket. A share may grow only with demand that all of
// them have read and made room for; it shrinks at once.
type claim struct {
	told  float64 // attempts a second, that somebody may not have read yet; 0: nothing is told
	at    time.Time
	heard float64 // by everybody

	kind  kind
	last  float64 // the demand last reported
	short bool    // its share was less than that
}

// next is the claim after one more report: at is that report's time, and oldest a time up to
// which everybody has read.
func (c claim) next(demand float64, at, oldest time.Time) claim {
	if c.told > 0 && oldest.After(c.at) {
		c.heard, c.told = c.told, 0
	}
	if c.told == 0 || demand > much*c.told { // a flood that was told when it had hardly begun is told anew
		c.told, c.at = demand, at
	}
	// Who reads the smaller demand makes less room, whatever was told before.
	c.told, c.heard, c.last = min(c.told, demand), min(c.heard, demand), demand
	return c
}

// share is what a bucket gets of its limit: by its demand as far as everybody has heard of it. Up
// to the floor it may have without being heard, or a newcomer would get nothing; settled says that
// being heard would not bring much more.
func (c claim) share(demand, others, floor float64) (share float64, settled bool) {
	whole := demand / (demand + others)
	share = max(min(whole, floor), minShare)
	if c.heard > 0 {
		share = max(share, c.heard/(c.heard+others))
	}
	return share, share >= nearly*whole
}

// busy is a bucket that the others should know of.
type busy struct {
	hash   uint64
	name   Name
	kind   kind
	demand float64
	part   float64 // of the limit
}

// report is what to tell, and the busy buckets: those that it names come first.
func (l *Limiter) report() (Report, []busy) {
	found := l.sweep()
	r := Report{Instance: l.peers.instance, Spent: l.quotas.report()}
	if len(found) > mostBusy {
		slices.SortFunc(found, func(a, b busy) int { return cmp.Compare(b.part, a.part) })
		r.Cut = found[mostBusy].part
	}
	told := found[:min(len(found), mostBusy)]
	r.Busy = make(map[Name]float64, len(told))
	for _, b := range told {
		r.Busy[b.name] = b.demand
	}
	return r, found
}

// learn gives the buckets their shares.
func (l *Limiter) learn(news News, found []busy) {
	p := &l.peers
	p.instances = len(news.Others) + 1
	floor := 1 / float64(p.instances)
	l.floor.Store(math.Float64bits(floor))
	oldest := news.At
	for _, other := range news.Others {
		if other.At.Before(oldest) {
			oldest = other.At
		}
	}
	claims := make(map[uint64]claim, len(found))
	for i, b := range found {
		var c claim // of one that the report had no room for, nobody has heard
		told := i < mostBusy
		if told {
			c = p.claims[b.hash].next(b.demand, news.At, oldest)
		}
		others := 0.0
		for i := range news.Others {
			others += news.Others[i].demand(b.name, l.limits[b.kind].perSecond())
		}
		share, settled := c.share(b.demand, others, floor)
		l.give(b.hash, share, settled || !told)
		c.kind, c.short = b.kind, told && share*l.limits[b.kind].perSecond() < b.demand
		claims[b.hash] = c
	}
	for hash := range p.claims {
		if _, still := claims[hash]; !still {
			l.give(hash, 0, false)
		}
	}
	p.claims = claims
}

// turned tells that a flood has changed since it was reported: what it had is wanted where it
// went, or it was seen when it had hardly begun.
func (l *Limiter) turned() bool {
	now := l.now()
	for hash, c := range l.peers.claims {
		if !c.short {
			continue
		}
		if d := l.demand(hash, c.kind, now); d < c.last/much || d > c.last*much {
			return true
		}
	}
	return false
}

func (l *Limiter) demand(hash uint64, k kind, now int64) float64 {
	s := &l.shards[hash%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	i, known := s.index[hash]
	if !known {
		return 0
	}
	return s.all[i].demand(&l.limits[k], now)
}

// forget leaves every bucket the floor: the others may have changed since they were heard.
func (l *Limiter) forget() {
	for hash := range l.peers.claims {
		l.give(hash, 0, false)
	}
	clear(l.peers.claims)
}

// give sets a bucket's share; 0 is the floor. What it held stays, as far as there is room.
func (l *Limiter) give(hash uint64, share float64, settled bool) {
	floor, now := l.floorShare(), l.now()
	s := &l.shards[hash%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	i, known := s.index[hash]
	if !known {
		return // had to make room
	}
	b := &s.all[i]
	if b.share != share {
		b.tokens, b.at = b.level(&l.limits[b.kind], b.in(floor), now), now
		b.share = share
	}
	b.settled = settled
}

// sweep removes the buckets that are as good as none and returns the busy ones. It visits all:
// about a millisecond for 100,000 that are not busy, a sixteenth of it with one shard held.
func (l *Limiter) sweep() (found []busy) {
	floor, now := l.floorShare(), l.now()
	for i := range l.shards {
		found = l.shards[i].sweep(found, &l.limits, floor, now)
	}
	return found
}

func (s *shard) sweep(found []busy, limits *[kinds]limit, floor float64, now int64) []busy {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.all {
		b := &s.all[i]
		if !b.used {
			continue
		}
		limit := &limits[b.kind]
		demand := b.demand(limit, now)
		part, cold := demand/limit.perSecond(), coldPart*floor
		if b.share > 0 {
			cold /= 2 // once reported, so that a demand just there does not come and go
		}
		switch {
		case part >= cold:
			found = append(found, busy{hash: b.hash, name: b.name, kind: b.kind, demand: demand, part: part})
		case demand < unasked*limit.perSecond() && b.share == 0 && b.idle(limit, floor, now):
			s.remove(int32(i))
		}
	}
	return found
}
