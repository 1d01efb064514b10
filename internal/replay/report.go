package replay

import (
	"fmt"
	"time"
)

// Report says what a replay did, or would do.
type Report struct {
	Events  int            // read
	Done    map[string]int // what was done, by type of event
	LeftOut map[string]int // what belongs to the instance itself, by type
	Void    map[string]int // what is about notifications that were not replayed, by type
	// Again are publishes that the other instance had taken before, told by their key.
	Again    int
	Refusals []string // the first
	Refused  int      // all
	Retries  int      // attempts beyond the first
	Last     uint64   // the highest position in the other instance that the replay caused
	Took     time.Duration
}

const toldRefusals = 20 // a screenful

func newReport() *Report {
	return &Report{Done: map[string]int{}, LeftOut: map[string]int{}, Void: map[string]int{}}
}

// Played is how many events took effect.
func (r *Report) Played() int {
	n := 0
	for _, count := range r.Done {
		n += count
	}
	return n
}

func (r *Report) refuse(e *Event, why error) {
	if r.Refused++; r.Refused <= toldRefusals {
		r.Refusals = append(r.Refusals, fmt.Sprintf("%s at %d (%s): %s", e.Type, e.Position, e.Stream, why))
	}
}

// Count reads what a source has after a position and says what playing it would do, as far as that can be told here.
func Count(events func(yield func(Event, error) bool)) (*Report, error) {
	began, r := time.Now(), newReport()
	for e, err := range events {
		if err != nil {
			return r, err
		}
		r.Events++
		switch form, _, err := understand(&e); {
		case err != nil:
			r.refuse(&e, err)
		case form.kind == ofTheInstance:
			r.LeftOut[e.Type]++
		default:
			r.Done[e.Type]++
		}
	}
	r.Took = time.Since(began)
	return r, nil
}
