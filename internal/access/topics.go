package access

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/tidings-io/tidings/internal/events"
)

const (
	maxPatterns     = 100
	maxPatternRunes = 200 // as a topic's
	// usersPrefix marks a pattern of users that a publisher with limited topics may
	// name, as targets have it.
	usersPrefix = "user:"
)

// Topics are patterns of topics. The nil Topics match every topic, Topics without
// a pattern none.
type Topics struct {
	topics, users []string
}

// ParseTopics reads patterns: a topic's name in which * stands for any characters,
// also none and also separators. One that begins with user: is of users that may
// be published to.
func ParseTopics(patterns []string) (*Topics, error) {
	if len(patterns) > maxPatterns {
		return nil, fmt.Errorf("there are more than %d patterns of topics", maxPatterns)
	}
	t := &Topics{}
	for _, p := range patterns {
		if !utf8.ValidString(p) || p == "" || utf8.RuneCountInString(p) > maxPatternRunes {
			return nil, fmt.Errorf("a pattern of topics has 1 to %d characters", maxPatternRunes)
		}
		if name, ok := strings.CutPrefix(p, usersPrefix); ok {
			if name == "" {
				return nil, errors.New("the pattern user: names nobody: user:* is everybody")
			}
			t.users = append(t.users, name)
			continue
		}
		t.topics = append(t.topics, norm.NFC.String(p))
	}
	return t, nil
}

// Match says whether a topic matches any pattern.
func (t *Topics) Match(topic events.Topic) bool {
	return t == nil || matchAny(t.topics, string(topic))
}

func (t *Topics) matchUser(user events.User) bool {
	return t == nil || matchAny(t.users, string(user))
}

func matchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if match(p, name) {
			return true
		}
	}
	return false
}

// match goes through the pattern's parts between stars from left to right, each as
// early as it can stand, which is enough for stars that match anything, and takes
// no longer than len(pattern) × len(name).
func match(pattern, name string) bool {
	first, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	name, ok := strings.CutPrefix(name, first)
	if !ok {
		return false
	}
	for {
		part, later, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name, rest = name[at+len(part):], later
	}
}
