package process

import (
	"strings"
	"unicode"
)

// visible is what a terminal may be shown of an error: servers that are asked say part
// of it, and what they say must neither move the cursor nor reorder what is read.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', unicode.IsGraphic(r):
			return r
		default:
			return '\uFFFD'
		}
	}, text)
}
