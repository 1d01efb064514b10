package events

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// FuzzTime: a time that is accepted is written as RFC 3339 has it, is in UTC, and is
// the same when it is written and read again.
func FuzzTime(f *testing.F) {
	for _, text := range []string{
		"2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00,5Z", "2026-01-31T1:00:00Z", "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00-23:59",
		"2026-01-31T12:00:00+00:60", "0000-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-31T24:00:00Z",
		"2016-12-31T23:59:60Z", "2026-01-31 12:00:00Z", "2026-01-31t12:00:00z", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00-00:00", "2026-01-31T12:00:00." + strings.Repeat("9", 999) + "Z",
		"now", "", "\x00", "\xff",
	} {
		f.Add(text)
	}
	// RFC 3339, 5.6, without the lower case it lets one leave out, and without leap seconds.
	rule := regexp.MustCompile(`\A[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])\z`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTime(text)
		if err != nil {
			if rule.MatchString(text) && text[8:10] <= "28" {
				t.Errorf("%q: %v", text, err)
			}
			quiet(t, err, text)
			return
		}
		if !rule.MatchString(text) || got.Location() != time.UTC {
			t.Fatalf("%q is %s", text, got)
		}
		if got.Year() < 0 || got.Year() > 9999 {
			return // it has no form of four digits in UTC
		}
		if again, err := ParseTime(got.Format(time.RFC3339Nano)); err != nil || !again.Equal(got) {
			t.Errorf("%q is %s, and that is %s, %v", text, got, again, err)
		}
	})
}
