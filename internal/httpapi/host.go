package httpapi

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// The paths of probes and scrapers.
const (
	livePath    = "/livez"
	readyPath   = "/readyz"
	metricsPath = "/metrics"
)

// hosts are the names that requests may be for. A page of another site can have its
// own name stand for this machine's address (DNS rebinding), and the browser then
// takes this server for that site's; but the request still carries that name.
//
// Nil lets every name through.
type hosts map[string]bool

// ParseHosts reads names and addresses separated by commas. Ports are not looked at.
func ParseHosts(list string) ([]string, error) {
	var names []string
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		name := hostName(text)
		if name == "" || strings.ContainsAny(text, "/@?# *%") || strings.ContainsAny(name, "[]") {
			return nil, fmt.Errorf("host %q: it is no name, such as tidings.example.com, and no address", text)
		}
		names = append(names, name)
	}
	return names, nil
}

func newHosts(names []string) hosts {
	if names == nil {
		return nil
	}
	h := make(hosts, len(names))
	for _, name := range names {
		h[hostName(name)] = true
	}
	return h
}

// serve says whether a request is for one of the names. The machine's own names always
// are: no other site can have them. Probes may call any name, as what they are told is
// no secret, and scrapers an address, which nobody can have stand for another.
func (h hosts) serve(r *http.Request) bool {
	if h == nil {
		return true
	}
	name := hostName(r.Host)
	switch r.URL.Path {
	case livePath, readyPath:
		return true
	case metricsPath:
		if _, err := netip.ParseAddr(name); err == nil {
			return true
		}
	}
	return h[name] || isLoopback(name)
}

func isLoopback(name string) bool {
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Unmap().IsLoopback()
}

// hostName is a host without its port, as it is compared: in lower case, without the
// dot of a name in full, an address in its usual form.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else if inner, ok := strings.CutPrefix(host, "["); ok && strings.HasSuffix(inner, "]") {
		host = strings.TrimSuffix(inner, "]")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
