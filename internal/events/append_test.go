package events

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/uuid"
)

func TestCheckAppend(t *testing.T) {
	t.Parallel()
	anyError := errors.New("any error")
	of := func(typ string, data, metadata int) []Proposed {
		return []Proposed{{ID: uuid.New(), Type: typ, Data: make(json.RawMessage, data), Metadata: make(json.RawMessage, metadata)}}
	}
	for name, test := range map[string]struct {
		stream StreamName
		evs    []Proposed
		want   error
	}{
		"an event":                  {"s", of("t", 2, 2), nil},
		"no event":                  {"s", nil, anyError},
		"no stream":                 {"", of("t", 2, 2), anyError},
		"the metadata of no stream": {"$$", of("t", 2, 2), anyError},
		"no type":                   {"s", of("", 2, 2), anyError},
		"no id":                     {"s", []Proposed{{Type: "t"}}, anyError},
		"as large as can be":        {"s", of("t", MaxAppendBytes-12, 10), nil},
		"a byte more":               {"s", of("t", MaxAppendBytes-12, 11), ErrTooLarge},
		"a type of two bytes is as long as of one": {"s", of("é", MaxAppendBytes-12, 10), nil},
		"one outside the basic plane is two long":  {"s", of("𝄞", MaxAppendBytes-14, 10), nil},
		"and not less": {"s", of("𝄞", MaxAppendBytes-14, 11), ErrTooLarge},
		"what is not UTF-8 counts as what is read": {"s", of("\xff", MaxAppendBytes-12, 10), nil},
		"several count together":                   {"s", append(of("t", MaxAppendBytes/2, 0), of("t", MaxAppendBytes/2, 0)...), ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := CheckAppend(test.stream, test.evs)
			if (err == nil) != (test.want == nil) || errors.Is(test.want, ErrTooLarge) && !errors.Is(err, ErrTooLarge) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}
