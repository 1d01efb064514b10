package limits

import "time"

// Verdict says whether something was let through, and what to tell the client of it.
type Verdict struct {
	OK      bool
	Limited bool // false: no limit applies, and there is nothing to tell
	// Policy names the limit, such as "user-commands".
	Policy string
	// Quota in Window seconds is the limit, over all instances.
	Quota, Window int64
	// Remaining is what this instance would let through at once.
	Remaining int64
	// Reset is when there is as much as there ever is, and RetryAfter, where OK is false, when
	// there is enough again: sooner is too soon.
	Reset, RetryAfter time.Duration
}
