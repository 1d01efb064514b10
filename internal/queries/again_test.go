package queries

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsTooOldIsAskedAgainForAMoment(t *testing.T) {
	t.Parallel()
	other := errors.New("another")
	cases := map[string]struct {
		answers []error // the last one stays
		asked   int
		want    error
		within  time.Duration
	}{
		"at once":                  {answers: []error{nil}, asked: 1},
		"at the second try":        {answers: []error{ErrNotYetProjected, nil}, asked: 2, within: 5 * time.Millisecond},
		"at the last try":          {answers: []error{ErrNotYetProjected, ErrNotYetProjected, ErrNotYetProjected, nil}, asked: 4, within: 300 * time.Millisecond},
		"never":                    {answers: []error{ErrNotYetProjected}, asked: 4, want: ErrNotYetProjected, within: 300 * time.Millisecond},
		"no other error is passed": {answers: []error{other}, asked: 1, want: other},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began, asked := time.Now(), 0
				err := again(t.Context(), func() error {
					asked++
					return c.answers[min(asked, len(c.answers))-1]
				})
				if took := time.Since(began); !errors.Is(err, c.want) || asked != c.asked || took > c.within {
					t.Errorf("got %v after %d tries and %s, want %v after %d and at most %s", err, asked, took, c.want, c.asked, c.within)
				}
			})
		})
	}
}

func TestNobodyAsksAgainWhoseTimeIsOver(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	asked := 0
	err := again(gone, func() error { asked++; return ErrNotYetProjected })
	if !errors.Is(err, ErrNotYetProjected) || asked != 1 {
		t.Errorf("got %v after %d tries, want one", err, asked)
	}
}
