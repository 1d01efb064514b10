package commands

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Flaw is one thing wrong with a request: the field, as a path such as
// "to[3]", and what to do about it.
type Flaw struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// maxUnknown is how many members that nobody knows are named in one answer. Whoever
// sends more has not mistyped them, and an answer must not be many times as long as
// its request.
const maxUnknown = 20

// UnknownFields are the flaws of members that are no fields of something.
func UnknownFields(names []string, of string) []Flaw {
	slices.Sort(names)
	named := names[:min(len(names), maxUnknown)]
	flaws := make([]Flaw, 0, len(named)+1)
	for _, name := range named {
		flaws = append(flaws, Flaw{FieldName(name), "is not a field of " + of})
	}
	if more := len(names) - len(named); more > 0 {
		flaws = append(flaws, Flaw{"", fmt.Sprintf("%d more members are not fields of %s", more, of)})
	}
	return flaws
}

// FieldName is an unknown member's name as far as it may be repeated.
func FieldName(name string) string {
	const most = 64
	if utf8.RuneCountInString(name) > most {
		return string([]rune(name)[:most]) + "…"
	}
	return name
}
