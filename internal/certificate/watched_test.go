package certificate

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestFilesAreLookedAt once a second at most; a change is told once.
func TestFilesAreLookedAt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(os.WriteFile(one, []byte("1"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		w := Watch(one, two)
		expect := func(after time.Duration, what string, want bool) {
			t.Helper()
			time.Sleep(after) // the bubble's time
			if got := w.Changed(); got != want {
				t.Errorf("%s: got %t, want %t", what, got, want)
			}
		}
		expect(0, "at once", false)
		do(os.WriteFile(one, []byte("12"), 0o600))
		expect(lookEvery-1, "within a second", false)
		expect(1, "after a second", true)
		expect(0, "told already", false)
		expect(lookEvery, "nothing new", false)
		do(os.WriteFile(two, nil, 0o600))
		expect(lookEvery, "the other is there", true)
		do(os.WriteFile(one+".new", []byte("21"), 0o600))
		info, err := os.Stat(one)
		do(err)
		do(os.Chtimes(one+".new", time.Time{}, info.ModTime()))
		do(os.Rename(one+".new", one))
		expect(lookEvery, "replaced by one of the same size and time", true)
		do(os.Chtimes(one, time.Time{}, info.ModTime().Add(time.Nanosecond)))
		expect(lookEvery, "of another time", true)
		do(os.Remove(two))
		expect(lookEvery, "the other is gone", true)
		expect(lookEvery, "still gone", false)
	})
}
