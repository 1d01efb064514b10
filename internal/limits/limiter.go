package limits

import (
	"cmp"
	"crypto/rand"
	"hash/maphash"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// defaultMaxBuckets are about 10 MB.
const defaultMaxBuckets = 100_000

// Options are the limits. The zero value has none.
type Options struct {
	User, Key, Address Rates
	// DailyQuota is how many notifications a subject may publish in a UTC day; 0: no limit.
	DailyQuota int
	// ReadersPerUser and ReadersPerAddress cap the open readers of this instance; 0: no limit.
	ReadersPerUser, ReadersPerAddress int
	// Exchange is how the instances hear of each other; nil: this one is alone.
	Exchange Exchange
	// Logger gets what Run has to say; nil drops it.
	Logger *slog.Logger
	// Registerer gets the metrics; nil: nobody does.
	Registerer prometheus.Registerer
	// MaxBuckets bounds the memory, at about 100 bytes each; 100,000 when 0, and at least 16.
	MaxBuckets int
}

// Limiter holds one instance's buckets, quotas and readers. Its methods may be called from any
// goroutine.
type Limiter struct {
	limits  [kinds]limit
	seeds   [kinds]maphash.Seed // of one name, each kind has another hash
	shards  [shards]shard
	began   time.Time
	floor   atomic.Uint64 // the bits of 1 ÷ instances
	hurry   atomic.Bool   // somebody was refused who might get more once the others know
	quotas  quotas
	readers readers
	peers   peers
	metrics *metrics
	logger  *slog.Logger
}

// New makes a Limiter. Without Run it works as an instance that is alone.
func New(o Options) *Limiter {
	l := &Limiter{began: time.Now(), logger: o.Logger}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	most := cmp.Or(o.MaxBuckets, defaultMaxBuckets)
	for i := range l.shards {
		l.shards[i] = newShard(most / shards)
	}
	for of, rates := range [holders]Rates{o.User, o.Key, o.Address} {
		for class := range classes {
			k := kindOf(Of(of), class)
			l.limits[k], l.seeds[k] = newLimit(policies[k], rates.of(class)), maphash.MakeSeed()
		}
	}
	l.floor.Store(math.Float64bits(1))
	l.metrics = newMetrics(o.Registerer, l.buckets)
	l.peers = peers{exchange: o.Exchange, instance: rand.Text(), instances: 1, claims: map[uint64]claim{}}
	l.quotas = quotas{most: int64(o.DailyQuota), exchange: o.Exchange, instances: 1, all: map[Spender]*spending{}}
	l.readers = readers{perUser: o.ReadersPerUser, perAddress: o.ReadersPerAddress, users: map[string]int{}, addresses: map[string]int{}}
	return l
}

// now is the time since the limiter began: it does not jump with the wall clock.
func (l *Limiter) now() int64 { return int64(time.Since(l.began)) }

func (l *Limiter) floorShare() float64 { return math.Float64frombits(l.floor.Load()) }

func (l *Limiter) buckets() (n int) {
	for i := range l.shards {
		n += l.shards[i].len()
	}
	return n
}
