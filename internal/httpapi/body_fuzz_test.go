package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// What failed once, and what led to new code, is kept in testdata/fuzz.

// FuzzBody: a body is read exactly where it is one JSON value that means the same to
// everybody, and is handed on as it came. A refusal is the client's, says why, and
// repeats nothing of the body.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		`{"to":["user:a"],"title":"t"}`, `{}`, `[]`, `null`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83d\n"`, `"\ud83dx"`, `"\ufffd"`, `"\\ud83d"`, `"\\\ud83d"`, `"\u0000"`, `"\uD83D\uDE00"`,
		`{"a":1,"a":2}`, `{"a":1}{}`, `{"a":1} `, "\ufeff{}", "{\"\xff\":1}", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", `{`, `{"a":}`, `nul`, `1e999`, `-`, ` `, "\"\n\"", `'a'`, `{"]":"[[["}`,
		strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth), strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1), strings.Repeat(`{"a":`, 200), strings.Repeat("[],", 200),
		"[" + strings.TrimSuffix(strings.Repeat("[[]],", 200), ",") + "]", `"` + strings.Repeat("x", fuzzedLimit) + `"`,
	} {
		f.Add([]byte(body), true)
		f.Add([]byte(body), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, sized bool) {
		var from io.Reader = bytes.NewReader(body)
		if !sized {
			from = struct{ io.Reader }{from}
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", from)
		got, err := readJSON(httptest.NewRecorder(), r, fuzzedLimit)
		if len(body) == 0 {
			if got != nil || err != nil {
				t.Fatalf("no body: %q, %v", got, err)
			}
			return
		}
		want := meansOneThing(body)
		if (err == nil) != want {
			t.Fatalf("%q: %v, and it should be read: %v", body, err, want)
		}
		if err != nil {
			checkFault(t, err, body)
			return
		}
		if !bytes.Equal(got, body) {
			t.Errorf("%q came as %q", body, got)
		}
	})
}

// fuzzedLimit is the limit of the bodies in FuzzBody: small, so that it is met.
const fuzzedLimit = 2 << 10

// meansOneThing is the rule for bodies, written with no thought for speed.
func meansOneThing(body []byte) bool {
	return len(body) <= fuzzedLimit && utf8.Valid(body) && json.Valid(body) && depth(body) <= maxDepth && !hasHalfPair(body)
}

func depth(body []byte) (deepest int) {
	now, d := 0, json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			now++
			deepest = max(deepest, now)
		case json.Delim(']'), json.Delim('}'):
			now--
		}
	}
}

// hasHalfPair looks at every string as Go reads it: a half of a surrogate pair becomes
// U+FFFD, of which the text then has more than it spells out.
func hasHalfPair(body []byte) bool {
	spelt := strings.ReplaceAll(string(body), `\\`, "  ")
	want := strings.Count(spelt, "\ufffd") + strings.Count(strings.ToLower(spelt), `\ufffd`)
	got, d := 0, json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return got != want
		}
		if text, ok := token.(string); ok {
			got += strings.Count(text, "\ufffd")
		}
	}
}

func checkFault(t *testing.T, err error, given []byte) {
	t.Helper()
	const most = 100 // what we say ourselves
	var found *fault
	if !errors.As(err, &found) {
		t.Fatalf("%q: %v is no fault of the client's", given, err)
	}
	if p := problemOf(err); p.Status < 400 || p.Status >= 500 || len(found.detail) > most {
		t.Errorf("%q: %d %s", given, p.Status, found.detail)
	}
}
