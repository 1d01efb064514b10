package httpapi

import (
	"fmt"
	"net"
)

// CheckListen refuses an address that others than this machine can reach, unless
// insecure is said: there is no access control. A name is refused too, as what it
// stands for may change; "localhost" is not.
func CheckListen(addr string, insecure bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", addr, err)
	}
	if insecure || host == "localhost" {
		return nil
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("listen address %q can be reached from outside, and there is no access control: "+
		"use 127.0.0.1, or --insecure if something else protects it", addr)
}
