package httpapi

// plainJSON says that a text is JSON on one line, at most plainDepth deep. It may say no
// of what is: that is looked at again, slowly. It costs a fifth of json.Valid, which was a
// third of what exporting an event did.
func plainJSON(text []byte) bool {
	rest, ok := skipValue(text, plainDepth)
	return ok && len(skipSpace(rest)) == 0
}

// plainDepth is as deep as bodies may nest, and the event around them.
const plainDepth = 110

// skipValue skips spaces and a value that begins there.
func skipValue(b []byte, depth int) (rest []byte, ok bool) {
	b = skipSpace(b)
	if len(b) == 0 || depth == 0 {
		return nil, false
	}
	switch c := b[0]; {
	case c == '"':
		return skipText(b[1:])
	case c == '{':
		return skipMany(b[1:], '}', depth-1, skipMember)
	case c == '[':
		return skipMany(b[1:], ']', depth-1, skipValue)
	case c == 't':
		return skipWord(b, "true")
	case c == 'f':
		return skipWord(b, "false")
	case c == 'n':
		return skipWord(b, "null")
	default:
		return skipNumber(b)
	}
}

// skipMany skips what is separated by commas up to an end; its beginning is skipped.
func skipMany(b []byte, end byte, depth int, skip func([]byte, int) ([]byte, bool)) (rest []byte, ok bool) {
	if b = skipSpace(b); len(b) > 0 && b[0] == end {
		return b[1:], true
	}
	for {
		if b, ok = skip(b, depth); !ok {
			return nil, false
		}
		if b = skipSpace(b); len(b) == 0 {
			return nil, false
		}
		switch b[0] {
		case end:
			return b[1:], true
		case ',':
			b = b[1:]
		default:
			return nil, false
		}
	}
}

// skipMember skips a name, a colon and a value.
func skipMember(b []byte, depth int) (rest []byte, ok bool) {
	if b = skipSpace(b); len(b) == 0 || b[0] != '"' {
		return nil, false
	}
	if b, ok = skipText(b[1:]); !ok {
		return nil, false
	}
	if b = skipSpace(b); len(b) == 0 || b[0] != ':' {
		return nil, false
	}
	return skipValue(b[1:], depth)
}

// skipText skips a string to its end; its first quote is skipped.
func skipText(b []byte) (rest []byte, ok bool) {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return b[i+1:], true
		case c < ' ':
			return nil, false
		case c == '\\':
			var n int
			if n, ok = escapeBytes(b[i:]); !ok {
				return nil, false
			}
			i += n - 1
		}
	}
	return nil, false
}

// escapeBytes is how long the escape is that b begins with.
func escapeBytes(b []byte) (n int, ok bool) {
	if len(b) < 2 {
		return 0, false
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, true
	case 'u':
		for i := 2; i < 6; i++ {
			if i >= len(b) || !hexDigit(b[i]) {
				return 0, false
			}
		}
		return 6, true
	default:
		return 0, false
	}
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func skipWord(b []byte, word string) (rest []byte, ok bool) {
	if len(b) < len(word) || string(b[:len(word)]) != word {
		return nil, false
	}
	return b[len(word):], true
}

// skipNumber skips an integer, the only number with one form; what has a fraction or an
// exponent is rare.
func skipNumber(b []byte) (rest []byte, ok bool) {
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	switch {
	case n == 0, n > 1 && b[0] == '0':
		return nil, false
	case n < len(b) && (b[n] == '.' || b[n] == 'e' || b[n] == 'E'):
		return nil, false
	}
	return b[n:], true
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}
