package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func rollOf(t *testing.T, cost int, names ...string) *roll {
	t.Helper()
	hashes := map[string][]byte{}
	for _, name := range names {
		hash, err := bcrypt.GenerateFromPassword([]byte(name), cost)
		if err != nil {
			t.Fatal(err)
		}
		hashes[name] = hash
	}
	return newRoll(hashes, make(chan struct{}, 1))
}

// TestWhatWasCheckedIsRemembered: with nobody hashing any more, it is still known, and nothing else is.
func TestWhatWasCheckedIsRemembered(t *testing.T) {
	t.Parallel()
	r := rollOf(t, bcrypt.MinCost, "alice", "bob")
	check := func(ctx context.Context) {
		t.Helper()
		for who, want := range map[[2]string]bool{
			{"alice", "alice"}: true, {"alice", "bob"}: false, {"bob", "bob"}: true, {"carol", "alice"}: false, {"alice", ""}: false,
		} {
			if got, err := r.knows(ctx, who[0], who[1]); got != want || err != nil {
				t.Errorf("%v: got %t, %v, want %t", who, got, err, want)
			}
		}
	}
	check(t.Context())
	r.hashing <- struct{}{} // nobody gets to hash
	over, end := context.WithCancel(t.Context())
	end()
	check(over)
	if _, err := r.knows(over, "alice", "new"); !errors.Is(err, context.Canceled) {
		t.Errorf("a password not seen before: got %v, want that the call has ended", err)
	}
	if _, err := r.knows(over, "aliceb", "ob"); !errors.Is(err, context.Canceled) {
		t.Errorf("the same letters otherwise: got %v, want that it is not known", err)
	}
}

// TestWhoWaitedNeedNotHash what another has found out meanwhile.
func TestWhoWaitedNeedNotHash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := rollOf(t, bcrypt.MinCost, "alice")
		r.hashing <- struct{}{}
		answer := make(chan bool, 1)
		go func() {
			right, err := r.knows(t.Context(), "alice", "not hers")
			answer <- right && err == nil
		}()
		synctest.Wait()
		r.remember("alice", r.digest("alice", "not hers"), true) // only to tell it from what hashing would say
		<-r.hashing
		if !<-answer {
			t.Error("it was hashed again")
		}
	})
}

// TestOnlyTheWholePasswordIsRight, though bcrypt does not see what is beyond its length.
func TestOnlyTheWholePasswordIsRight(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("x", maxPasswordBytes)
	r := rollOf(t, bcrypt.MinCost, longest)
	for password, want := range map[string]bool{longest: true, longest + "y": false, longest[1:]: false} {
		if got := r.check(longest, password); got != want {
			t.Errorf("%d bytes: got %t, want %t", len(password), got, want)
		}
	}
}

// TestWhatIsKeptOfPasswordsIsBounded whatever is tried.
func TestWhatIsKeptOfPasswordsIsBounded(t *testing.T) {
	t.Parallel()
	r := rollOf(t, bcrypt.MinCost, "alice")
	for i := range 3 * rememberedWrong {
		r.remember("alice", r.digest("alice", fmt.Sprint(i)), i%2 == 0)
		if len(r.wrong) > rememberedWrong || len(r.right) > 1 {
			t.Fatalf("after %d: %d wrong and %d right ones are kept", i, len(r.wrong), len(r.right))
		}
	}
}

func TestWhoWaitsIsBounded(t *testing.T) {
	t.Parallel()
	r := rollOf(t, bcrypt.MinCost, "alice")
	r.hashing <- struct{}{}
	for range maxWaiting {
		r.waiting <- struct{}{}
	}
	if _, err := r.knows(t.Context(), "alice", "alice"); !errors.Is(err, errBusy) {
		t.Errorf("got %v, want that too many wait", err)
	}
	<-r.waiting
	<-r.hashing
	if right, err := r.knows(t.Context(), "alice", "alice"); !right || err != nil {
		t.Errorf("when there is room again: got %t, %v", right, err)
	}
	if len(r.waiting) != maxWaiting-1 || len(r.hashing) != 0 {
		t.Errorf("a place was not given back: %d wait, %d hash", len(r.waiting), len(r.hashing))
	}
}

// TestNobodyTellsUsersByTheTime: a refusal takes what the dearest hash does, whoever is named. The least of several times is compared, and
// more of them are taken while the machine is busy: without the work it would be nothing, or an eighth, however often.
func TestNobodyTellsUsersByTheTime(t *testing.T) {
	t.Parallel()
	const cheap, dear, rounds = bcrypt.MinCost, 7, 50
	r := rollOf(t, dear, "dear")
	maps.Copy(r.hashes, rollOf(t, cheap, "cheap").hashes)
	r = newRoll(r.hashes, r.hashing)
	cases := [][2]string{{"dear", "wrong"}, {"cheap", "wrong"}, {"nobody", "wrong"}, {"dear", string(make([]byte, maxPasswordBytes+1))}}
	least := []time.Duration{time.Hour, time.Hour, time.Hour, time.Hour}
	for range rounds {
		for i, c := range cases {
			began := time.Now()
			if r.check(c[0], c[1]) {
				t.Fatalf("%s has another password", c[0])
			}
			least[i] = min(least[i], time.Since(began))
		}
		if slices.Min(least) >= least[0]/3 {
			return
		}
	}
	t.Errorf("a dear hash, a cheap one, nobody's and a long password are refused in %s: that tells them apart", least)
}
