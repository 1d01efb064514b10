package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// binEnv names the directory of initdb and postgres, before any place we know.
const binEnv = "TIDINGS_POSTGRES_BIN"

// oldestMajor is the first version with everything we use.
const oldestMajor = 14

const howToInstall = `install the PostgreSQL server programs (initdb and postgres, version 14 or later):
  Debian, Ubuntu:  apt-get install postgresql
  Fedora:          dnf install postgresql-server
  Alpine:          apk add postgresql
  macOS:           brew install postgresql
or name the directory that holds them in ` + binEnv

// ErrNotInstalled is what Start's error is when the machine has no PostgreSQL server programs.
var ErrNotInstalled = errors.New("no PostgreSQL found: " + howToInstall)

// installedAt are the places where systems put the programs, one directory per version.
var installedAt = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
	"/usr/libexec/postgresql*",                           // Alpine
	"/usr/pgsql-*/bin",                                   // the PostgreSQL project's own packages for Fedora and its kin
	"/opt/homebrew/opt/postgresql*/bin",                  // Homebrew on Apple silicon
	"/usr/local/opt/postgresql*/bin",                     // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",     // Homebrew on Linux
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
}

// binaries is a directory with the programs of one version.
type binaries struct{ dir string }

func (b binaries) initdb() string   { return filepath.Join(b.dir, "initdb") }
func (b binaries) postgres() string { return filepath.Join(b.dir, "postgres") }

// findBinaries returns every installation, the one to prefer first.
func findBinaries() ([]binaries, error) {
	if dir := os.Getenv(binEnv); dir != "" {
		if b := (binaries{dir}); b.complete() {
			return []binaries{b}, nil
		}
		return nil, fmt.Errorf("%s=%s holds no initdb and postgres: %w", binEnv, dir, ErrNotInstalled)
	}
	var dirs []string
	for _, pattern := range installedAt {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("look for PostgreSQL at %s: %w", pattern, err)
		}
		dirs = append(dirs, matches...)
	}
	newestFirst(dirs)
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
		if target, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(target))
		}
	}
	return complete(dirs)
}

func complete(dirs []string) ([]binaries, error) {
	var found []binaries
	for _, dir := range dirs {
		if b := (binaries{dir}); b.complete() && !slices.Contains(found, b) {
			found = append(found, b)
		}
	}
	if len(found) == 0 {
		return nil, ErrNotInstalled
	}
	return found, nil
}

func (b binaries) complete() bool { return exists(b.initdb()) && exists(b.postgres()) }

var number = regexp.MustCompile(`\d+`)

// newestFirst orders directories by the version in their names, compared as numbers: 10 is
// newer than 9.6. Those without a number come last, in the order given.
func newestFirst(dirs []string) {
	slices.SortStableFunc(dirs, func(a, b string) int {
		return slices.CompareFunc(numbersOf(b), numbersOf(a), cmp.Compare[int])
	})
}

func numbersOf(path string) []int {
	var all []int
	for _, digits := range number.FindAllString(path, -1) {
		n, err := strconv.Atoi(digits)
		if err != nil {
			continue // more digits than an int holds is no version
		}
		all = append(all, n)
	}
	return all
}

// major asks the programs for their version, such as 15.
func (b binaries) major(ctx context.Context) (int, error) {
	//nolint:gosec // the path is one we found or were told by the operator
	out, err := exec.CommandContext(ctx, b.postgres(), "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("ask %s for its version: %w", b.postgres(), err)
	}
	major, err := strconv.Atoi(number.FindString(string(out)))
	if err != nil {
		return 0, fmt.Errorf("read the version of %s from %q: %w", b.postgres(), out, err)
	}
	return major, nil
}

// choose returns the first installation of the wanted version, or the first that is new enough
// when any will do (want 0).
func choose(ctx context.Context, found []binaries, want int) (binaries, error) {
	var seen []int
	for _, b := range found {
		major, err := b.major(ctx)
		if err != nil {
			return binaries{}, err
		}
		if major == want || want == 0 && major >= oldestMajor {
			return b, nil
		}
		seen = append(seen, major)
	}
	if want == 0 {
		return binaries{}, fmt.Errorf("found PostgreSQL %v, too old: %s", seen, howToInstall)
	}
	return binaries{}, fmt.Errorf("the tables were made by PostgreSQL %d, but only %v is installed: install that version, "+
		"or remove the directory to begin with empty tables", want, seen)
}
