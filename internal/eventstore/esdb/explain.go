package esdb

import (
	"fmt"
	"strings"
)

// explained adds what to do about an error that does not say it: one end speaks TLS and the other does not.
func explained(err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "error reading server preface"):
		return fmt.Errorf("%w (if the event store speaks TLS, its connection string says tls=true)", err)
	case strings.Contains(text, "first record does not look like a TLS handshake"):
		return fmt.Errorf("%w (if the event store speaks without TLS, its connection string says tls=false)", err)
	}
	return err
}
