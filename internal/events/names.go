package events

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// User names a person or program with an inbox. See ParseUser for the rule.
type User string

// Topic names what one can subscribe to, in Unicode NFC. See ParseTopic.
type Topic string

const (
	maxUserRunes  = 128
	maxTopicRunes = 200
)

// ParseUser checks a user's name: 1-128 characters of A-Z a-z 0-9 . _ @ : + -,
// the first a letter, digit, _ or +.
func ParseUser(s string) (User, error) {
	switch {
	case s == "":
		return "", errors.New("a user's name is empty")
	case len(s) > maxUserRunes:
		return "", fmt.Errorf("a user's name has at most %d characters", maxUserRunes)
	}
	for i := range len(s) {
		c := s[i]
		letterOrDigit := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '+'
		if letterOrDigit || i > 0 && strings.IndexByte(".@:-", c) >= 0 {
			continue
		}
		return "", errors.New("a user's name has only A-Z a-z 0-9 . _ @ : + - and begins with a letter, digit, _ or +")
	}
	return User(s), nil
}

// ParseTopic brings a topic's name to Unicode NFC and checks it: 1-200
// characters, Unicode letters, marks, digits and . _ : / @ + -, the first a
// letter or digit, with no empty, "." or ".." segment between slashes.
func ParseTopic(s string) (Topic, error) {
	// NFC changes a name's length by a small factor only, so that an absurdly long
	// one is refused before it costs anything.
	if len(s) > maxTopicRunes*utf8.UTFMax*3 {
		return "", fmt.Errorf("a topic's name has at most %d characters", maxTopicRunes)
	}
	if !utf8.ValidString(s) {
		return "", errors.New("a topic's name is not valid UTF-8")
	}
	s = norm.NFC.String(s)
	switch n := utf8.RuneCountInString(s); {
	case n == 0:
		return "", errors.New("a topic's name is empty")
	case n > maxTopicRunes:
		return "", fmt.Errorf("a topic's name has at most %d characters", maxTopicRunes)
	}
	for i, r := range s {
		if unicode.IsLetter(r) || unicode.Is(unicode.Nd, r) {
			continue
		}
		if i == 0 {
			return "", errors.New("a topic's name begins with a letter or a digit")
		}
		if !unicode.IsMark(r) && !strings.ContainsRune("._:/@+-", r) {
			return "", errors.New("a topic's name has only letters, marks, digits and . _ : / @ + -")
		}
	}
	for segment := range strings.SplitSeq(s, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return "", errors.New(`a topic's name has no empty, "." or ".." segment between slashes`)
		}
	}
	return Topic(s), nil
}
