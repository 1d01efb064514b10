package limits

import (
	"math"
	"time"
)

// limit is what the buckets of one kind have in common.
type limit struct {
	policy   string
	perNano  float64 // tokens in a nanosecond, over all instances; 0: no limit
	burst    float64
	slice    int64 // nanoseconds over which attempts are counted: see demand
	quota, w int64 // for Verdict
}

// Demand is counted in slices of time long enough for some tokens, so that the few attempts a slow
// rate sees are not taken for a flood, and short enough to follow one that moves.
const (
	sliceTokens = 10
	minSlice    = 100 * time.Millisecond
	maxSlice    = 30 * time.Second
)

func newLimit(policy string, r Rate) limit {
	if r.PerSecond <= 0 {
		return limit{policy: policy}
	}
	r = r.filled()
	quota, w := r.window()
	slice := sliceTokens / r.PerSecond * float64(time.Second)
	return limit{
		policy: policy, perNano: r.PerSecond / float64(time.Second), burst: r.Burst, quota: quota, w: w,
		slice: int64(min(max(slice, float64(minSlice)), float64(maxSlice))),
	}
}

// perSecond is the limit in attempts a second, as demand is.
func (l *limit) perSecond() float64 { return l.perNano * float64(time.Second) }

// bucket is one holder's, of one kind. It holds no pointer, so that the garbage collector passes
// over all of them at once.
type bucket struct {
	hash   uint64
	name   Name
	tokens float64 // there were at
	at     int64   // nanoseconds since the limiter began
	share  float64 // of the limit, as exchanged; 0: the floor, which is limit ÷ instances

	wanted int64 // until when somebody who was refused is to be expected again

	slice uint32  // the number of the slice of time that is now
	count uint32  // attempts in it
	mean  float32 // attempts in those before

	used         bool  // false: a free place
	older, newer int32 // by last use
	kind         kind
	settled      bool // more would come of its share by waiting only, not by telling
}

// in is the share of the limit that this bucket has.
func (b *bucket) in(floor float64) float64 {
	if b.share > 0 {
		return b.share
	}
	return floor
}

// room is how much the bucket holds when full. A small share still lets one through.
func (l *limit) room(share float64) float64 { return max(1, l.burst*share) }

// level is how many tokens there are now.
func (b *bucket) level(l *limit, share float64, now int64) float64 {
	return min(l.room(share), b.tokens+float64(now-b.at)*l.perNano*share)
}

// wait is how long after b.at there is a token: to the nanosecond, by the same arithmetic as level.
func (b *bucket) wait(l *limit, share float64) int64 {
	d := int64(math.Ceil((1 - b.tokens) / (l.perNano * share)))
	for b.level(l, share, b.at+d) < 1 {
		d++
	}
	for b.level(l, share, b.at+d-1) >= 1 {
		d--
	}
	return d
}

// attempt counts one.
func (b *bucket) attempt(l *limit, now int64) {
	b.roll(l, now)
	b.count++
}

// roll ends the slices that are over.
func (b *bucket) roll(l *limit, now int64) {
	const forgotten = 32           // slices without an attempt, after which nothing is left of any mean
	slice := uint32(now / l.slice) //nolint:gosec // slices of 100 ms fit for 13 years
	if slice-b.slice > forgotten {
		b.slice, b.count, b.mean = slice, 0, 0
	}
	for ; b.slice != slice; b.slice++ {
		b.mean, b.count = follow(b.mean, float32(b.count)), 0
	}
}

// follow is the mean after one more slice. It evens out what comes by chance, or shares would
// tremble and what is lost by that is nobody's; but a flood that begins, ends or moves is followed
// at once.
func follow(mean, count float32) float32 {
	const weight, chance = 4, 4
	if change := count - mean; max(change, -change) <= chance+mean/2 {
		return mean + change/weight
	}
	return count
}

// Who was refused and waits as they were told is not seen meanwhile, and still wants
// more: until a moment after they may come again, a bucket counts as asked for this
// part of its limit. It is enough to be given what nobody else asks for, and little
// beside a flood that has moved elsewhere.
const waitingPart = 0.06

// demand is how many attempts come in a second lately, those refused included.
func (b *bucket) demand(l *limit, now int64) float64 {
	b.roll(l, now)
	seen := float64(max(b.mean, follow(b.mean, float32(b.count)))) / float64(l.slice) * float64(time.Second)
	if now < b.wanted {
		return max(seen, waitingPart*l.perSecond())
	}
	return seen
}

// expect notes that somebody was told when to come again: they are told whole seconds.
func (b *bucket) expect(now int64, wait time.Duration) {
	const second, moment = int64(time.Second), int64(time.Second / 4)
	b.wanted = now + (int64(wait)+second-1)/second*second + moment
}

// idle tells a bucket that is as good as none: a new one would be the same.
func (b *bucket) idle(l *limit, floor float64, now int64) bool {
	share := b.in(floor)
	return b.level(l, share, now) >= l.room(share)
}
