package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// readMembers are the members of a JSON object, as they are written. It is stricter than encoding/json: a name that occurs twice, at any depth, is an
// error, since two readers may take two different values for it; so is what is not UTF-8. Names that differ in case are two names.
//
// It is one pass over the text however deep that nests, and without recursion: a header is read before the signature is checked.
func readMembers(text []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("the text is not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a number of any size is one
	members := map[string]json.RawMessage{}
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return nil, errors.New("the text is no object")
	}
	var name string // of the member that is being read
	var start int64 // where that name ends
	for open := []level{{names: map[string]bool{}}}; len(open) > 0; {
		next, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("read an object: %w", err)
		}
		top := &open[len(open)-1]
		if text, isName := top.name(next); isName {
			if top.names[text] {
				return nil, errors.New("a name occurs twice")
			}
			top.names[text], top.named = true, true
			if len(open) == 1 {
				name, start = text, decoder.InputOffset()
			}
			continue
		}
		switch next {
		case json.Delim('{'):
			open = append(open, level{names: map[string]bool{}})
			continue
		case json.Delim('['):
			open = append(open, level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		if len(open) == 1 { // a member's value has ended
			members[name] = bytes.TrimLeft(text[start:decoder.InputOffset()], ": \t\r\n")
		}
		if len(open) > 0 {
			open[len(open)-1].named = false
		}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return members, nil
}

// level is an object or a list that has begun and not ended.
type level struct {
	names map[string]bool // so far; nil for a list
	named bool            // whether a name was read and its value was not
}

// name tells whether next is a name there, and which.
func (l *level) name(next json.Token) (string, bool) {
	if l.names == nil || l.named {
		return "", false
	}
	name, ok := next.(string) // else it is the object's end
	return name, ok
}
