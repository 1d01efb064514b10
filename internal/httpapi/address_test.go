package httpapi

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestClientAddresses(t *testing.T) {
	t.Parallel()
	proxies, err := ParseProxies("10.0.0.0/8, 192.0.2.1, 2001:db8:1::/48")
	if err != nil {
		t.Fatal(err)
	}
	many := strings.Repeat("10.0.0.9,", maxForwarded-1)
	tests := map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"without a proxy it is the connection's":           {"203.0.113.5:1000", nil, "203.0.113.5"},
		"a stranger's word is not taken":                   {"203.0.113.5:1000", []string{"198.51.100.1"}, "203.0.113.5"},
		"a proxy's word is":                                {"10.1.2.3:1000", []string{"198.51.100.1"}, "198.51.100.1"},
		"a proxy that says nothing is the client":          {"10.1.2.3:1000", nil, "10.1.2.3"},
		"what the client wrote is to the left":             {"10.1.2.3:1000", []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		"proxies behind proxies are passed over":           {"10.1.2.3:1000", []string{"1.1.1.1, 198.51.100.1, 192.0.2.1,10.7.7.7"}, "198.51.100.1"},
		"several lines are one list":                       {"10.1.2.3:1000", []string{"1.1.1.1", "198.51.100.1", "10.7.7.7"}, "198.51.100.1"},
		"all of them proxies: the first":                   {"10.1.2.3:1000", []string{"10.0.0.1, 10.0.0.2"}, "10.0.0.1"},
		"what is no address ends the search":               {"10.1.2.3:1000", []string{"198.51.100.1, unknown, 10.7.7.7"}, "10.7.7.7"},
		"so does nothing between commas":                   {"10.1.2.3:1000", []string{"198.51.100.1,, 10.7.7.7"}, "10.7.7.7"},
		"and an empty line":                                {"10.1.2.3:1000", []string{"198.51.100.1", ""}, "10.1.2.3"},
		"a port is left out":                               {"10.1.2.3:1000", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		"IPv6":                                             {"[2001:db8:1::7]:1000", []string{"2001:db8:2::1"}, "2001:db8:2::1"},
		"IPv6 in brackets":                                 {"10.1.2.3:1000", []string{"[2001:db8:2::1]"}, "2001:db8:2::1"},
		"IPv6 with a port":                                 {"10.1.2.3:1000", []string{"[2001:db8:2::1]:80"}, "2001:db8:2::1"},
		"IPv4 in IPv6 is IPv4":                             {"[::ffff:10.1.2.3]:1000", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"a zone is dropped":                                {"[fe80::1%eth0]:1000", nil, "fe80::1"},
		"a zone in the list is dropped":                    {"10.1.2.3:1000", []string{"fe80::1%x"}, "fe80::1"},
		"as many as are walked":                            {"10.1.2.3:1000", []string{"198.51.100.1," + many[:len(many)-1]}, "198.51.100.1"},
		"more than are walked":                             {"10.1.2.3:1000", []string{"198.51.100.1," + many + "10.0.0.8"}, "10.0.0.9"},
		"a connection without an address has none":         {"@", []string{"198.51.100.1"}, "invalid IP"},
		"spaces and tabs around it":                        {"10.1.2.3:1000", []string{" \t198.51.100.1\t "}, "198.51.100.1"},
		"the proxy's own address is trusted to the letter": {"192.0.2.2:1", []string{"198.51.100.1"}, "192.0.2.2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := clientAddress(test.peer, test.forwarded, proxies).String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "",
		" , ":                        "",
		"10.0.0.7":                   "10.0.0.7/32",
		"10.1.2.3/8, 2001:db8::/32 ": "10.0.0.0/8 2001:db8::/32",
		"::1":                        "::1/128",
		"::ffff:10.0.0.7":            "10.0.0.7/32",
		"0.0.0.0/0":                  "error",
		"::/0":                       "error",
		"10.0.0.0/33":                "error",
		"proxy.example.com":          "error",
		"10.0.0.7:80":                "error",
		"fe80::1%eth0":               "error",
		"::ffff:10.0.0.0/104":        "error",
	} {
		proxies, err := ParseProxies(text)
		var all []string
		for _, proxy := range proxies {
			all = append(all, proxy.String())
		}
		got := strings.Join(all, " ")
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %q (%v), want %q", text, got, err, want)
		}
	}
}

func TestWhatIsLimitedTogether(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"198.51.100.1":           "198.51.100.1",
		"::ffff:198.51.100.1":    "198.51.100.1",
		"2001:db8:1:2:3:4:5:6":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::":    "2001:db8:1:2::/64",
		"2001:db8:1:3::":         "2001:db8:1:3::/64",
		"fe80::1%a-long-network": "fe80::/64",
	} {
		if got := limitName(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	if got := limitName(netip.Addr{}); got != noAddress {
		t.Errorf("no address: got %s, want %s", got, noAddress)
	}
}

// TestTheEdgeKnowsTheClient: what clientAddress finds comes with the request.
func TestTheEdgeKnowsTheClient(t *testing.T) {
	t.Parallel()
	proxies, err := ParseProxies("192.0.2.0/24") // httptest's requests come from there
	if err != nil {
		t.Fatal(err)
	}
	var got netip.Addr
	edge := edgeOf(t, Config{TrustedProxies: proxies}, func(_ http.ResponseWriter, r *http.Request) { got = address(r) })
	call(edge, http.MethodGet, "/", "X-Forwarded-For", "203.0.113.9")
	if want := "203.0.113.9"; got.String() != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzForwardedFor: whatever a client sends, the address found is one of the list's or the connection's, and
// nothing that stands left of an address that is no proxy's matters.
func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{
		"", ",", "198.51.100.1", "10.0.0.1, 10.0.0.2", "[::1]:80", "[::1", "::ffff:10.0.0.1", "fe80::1%eth0, 10.0.0.1",
		"unknown", "1.1.1.1:99999", strings.Repeat("10.0.0.1,", 40), "\n10.0.0.1", "a,b\n,c", "[10.0.0.1]", "_hidden, 10.0.0.1:x",
	} {
		f.Add("10.0.0.1:80", seed)
	}
	f.Add("203.0.113.5:80", "198.51.100.1")
	f.Add("@", "198.51.100.1")
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, peer, text string) {
		lines := strings.Split(text, "\n")
		got := clientAddress(peer, lines, proxies)
		own, ok := parseAddress(peer)
		switch {
		case !ok:
			if got.IsValid() {
				t.Errorf("got %s for a connection without an address", got)
			}
			return
		case !trusted(own, proxies):
			if got != own {
				t.Errorf("got %s, want the connection's %s: it is no proxy", got, own)
			}
			return
		}
		if got.Is4In6() || got.Zone() != "" || limitName(got) == noAddress {
			t.Errorf("got %#v, which is not as addresses are compared", got)
		}
		found := got == own
		for entry := range strings.SplitSeq(strings.Join(lines, ","), ",") {
			if addr, ok := parseAddress(strings.Trim(entry, " \t")); ok && addr == got {
				found = true
			}
		}
		if !found {
			t.Errorf("got %s, which nobody named", got)
		}
		if !trusted(got, proxies) {
			if forged := clientAddress(peer, append([]string{"192.0.2.66"}, lines...), proxies); forged != got {
				t.Errorf("with a forged line before: got %s, want %s", forged, got)
			}
		}
	})
}
