package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/queries"
)

// FuzzPrefer: a preference is a wait within bounds, or none; its spelling alone
// decides, in one line or in two.
func FuzzPrefer(f *testing.F) {
	for _, value := range []string{
		"wait=5", "wait=0", "wait=30", "wait=31", "wait=99999999999999999999", "wait=-1", "wait=+1", "wait=5s", "wait", "wait=", `wait="5"`, `WAIT = 5 ; x=y`, "respond-async, wait=5",
		"wait=a, wait=5", "waiting=5", `foo="a,wait=5"`, ",,,", ";", "=", "wait=5.5", "wait=0x5", "wait=\u0665", "\x00", "\xff",
	} {
		f.Add(value, "")
	}
	f.Add("return=minimal", "wait=5")
	f.Fuzz(func(t *testing.T, one, two string) {
		got := preferredWait(http.Header{"Prefer": {one, two}})
		if got < 0 || got > maxWait || got%time.Second != 0 {
			t.Fatalf("%q, %q: %s", one, two, got)
		}
		if got > 0 && !strings.Contains(strings.ToLower(one+two), "wait") {
			t.Errorf("%q, %q: %s, and nobody asked for it", one, two, got)
		}
		if joined := preferredWait(http.Header{"Prefer": {one + "," + two}}); joined != got {
			t.Errorf("%q, %q: %s, and in one line %s", one, two, got, joined)
		}
	})
}

// FuzzIdempotencyKey: a key that is taken has 1 to 255 characters, and no other makes
// the same id.
func FuzzIdempotencyKey(f *testing.F) {
	for _, key := range []string{"", "k", "build-42", `k" "k`, "k\x00", "\xff", "\ufffd", `\xff`, " k", "ключ", strings.Repeat("é", 255), strings.Repeat("é", 256), strings.Repeat("\xff", 256)} {
		f.Add(key, "k")
		f.Add(key, key)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.Header["Idempotency-Key"] = []string{one}
		var read fields
		k := read.key(r)
		taken := len(read.flaws) == 0
		if n := utf8.RuneCountInString(one); taken != (n >= 1 && n <= maxKeyRunes) {
			t.Fatalf("a key of %d characters: %v", n, read.flaws)
		}
		for _, flaw := range read.flaws {
			if len(one) > 8 && strings.Contains(flaw.Message, one) {
				t.Errorf("the flaw repeats the key: %s", flaw.Message)
			}
		}
		if taken && (!k.given || k.text != one) {
			t.Errorf("%q was read as %+v", one, k)
		}
		if same := events.KeyedID("s", "r", one) == events.KeyedID("s", "r", two); same != (one == two) {
			t.Errorf("%q and %q make the same id: %v", one, two, same)
		}
		r.Header["Idempotency-Key"] = []string{one, two}
		var twice fields
		if twice.key(r); len(twice.flaws) != 1 {
			t.Errorf("two keys have the flaws %v", twice.flaws)
		}
	})
}

// FuzzTraceParent: what is kept of the header is it, where it is a trace context of
// version 0, and otherwise nothing. FuzzTraceParent and FuzzRequestID bound what events
// carry of a request.
func FuzzTraceParent(f *testing.F) {
	const valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, value := range []string{
		valid, strings.ToUpper(valid), valid + "-x", valid[:54], "ff" + valid[2:], "01" + valid[2:], "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", strings.ReplaceAll(valid, "-", "_"), " " + valid, strings.Repeat("0", 55), "", "\xff",
	} {
		f.Add(value)
	}
	rule := regexp.MustCompile(`\A00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\z`)
	f.Fuzz(func(t *testing.T, value string) {
		got := traceParent(http.Header{"Traceparent": {value}})
		want := ""
		if rule.MatchString(value) && strings.Trim(value[3:35], "0") != "" && strings.Trim(value[36:52], "0") != "" {
			want = value
		}
		if got != want {
			t.Errorf("%q is kept as %q, want %q", value, got, want)
		}
	})
}

// FuzzRequestID: a request has the id it came with where that is 1-128 visible ASCII
// characters, and one of ours otherwise.
func FuzzRequestID(f *testing.F) {
	for _, value := range []string{"", "r-1", "a b", "a\tb", "é", "\x7f", "\xff", strings.Repeat("~", 128), strings.Repeat("!", 129), "a\r\nX: y"} {
		f.Add(value)
	}
	rule := regexp.MustCompile(`\A[\x21-\x7e]{1,128}\z`)
	ours := uuid.UUID{1}
	f.Fuzz(func(t *testing.T, value string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header["X-Request-Id"] = []string{value}
		w := httptest.NewRecorder()
		got, want := requestID(identify(w, r, func() uuid.UUID { return ours })), ours.String()
		if rule.MatchString(value) {
			want = value
		}
		if got != want || w.Header().Get("X-Request-Id") != want {
			t.Errorf("%q: the request is %q and answered as %q, want %q", value, got, w.Header().Get("X-Request-Id"), want)
		}
	})
}

// FuzzAsOf: an as_of is a position, a time as RFC 3339 has it, or a flaw; never now.
func FuzzAsOf(f *testing.F) {
	for _, text := range []string{
		"", "0", "7", "07", "-7", "9223372036854775807", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00,5Z", "2026-01-31T1:00:00Z", "2026-01-31T12:00:00+24:00",
		"2026-01-31T12:00:00-23:59", "2026-01-31T12:00:00+00:60", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z",
		"2026-01-31T24:00:00Z", "2016-12-31T23:59:60Z", "2026-01-31 12:00:00Z", "2026-01-31t12:00:00z", "now", "2026-01-31T12:00:00 01:00", "2026-01-31T12:00:00.Z", "\x00", "\xff",
	} {
		f.Add(text)
	}
	rule := regexp.MustCompile(`\A\d{4}-\d\d-\d\dT\d\d:[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)\z`)
	f.Fuzz(func(t *testing.T, text string) {
		q := &ask{values: url.Values{"as_of": {text}}}
		got := q.asOf()
		position, err := events.ParsePosition(text)
		isPosition := err == nil
		if len(q.flaws) > 0 {
			if isPosition {
				t.Errorf("%q is the position %s, and has the flaws %v", text, position, q.flaws)
			}
			if len(text) > 40 && strings.Contains(q.flaws[0].Message, text) {
				t.Errorf("the flaw repeats %q", text)
			}
			return
		}
		switch {
		case got == queries.AsOf{}:
			t.Errorf("%q is of now", text)
		case isPosition && position > 0:
			if got != (queries.AsOf{Position: position}) {
				t.Errorf("%q is of %+v", text, got)
			}
		case !isPosition && !rule.MatchString(text):
			t.Errorf("%q is no RFC 3339 time, and is of %+v", text, got)
		case got.Time.Location() != time.UTC || got.Time.Year() < 1970 || got.Time.Year() > 9999:
			t.Errorf("%q is of %+v", text, got)
		}
	})
}

// FuzzFollow: where a stream begins is read off a request without loss, and a bad
// wish is refused before the stream begins.
func FuzzFollow(f *testing.F) {
	for _, s := range [][2]string{
		{"", ""}, {"7", ""}, {"", "last_event_id=7"}, {"8", "last_event_id=7&history=3"}, {"", "history=1000"}, {"", "history=1001"}, {"", "history=-1"}, {"", "history=%2B1"}, {"", "history=1e3"},
		{"", "history=99999999999999999999"}, {"", "history=&history=x"}, {"", "last_event_id=%00"}, {"\xff", "history=x"}, {"", "a;b"}, {"", "%zz"}, {"earliest", "history=x"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, header, query string) {
		r := &http.Request{Header: http.Header{"Last-Event-Id": {header}}, URL: &url.URL{RawQuery: query}}
		req, err := followRequest("ann", r)
		values, _ := url.ParseQuery(query) // a query that cannot be read was refused before
		id := header
		if id == "" {
			id = values.Get("last_event_id")
		}
		if req.User != "ann" || req.LastEventID != id || req.Newest < 0 || req.Newest > maxHistory {
			t.Errorf("%q, %q is read as %+v", header, query, req)
		}
		if err != nil && (id != "" || values.Get("history") == "" || len(err.Error()) > 60) {
			t.Errorf("%q, %q: %v", header, query, err)
		}
		if id != "" && req.Newest != 0 {
			t.Errorf("a resume from %q asks for %d more", id, req.Newest)
		}
	})
}
