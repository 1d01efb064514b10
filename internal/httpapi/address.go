package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxForwarded bounds the addresses looked at in X-Forwarded-For: no chain of
// proxies is as long.
const maxForwarded = 20

// ParseProxies reads addresses and CIDR prefixes separated by commas: the proxies
// whose X-Forwarded-For is believed. A prefix of everything is refused, as it would
// let every client choose its address.
func ParseProxies(list string) ([]netip.Prefix, error) {
	var proxies []netip.Prefix
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		proxy, err := parseProxy(text)
		if err != nil {
			return nil, fmt.Errorf("trusted proxy %q: %w", text, err)
		}
		proxies = append(proxies, proxy)
	}
	return proxies, nil
}

func parseProxy(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap()
		if addr.Zone() != "" {
			return netip.Prefix{}, errors.New("an address of a proxy has no zone")
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, errors.New("it is no address, such as 10.0.0.7, and no prefix, such as 10.0.0.0/8")
	case prefix.Addr().Is4In6():
		return netip.Prefix{}, errors.New("write it as an IPv4 prefix")
	case prefix.Bits() == 0:
		return netip.Prefix{}, errors.New("it trusts everybody, so that every client could choose its address")
	}
	return prefix.Masked(), nil
}

type addressKey struct{}

// locate keeps the client's address with the request.
func locate(r *http.Request, proxies []netip.Prefix) *http.Request {
	addr := clientAddress(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), proxies)
	return r.WithContext(context.WithValue(r.Context(), addressKey{}, addr))
}

// address is the client's, as locate found it. It is not valid where the connection
// has none, as that of a Unix socket.
func address(r *http.Request) netip.Addr {
	addr, _ := r.Context().Value(addressKey{}).(netip.Addr)
	return addr
}

// clientAddress is the connection's own address or, when that is a trusted proxy's,
// the last one that the lines of X-Forwarded-For name and that is no trusted proxy's.
// What a client wrote there itself stands left of that and is not looked at. An entry
// that is no address ends the search at the one to its right.
func clientAddress(peer string, forwarded []string, proxies []netip.Prefix) netip.Addr {
	client, ok := parseAddress(peer)
	if !ok {
		return netip.Addr{}
	}
	walked := 0
	for _, rest := range slices.Backward(forwarded) {
		more := true
		for more {
			if !trusted(client, proxies) || walked == maxForwarded {
				return client
			}
			walked++
			var entry string
			rest, entry, more = cutLast(rest)
			next, ok := parseAddress(strings.Trim(entry, " \t"))
			if !ok {
				return client
			}
			client = next
		}
	}
	return client
}

// cutLast takes the last entry off a list; more says that others are left.
func cutLast(list string) (rest, last string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", list, false
	}
	return list[:i], list[i+1:], true
}

func trusted(addr netip.Addr, proxies []netip.Prefix) bool {
	for _, proxy := range proxies {
		if proxy.Contains(addr) {
			return true
		}
	}
	return false
}

// parseAddress reads an address with or without a port. An IPv4 address written as
// IPv6 is the same address, and a zone means something on its own machine only.
func parseAddress(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
			text += ":0" // brackets without a port
		}
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), true
}

// noAddress names what has no address; it shares one limit.
const noAddress = "none"

// networkBits is what one subscriber of an IPv6 network has to choose addresses from.
const networkBits = 64

// limitName is what is limited together with an address: an IPv4 address alone, an
// IPv6 address with its /64.
func limitName(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	switch {
	case !addr.IsValid():
		return noAddress
	case addr.Is4():
		return addr.String()
	}
	return netip.PrefixFrom(addr, networkBits).Masked().String()
}
