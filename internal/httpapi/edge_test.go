package httpapi

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given string
		kept  bool
	}{
		"none is made":                              {"", false},
		"visible ASCII is kept":                     {"import-0123456789abcdef-17!~", true},
		"128 characters are kept":                   {strings.Repeat("x", 128), true},
		"129 characters are not":                    {strings.Repeat("x", 129), false},
		"a space is not":                            {"a b", false},
		"a tab is not":                              {"a\tb", false},
		"what is not ASCII is not":                  {"é", false},
		"the control character DEL is not":          {"a\x7f", false},
		"a byte that is no character at all is not": {"\xff", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := usable(test.given); got != test.kept {
				t.Errorf("usable(%q) = %t, want %t", test.given, got, test.kept)
			}
		})
	}
}

func TestTraceParents(t *testing.T) {
	t.Parallel()
	const valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	tests := map[string]struct {
		given string
		kept  bool
	}{
		"a valid one is kept":           {valid, true},
		"nothing is nothing":            {"", false},
		"another version is not read":   {"01" + valid[2:], false},
		"upper case is not valid":       {strings.ToUpper(valid), false},
		"a trace of zeros is not valid": {"00-" + strings.Repeat("0", 32) + valid[35:], false},
		"a parent of zeros is not":      {valid[:36] + strings.Repeat("0", 16) + "-01", false},
		"more than there should be":     {valid + "-x", false},
		"less than there should be":     {valid[:54], false},
		"dashes elsewhere":              {strings.Replace(valid, "-b", "0b", 1), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := ""
			if test.kept {
				want = test.given
			}
			if got := traceParent(http.Header{"Traceparent": {test.given}}); got != want {
				t.Errorf("traceParent(%q) = %q, want %q", test.given, got, want)
			}
		})
	}
}

func TestCheckText(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		ok   bool
	}{
		"plain":                             {`{"a":["b",1]}`, true},
		"a pair of surrogates":              {`"\ud83d\ude00"`, true},
		"in upper case":                     {`"\uD83D\uDE00"`, true},
		"two pairs":                         {`"\ud83d\ude00\ud83d\ude00"`, true},
		"the first half alone":              {`"\ud83d"`, false},
		"the first half before another":     {`"\ud83dA"`, false},
		"the first half before the first":   {`"\ud83d\ud83d\ude00"`, false},
		"the second half alone":             {`"\ude00"`, false},
		"an escaped backslash before a u":   {`"\\ud83d"`, true},
		"escaped quotes and brackets":       {`"\"[{\\"`, true},
		"what only looks like surrogates":   {`"\ud7ff\ue000"`, true},
		"as deep as may be":                 {strings.Repeat("[", 100) + strings.Repeat("]", 100), true},
		"deeper":                            {strings.Repeat("[", 101) + strings.Repeat("]", 101), false},
		"many, but not deep":                {"[" + strings.Repeat("[],", 500) + "[]]", true},
		"brackets in a string are not deep": {`"` + strings.Repeat("[", 500) + `"`, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := checkJSON([]byte(test.text)); (err == nil) != test.ok {
				t.Errorf("checkJSON(%s) = %v", test.text, err)
			}
		})
	}
}

func TestCheckListen(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		addr     string
		insecure bool
		ok       bool
	}{
		"loopback":                   {"127.0.0.1:8080", false, true},
		"another loopback":           {"127.8.9.10:0", false, true},
		"loopback, IPv6":             {"[::1]:8080", false, true},
		"localhost":                  {"localhost:8080", false, true},
		"every address":              {":8080", false, false},
		"every address, in full":     {"0.0.0.0:8080", false, false},
		"every address, IPv6":        {"[::]:8080", false, false},
		"an address of the network":  {"10.0.0.1:8080", false, false},
		"a name":                     {"tidings.internal:8080", false, false},
		"a name like localhost":      {"localhost.example:8080", false, false},
		"every address, if insecure": {":8080", true, true},
		"no port":                    {"127.0.0.1", true, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := CheckListen(test.addr, test.insecure); (err == nil) != test.ok {
				t.Errorf("CheckListen(%q, %t) = %v", test.addr, test.insecure, err)
			}
		})
	}
}

// Every series is there before the first request, at 0, and requests do not add
// series that their senders choose.
func TestMetricsComeFromClosedSets(t *testing.T) {
	t.Parallel()
	_, c := alone(t)
	registry := prometheus.NewRegistry()
	c.Registerer, c.Gatherer = registry, registry
	handler, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	count := func(name string) int {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == name {
				return len(family.GetMetric())
			}
		}
		return 0
	}
	const commands, known = 10 + 6 + 6, 8 // six changes to items and six orders among them
	if got := count("tidings_commands_total"); got != commands*known {
		t.Errorf("%d series of commands, want %d", got, commands*known)
	}
	send(t, handler, http.MethodPut, "/v1/users/alice/subscriptions/builds")
	before := count("tidings_http_requests_total")
	for _, name := range []string{"bob", "carol", "dave"} {
		send(t, handler, http.MethodPut, "/v1/users/"+name+"/subscriptions/"+name)
		send(t, handler, http.MethodGet, "/nowhere/"+name)
		send(t, handler, "BREW"+name, "/nowhere")
	}
	if got := count("tidings_http_requests_total"); got != before {
		t.Errorf("%d series of requests, want %d as before", got, before)
	}
	text := send(t, handler, http.MethodGet, "/metrics")
	if line := `tidings_commands_total{command="subscribe",outcome="done"} 4`; !strings.Contains(text, line+"\n") {
		t.Errorf("/metrics lacks %s", line)
	}
	if line := `tidings_http_requests_total{code="201",method="PUT",route="/v1/users/{user}/subscriptions/{topic}"} 4`; !strings.Contains(text, line+"\n") {
		t.Errorf("/metrics lacks %s", line)
	}
}

// stalled is a body of which the rest never comes.
type stalled struct{ err error }

func (s stalled) Read([]byte) (int, error) { return 0, s.err }

func TestBodiesThatDoNotArrive(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		code string
	}{
		"in time": {fmt.Errorf("read: %w", os.ErrDeadlineExceeded), codeTimeout},
		"at all":  {io.ErrUnexpectedEOF, codeMalformed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/notifications", stalled{test.err})
			_, err := readJSON(httptest.NewRecorder(), r, maxBodyBytes)
			if p := problemOf(err); p.Code != test.code {
				t.Errorf("got %v, want %s", err, test.code)
			}
		})
	}
}
