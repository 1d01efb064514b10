package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestTheRawLogKeepsWhatItAnswered(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "segment")
	log, err := openRaw(name)
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 50
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := log.append(newStream(), newEvent()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
	if got, err := readRaw(name); err != nil || got != writers*each {
		t.Errorf("read %d events, %v, want %d", got, err, writers*each)
	}

	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)-1] ^= 1
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readRaw(name); err == nil {
		t.Errorf("read %d events of a damaged file, want an error: the floor must check what the log checks", got)
	}
}

func TestRatiosAreOfRunsBesideEachOther(t *testing.T) {
	t.Parallel()
	// The machine was half as fast in the second run: the ratio is what stays.
	if got, want := ratio([]float64{50, 25, 60}, []float64{100, 50, 100}), "50 % (50-60)"; got != want {
		t.Errorf("ratio %s, want %s", got, want)
	}
}
