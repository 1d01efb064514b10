package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Colours of a terminal.
const (
	faint = "\x1b[2m"
	bold  = "\x1b[1m"
	plain = "\x1b[0m"
)

// shownRunes is how much of what an event says fits beside the rest on a wide screen.
const shownRunes = 100

// Line is an event as people read it: when, where, what, of whom, and the beginning of what it says. What comes from
// elsewhere cannot move the cursor: characters that are not seen are left out.
func Line(e *Event, colours bool) string {
	paint := func(colour, text string) string {
		if !colours {
			return text
		}
		return colour + text + plain
	}
	actor := e.Metadata.Actor
	if actor == "" {
		actor = "-"
	}
	return fmt.Sprintf("%s %s %s %s %s %s",
		paint(faint, e.At.Local().Format(time.DateTime+".000")), paint(faint, fmt.Sprintf("%8d", e.Position)), //nolint:gosmopolitan // people read it
		paint(bold, fmt.Sprintf("%-19s", Seen(e.Type))), Seen(e.Stream), paint(faint, "by "+Seen(actor)), short(e.Data))
}

// short is the beginning of what an event says.
func short(data json.RawMessage) string {
	text := Seen(string(data))
	if utf8.RuneCountInString(text) <= shownRunes {
		return text
	}
	return string([]rune(text)[:shownRunes-1]) + "…"
}

// Seen is a text without what is not seen.
func Seen(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return -1
	}, text)
}

// Escaped is JSON that means the same, in which no character is left that steers a terminal.
func Escaped(text []byte) []byte {
	if !bytes.ContainsFunc(text, hidden) {
		return text
	}
	var b []byte
	for _, r := range string(text) { // outside strings JSON has none of them
		if !hidden(r) {
			b = utf8.AppendRune(b, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			b = fmt.Appendf(b, "\\u%04x", unit)
		}
	}
	return b
}

func hidden(r rune) bool { return !unicode.IsGraphic(r) && r != '\t' }
