package limits

import (
	"context"
	"time"
)

// Exchange is how instances hear of each other, and where quotas are kept. An instance whose last
// report is older than four seconds is taken to be gone.
type Exchange interface {
	// Swap replaces what this instance reported before, adds what its subjects spent, and returns
	// what all others report.
	Swap(ctx context.Context, r Report) (News, error)
	// Spent is how much of a quota is spent, as far as it was added.
	Spent(ctx context.Context, who Spender) (int64, error)
	// Leave takes back what the instance reported: it is gone.
	Leave(ctx context.Context, instance string) error
}

// Report is what an instance tells the others.
type Report struct {
	Instance string
	// Busy buckets, and how many attempts a second each saw.
	Busy map[Name]float64
	// Cut is not 0 when there were too many for Busy: the most that any bucket left out was
	// asked for, as a part of its limit. The others suppose that much of all that are not in Busy.
	Cut float64
	// Spent is what is to be added and then read.
	Spent []Spending
}

// Spender is a subject on a day.
type Spender struct {
	Subject Name
	Day     int32 // since 1970, UTC
}

// Spending is what a subject spent since the last report: it may be nothing.
type Spending struct {
	Spender

	N int64
}

// News is what an instance hears.
type News struct {
	// At is when the others could read the report, by the clock that all of them share.
	At     time.Time
	Others []Peer
	// Spent are the sums of Report.Spent, in its order.
	Spent []int64
}

// Peer is another instance that lives. It had read all reports whose News.At is before At.
type Peer struct {
	At   time.Time
	Busy map[Name]float64
	Cut  float64
}

// demand is how often the bucket is asked there, in attempts a second.
func (p *Peer) demand(name Name, limit float64) float64 {
	if d, told := p.Busy[name]; told {
		return d
	}
	return p.Cut * limit
}
