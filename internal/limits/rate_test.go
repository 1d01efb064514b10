package limits

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRatesAreReadAndWrittenAlike(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		rates Rates
		text  string // as written; empty: as it was
	}{
		"off":            {},
		"commands=off":   {text: "off"},
		"commands=100/s": {Rates{Commands: Rate{100, 25}}, "commands=100/s,queries=off,connects=off"},
		"commands=100/s,queries=200/s,connects=10/s":  {rates: Rates{Rate{100, 25}, Rate{200, 50}, Rate{10, 2.5}}},
		"queries=200/s, commands=100/s,connects=10/s": {Rates{Rate{100, 25}, Rate{200, 50}, Rate{10, 2.5}}, "commands=100/s,queries=200/s,connects=10/s"},
		"commands=100/s:7,queries=10/m,connects=1/h":  {rates: Rates{Rate{100, 7}, Rate{10.0 / 60, 1}, Rate{1.0 / 3600, 1}}},
		"commands=60/m,queries=90/m,connects=0.5/s":   {Rates{Rate{1, 1}, Rate{1.5, 1}, Rate{0.5, 1}}, "commands=1/s,queries=1.5/s,connects=30/m"},
		"connects=1/s:1": {Rates{Connects: Rate{1, 1}}, "commands=off,queries=off,connects=1/s"},
	} {
		var got Rates
		if err := got.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want.rates, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		if want.text == "" {
			want.text = text
		}
		if got := got.String(); got != want.text {
			t.Errorf("%s: written as %s, want %s", text, got, want.text)
		}
	}
}

func TestWhatIsNoRateIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", " ", ",", "100/s", "commands", "commands=", "commands=100", "commands=100/", "commands=/s", "commands=100/d", "commands=0/s",
		"commands=-1/s", "commands=+1/s", "commands=1e3/s", "commands=0x1p4/s", "commands=Inf/s", "commands=NaN/s", "commands=1_000/s",
		"commands=1000001/s", "commands=0.0000001/h", "commands=.../s", "commands=1/s:", "commands=1/s:0", "commands=1/s:0.5", "commands=1/s:1000001",
		"commands=1/s:1:1", "commands=1/s/s", "commands=1/s,commands=2/s", "commands=1/s,", "reads=1/s", "Commands=1/s", "commands=1/S",
		"commands=off:1", "off,commands=1/s", "commands=000000000000000000000000000000001/s",
	} {
		got := Rates{Queries: Rate{1, 1}}
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %s, want it refused", text, got)
		}
		if (got != Rates{Queries: Rate{1, 1}}) {
			t.Errorf("%q: refused, and changed to %s", text, got)
		}
	}
}

func TestPoliciesSayTheRateInWholeNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]int64{
		"100/s": {100, 1}, "90/m": {90, 60}, "60/m": {1, 1}, "10/m": {10, 60}, "1/h": {1, 3600}, "1.5/h": {1, 3600}, "0.1/h": {1, 3600}, "0.5/s": {30, 60},
	} {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if q, w := r.window(); q != want[0] || w != want[1] {
			t.Errorf("%s: got %d in %d s, want %d in %d s", text, q, w, want[0], want[1])
		}
	}
}

// FuzzRates: what is read is written so that it is read as the same again, and makes buckets that
// work. What failed once is kept in testdata/fuzz.
func FuzzRates(f *testing.F) {
	for _, text := range []string{
		"off", "commands=100/s,queries=200/s,connects=10/s", "commands=10/m:20", "queries=0.001/h", "connects=1000000/s:1000000", "commands=off,queries=1/s:1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var read, again Rates
		if err := read.UnmarshalText([]byte(text)); err != nil {
			if read != (Rates{}) || err.Error() == "" {
				t.Errorf("refused as %v, and read as %s", err, read)
			}
			return
		}
		if err := again.UnmarshalText([]byte(read.String())); err != nil || again != read {
			t.Errorf("%q was written as %q, and read again as %q: %v", text, read, again, err)
		}
		l := New(Options{User: read})
		for class := range classes {
			for v, n := (Verdict{OK: true}), 0; v.OK && n < 3; n++ {
				v = l.Take(User, "u", class)
				if v.Reset < 0 || v.RetryAfter < 0 || v.Limited && (v.Quota < 1 || v.Window < 1) || !v.OK && v.RetryAfter == 0 {
					t.Errorf("%q: got %+v", text, v)
				}
			}
		}
	})
}
