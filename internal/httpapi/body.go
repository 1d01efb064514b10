package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxBodyBytes  = 256 << 10 // room for the largest notification, escaped
	maxBatchBytes = 8 << 20
	// maxDepth is how deep JSON may nest: deeper is nobody's data, and some readers
	// of the read model recurse.
	maxDepth = 100
	// bodyTimeout is how long a body may take to arrive.
	bodyTimeout = 30 * time.Second
	// A client that writes all of its request before it reads gets to read the
	// refusal of a body that is too large if as much as this is taken from it.
	maxDiscardBytes = 16 << 20
	discardTimeout  = 2 * time.Second
)

// readJSON reads a body of at most limit bytes and checks that it is one JSON
// value in valid UTF-8; nil for no body at all.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64) (json.RawMessage, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	if err := checkMediaType(r); err != nil {
		return nil, err
	}
	body, err := readBody(w, r, limit)
	if err != nil || len(body) == 0 {
		return nil, err
	}
	return body, checkJSON(body)
}

// checkMediaType lets JSON through, and a body that says nothing of itself.
func checkMediaType(r *http.Request) error {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return &fault{code: codeMediaType, detail: "compressed bodies are not supported: send it without Content-Encoding"}
	}
	given := r.Header.Get("Content-Type")
	if given == "" {
		return nil
	}
	media, params, err := mime.ParseMediaType(given)
	if charset := params["charset"]; err == nil && media == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8")) {
		return nil
	}
	return &fault{code: codeMediaType, detail: "bodies are JSON in UTF-8: send the header 'Content-Type: application/json' (with curl: -H 'Content-Type: application/json')"}
}

// readBody reads at most limit bytes, within the time limitArrival gave it.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		discard(w, r)
		return nil, tooLarge(limit)
	}
	body := make([]byte, 0, max(r.ContentLength, 512))
	body, err := appendAll(body, io.LimitReader(r.Body, limit+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &fault{code: codeTimeout}
	case err != nil:
		return nil, malformed("the body did not arrive in full")
	case int64(len(body)) > limit:
		discard(w, r)
		return nil, tooLarge(limit)
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // it was set when the request came
	return body, nil
}

// hurry bounds the time in which the rest of a request may arrive that is refused
// already: the server waits for it before it answers.
func hurry(w http.ResponseWriter, r *http.Request) {
	limitArrival(w, r, discardTimeout)
}

// limitArrival bounds the time in which a body may arrive, whether the endpoint
// reads it or the server throws it away.
func limitArrival(w http.ResponseWriter, r *http.Request, limit time.Duration) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit)) // recorders in tests have none
	}
}

// appendAll reads to the end; a buffer with the right capacity is not grown.
func appendAll(to []byte, from io.Reader) ([]byte, error) {
	for {
		if len(to) == cap(to) {
			to = append(to, 0)[:len(to)]
		}
		n, err := from.Read(to[len(to):cap(to)])
		to = to[:len(to)+n]
		if errors.Is(err, io.EOF) {
			return to, nil
		}
		if err != nil {
			return to, err // the caller says what it was reading
		}
	}
}

// discard takes what is left of a body, within bounds, unless the client waits to
// be told to send it.
func discard(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Expect") != "" {
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(discardTimeout))
	_, _ = io.CopyN(io.Discard, r.Body, maxDiscardBytes) // best effort: the connection is closed next
}

func tooLarge(limit int64) error {
	return &fault{code: codeTooLarge, detail: "the body is limited to " + size(limit)}
}

func size(n int64) string {
	const kib, mib = 1 << 10, 1 << 20
	if n%mib == 0 {
		return count(n/mib, "MiB")
	}
	return count(n/kib, "KiB")
}

// checkJSON says whether a body is one JSON value that means the same to
// everybody: valid UTF-8, no half of a surrogate pair, not absurdly deep.
func checkJSON(body []byte) error {
	switch {
	case !utf8.Valid(body):
		return malformed("the body is not valid UTF-8")
	case !json.Valid(body):
		return malformed("%s", whyNotJSON(body))
	}
	return checkText(body)
}

// whyNotJSON says where the text stops being JSON, without repeating it.
func whyNotJSON(body []byte) string {
	var value json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(body, &value); errors.As(err, &syntax) {
		return "the body is not JSON: see its byte " + count(syntax.Offset, "")
	}
	return "the body is not JSON"
}

// checkText walks valid JSON once, for what the grammar allows and no reader
// should have to bear.
func checkText(body []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			n := escape(body[i:])
			if n == 0 {
				return malformed("the body is not valid Unicode: an escape is half of a surrogate pair")
			}
			i += n - 1
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return malformed("the body nests deeper than %d levels", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// escape is the length of the escape at the start of the text, both halves of a
// surrogate pair taken together; 0 for half a pair.
func escape(text []byte) int {
	const single, unicode = 2, 6 // \n, é
	if text[1] != 'u' {
		return single
	}
	switch {
	case isSurrogate(text, "89abAB"):
		if text = text[unicode:]; len(text) >= unicode && text[0] == '\\' && text[1] == 'u' && isSurrogate(text, "cdefCDEF") {
			return 2 * unicode
		}
		return 0
	case isSurrogate(text, "cdefCDEF"):
		return 0
	}
	return unicode
}

// isSurrogate says whether an escape \u begins with D and has its second digit
// among the given ones.
func isSurrogate(text []byte, second string) bool {
	return (text[2] == 'd' || text[2] == 'D') && strings.IndexByte(second, text[3]) >= 0
}

// body reads a body that must be there.
func (a *api) body(w http.ResponseWriter, r *http.Request, limit int64) (json.RawMessage, error) {
	body, err := readJSON(w, r, limit)
	if err == nil && body == nil {
		return nil, malformed("a JSON body is needed")
	}
	return body, err
}

// object reads a body that must be a JSON object.
func (a *api) object(w http.ResponseWriter, r *http.Request, f *fields, limit int64) (object, error) {
	body, err := a.body(w, r, limit)
	if err != nil {
		return nil, err
	}
	return f.object(body), nil
}
