package access

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidings-io/tidings/internal/events"
)

func TestPatterns(t *testing.T) {
	t.Parallel()
	for rule, test := range map[string]struct {
		pattern, topic string
		want           bool
	}{
		"a name is itself":                     {"builds", "builds", true},
		"a name is no other":                   {"builds", "build", false},
		"case matters":                         {"Builds", "builds", false},
		"a star is anything":                   {"*", "a/b.c", true},
		"a star at the end":                    {"builds.*", "builds.main", true},
		"a star is also nothing":               {"builds.*", "builds.", true},
		"what stands before a star must be":    {"builds.*", "builds", false},
		"a star crosses separators":            {"builds.*", "builds.a/b.c", true},
		"a star at the beginning":              {"*.main", "builds.main", true},
		"a star in the middle":                 {"a*c", "abbbc", true},
		"parts do not overlap":                 {"aa*aa", "aaa", false},
		"the last part is at the end":          {"a*b", "abab", true},
		"the end must match":                   {"a*b", "aba", false},
		"two stars are as one":                 {"a**b", "axb", true},
		"parts in order":                       {"*a*b*", "xbxa", false},
		"a pattern in another form of Unicode": {"cafe\u0301", "caf\u00e9", true},
	} {
		topics, err := ParseTopics([]string{test.pattern})
		if err != nil {
			t.Fatalf("%s: %v", rule, err)
		}
		if got := topics.Match(events.Topic(test.topic)); got != test.want {
			t.Errorf("%s: %q matches %q: got %t, want %t", rule, test.pattern, test.topic, got, test.want)
		}
	}
}

func TestNoPatternsAndNoTopics(t *testing.T) {
	t.Parallel()
	var nobody *Topics
	none, err := ParseTopics(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !nobody.Match("a") || !nobody.matchUser("a") {
		t.Error("no limit keeps something out")
	}
	if none.Match("a") || none.matchUser("a") {
		t.Error("a limit without patterns lets something in")
	}
	for _, bad := range []string{"", "user:", strings.Repeat("a", 201), "\xff"} {
		if _, err := ParseTopics([]string{bad}); err == nil {
			t.Errorf("%q is taken for a pattern", bad)
		}
	}
	if _, err := ParseTopics(make([]string, maxPatterns+1)); err == nil {
		t.Error("any number of patterns is taken")
	}
}

// The matcher says what a regular expression says.
func TestPatternsAreWhatTheySay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune("ab.*")), 0, 12, -1).Draw(t, "pattern")
		name := rapid.StringOfN(rapid.SampledFrom([]rune("ab.")), 0, 16, -1).Draw(t, "name")
		want := regexp.MustCompile(`^(?s:` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`) + `)$`).MatchString(name)
		if got := match(pattern, name); got != want {
			t.Errorf("%q matches %q: got %t, want %t", pattern, name, got, want)
		}
	})
}

func FuzzTopics(f *testing.F) {
	f.Add("builds.*", "builds.main")
	f.Add("user:*", "user:ann")
	f.Add("*a*a*a*a*a*a*b", strings.Repeat("a", 200))
	f.Fuzz(func(t *testing.T, pattern, name string) {
		topics, err := ParseTopics([]string{pattern})
		if err != nil {
			return
		}
		if topics.Match(events.Topic(name)) && topics.matchUser(events.User(name)) {
			t.Errorf("%q is a pattern of topics and of users", pattern)
		}
	})
}

func FuzzKey(f *testing.F) {
	_, key, _ := NewKey()
	f.Add(key)
	f.Add("tidings_")
	f.Add("tidings_aaaaaaaaaaaaaaaa_")
	f.Add(strings.Repeat("_", keyBytes))
	f.Fuzz(func(t *testing.T, text string) {
		id, secret, ok := parseKey(text)
		if !ok {
			return
		}
		if got := keyPrefix + string(id) + keySeparator + secret; got != text {
			t.Errorf("%q was taken apart into %q", text, got)
		}
		if again, ok := ParseKeyID(string(id)); !ok || again != id {
			t.Errorf("the id %q is not read", id)
		}
	})
}
