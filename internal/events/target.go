package events

import (
	"encoding/json"
	"errors"
	"strings"
)

// Target is whom a notification is for: exactly one of Topic and User is set.
// Its text form is "topic:<topic>" or "user:<user>".
type Target struct {
	Topic Topic
	User  User
}

// ParseTarget reads the text form and checks the name in it.
func ParseTarget(s string) (Target, error) {
	if name, ok := strings.CutPrefix(s, "topic:"); ok {
		topic, err := ParseTopic(name)
		return Target{Topic: topic}, err
	}
	if name, ok := strings.CutPrefix(s, "user:"); ok {
		user, err := ParseUser(name)
		return Target{User: user}, err
	}
	return Target{}, errors.New(`a target is "topic:<topic>" or "user:<user>"`)
}

// String is the text form.
func (t Target) String() string {
	if t.User != "" {
		return "user:" + string(t.User)
	}
	return "topic:" + string(t.Topic)
}

// MarshalText writes the text form.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalJSON reads the text form. Null is refused, as the empty text is, where an
// UnmarshalText would never be asked: a target that is neither topic nor user could
// not be written again.
func (t *Target) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New("a target is a string")
	}
	parsed, err := ParseTarget(text)
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}
