package limits

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Rate is how much of a class is let through: PerSecond on average, Burst at once. The zero Rate
// is no limit; a Burst below 1 is a quarter of a second's worth, and at least 1.
type Rate struct{ PerSecond, Burst float64 }

// What a rate may be: from about one in eleven days up to more than a process can answer.
const (
	minPerSecond = 1e-6
	maxPerSecond = 1e6
	maxBurst     = 1e6
	// maxDigits is more than a number in between needs.
	maxDigits = 32
)

// units are what a rate may be given in, the one to be shown first first.
var units = []struct {
	name    string
	seconds float64
}{{"s", 1}, {"m", 60}, {"h", 3600}}

// filled is the rate with its burst.
func (r Rate) filled() Rate {
	if r.PerSecond > 0 && r.Burst < 1 {
		r.Burst = max(1, r.PerSecond/4)
	}
	return r
}

// UnmarshalText reads "100/s", "10/m", "100/h", with a burst "100/s:50", or "off" for no limit.
func (r *Rate) UnmarshalText(text []byte) error {
	if string(text) == off {
		*r = Rate{}
		return nil
	}
	rest, burst, hasBurst := strings.Cut(string(text), ":")
	n, unit, _ := strings.Cut(rest, "/")
	read := Rate{}
	for _, u := range units {
		if u.name == unit {
			v, err := number(n)
			if err != nil {
				return err
			}
			read.PerSecond = v / u.seconds
		}
	}
	if read.PerSecond < minPerSecond || read.PerSecond > maxPerSecond {
		return fmt.Errorf(`%q is no rate: it is a number above 0 and at most a million a second, then /s, /m or /h, as in "100/s"`, text)
	}
	if hasBurst {
		v, err := number(burst)
		if err != nil {
			return err
		}
		if v < 1 || v > maxBurst {
			return fmt.Errorf("the burst of %q is not between 1 and a million", text)
		}
		read.Burst = v
	}
	*r = read.filled()
	return nil
}

// number reads digits with at most one point: no sign, exponent, infinity or hexadecimals.
func number(text string) (float64, error) {
	if text == "" || len(text) > maxDigits || strings.Trim(text, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is no number", text)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", text)
	}
	return v, nil
}

// String is what UnmarshalText reads as the same rate.
func (r Rate) String() string {
	if r.PerSecond == 0 {
		return off
	}
	text := decimal(r.PerSecond) + "/s"
	for _, u := range units {
		// Through a short number, so that 10/m, which is 0.16666… a second, comes back as 10.
		if v := short(r.PerSecond * u.seconds); v >= 1 && v/u.seconds == r.PerSecond {
			text = decimal(v) + "/" + u.name
			break
		}
	}
	if r.Burst != (Rate{PerSecond: r.PerSecond}).filled().Burst {
		text += ":" + decimal(r.Burst)
	}
	return text
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// short is v to a thousandth.
func short(v float64) float64 { return math.Round(v*1000) / 1000 }

// window is the rate as RateLimit-Policy says it: so many in so many seconds.
func (r Rate) window() (quota, seconds int64) {
	for _, u := range units {
		v := short(r.PerSecond * u.seconds)
		if quota, seconds = int64(v), int64(u.seconds); v >= 1 && v == math.Trunc(v) {
			return quota, seconds
		}
	}
	return max(1, quota), seconds
}

// Rates are the limits of one kind of holder.
type Rates struct{ Commands, Queries, Connects Rate }

const off = "off"

var errNoRates = errors.New(`no rates: they are given as in "commands=100/s,queries=200/s,connects=10/s", or as "off"`)

// UnmarshalText reads "commands=100/s,queries=200/s,connects=10/s", where a class that is left out
// has no limit, or "off", where none has.
func (r *Rates) UnmarshalText(text []byte) error {
	read, seen := Rates{}, map[string]bool{}
	switch string(text) {
	case "":
		return errNoRates
	case off:
		*r = read
		return nil
	}
	for part := range strings.SplitSeq(string(text), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		rate := named(&read, name)
		if rate == nil || seen[name] {
			return fmt.Errorf("%q: %w", part, errNoRates)
		}
		seen[name] = true
		if err := rate.UnmarshalText([]byte(value)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	*r = read
	return nil
}

func named(r *Rates, class string) *Rate {
	switch class {
	case "commands":
		return &r.Commands
	case "queries":
		return &r.Queries
	case "connects":
		return &r.Connects
	default:
		return nil
	}
}

// String is what UnmarshalText reads as the same rates.
func (r Rates) String() string {
	if r == (Rates{}) {
		return off
	}
	return "commands=" + r.Commands.String() + ",queries=" + r.Queries.String() + ",connects=" + r.Connects.String()
}

func (r Rates) of(class Class) Rate { return [classes]Rate{r.Commands, r.Queries, r.Connects}[class] }
