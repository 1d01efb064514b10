package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestHosts(t *testing.T) {
	t.Parallel()
	handler := whole(t, Config{Hosts: []string{"Tidings.example.com", "10.0.0.7", "2001:DB8::7"}})
	local := whole(t, Config{Hosts: []string{}})
	every := whole(t, Config{})
	tests := map[string]struct {
		host         string
		named, local bool
	}{
		"a name":                         {"tidings.example.com", true, false},
		"the name with a port":           {"tidings.example.com:8443", true, false},
		"the name in other letters":      {"TIDINGS.Example.COM:80", true, false},
		"the name in full":               {"tidings.example.com.", true, false},
		"a name below it":                {"a.tidings.example.com", false, false},
		"another name":                   {"evil.example", false, false},
		"a name that ends like it":       {"eviltidings.example.com", false, false},
		"an address":                     {"10.0.0.7:80", true, false},
		"another address":                {"10.0.0.8", false, false},
		"an IPv6 address":                {"[2001:db8:0::7]:80", true, false},
		"an IPv6 address without a port": {"[2001:db8::7]", true, false},
		"localhost":                      {"localhost:8080", true, true},
		"localhost in capitals":          {"LOCALHOST", true, true},
		"a name of this machine":         {"console.localhost:8080", true, true},
		"loopback":                       {"127.0.0.1:8080", true, true},
		"all of loopback":                {"127.8.9.10", true, true},
		"loopback, IPv6":                 {"[::1]:8080", true, true},
		"loopback, IPv4 in IPv6":         {"[::ffff:127.0.0.1]", true, true},
		"a name that begins like it":     {"localhost.evil.example", false, false},
		"a name that ends in it":         {"evillocalhost", false, false},
		"loopback as part of a name":     {"127.0.0.1.evil.example", false, false},
		"every address":                  {"0.0.0.0:8080", false, false},
		"none":                           {"", false, false},
		"nonsense":                       {"[::1", false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct {
				what    string
				handler http.Handler
				served  bool
			}{{"named", handler, test.named}, {"local", local, test.local}, {"every", every, true}} {
				want := http.StatusMisdirectedRequest
				if c.served {
					want = http.StatusOK
				}
				if got := call(c.handler, http.MethodGet, "/docs", "Host", test.host).StatusCode; got != want {
					t.Errorf("%s: got %d for %q, want %d", c.what, got, test.host, want)
				}
			}
		})
	}
}

// TestProbesCallAnyName, and scrapers an address: a page of another site, whose name
// stands for this machine, gets no metrics.
func TestProbesCallAnyName(t *testing.T) {
	t.Parallel()
	a, _ := alone(t)
	handler := whole(t, Config{Hosts: []string{}})
	for _, rt := range a.monitoring() {
		if got := call(handler, rt.method, rt.pattern, "Host", "10.1.2.3:8080").StatusCode; got != http.StatusOK {
			t.Errorf("%s: got %d, want %d", rt.pattern, got, http.StatusOK)
		}
	}
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/metrics": 421} {
		if got := call(handler, http.MethodGet, path, "Host", "rebound.example:8080").StatusCode; got != want {
			t.Errorf("%s by another's name: got %d, want %d", path, got, want)
		}
	}
}

func TestParseHosts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "",
		"a.example, B.example:80":    "a.example b.example",
		"[::1]:80,10.0.0.7":          "::1 10.0.0.7",
		"https://a.example":          "error",
		"a.example/path":             "error",
		"*.example":                  "error",
		"user@a.example":             "error",
		":80":                        "error",
		"two names.example":          "error",
		"tidings.example.com.":       "tidings.example.com",
		"2001:db8:0:0::7, localhost": "2001:db8::7 localhost",
	} {
		names, err := ParseHosts(text)
		got := strings.Join(names, " ")
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %q (%v), want %q", text, got, err, want)
		}
		if err == nil && !slices.EqualFunc(names, names, func(a, b string) bool { return hostName(a) == b }) {
			t.Errorf("%q: got %q, which is not as names are compared", text, names)
		}
	}
}
