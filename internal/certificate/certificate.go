// Package certificate is what a server shows whoever connects to it by TLS, and
// files that are read again when they are replaced.
//
// It knows no protocol: the event store's node and the HTTP API use it alike.
package certificate

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// Certificate is what a server shows its callers: a PEM file of the certificate, with those of its issuers if there are any between,
// and one of its private key. Files that are replaced are read again within a second of the next connection; connections that are open
// stay open. It may be used by several goroutines at once.
type Certificate struct {
	certFile, keyFile string
	logger            *slog.Logger
	files             *Watched
	pair              atomic.Pointer[tls.Certificate]
}

// Open reads both files. The logger, which may be nil, hears of files read again, of a new pair that is not in order, in whose
// place the old one stays, of a certificate that has expired, and of a key that everybody may read.
func Open(certFile, keyFile string, logger *slog.Logger) (*Certificate, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, logger: logger, files: Watch(certFile, keyFile)}
	if err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// Current is the pair for a new connection: tls.Config's GetCertificate.
func (c *Certificate) Current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.files.Changed() {
		if err := c.read(); err != nil {
			c.logger.Error("the new certificate is not in order, the old one stays", "error", err)
		} else {
			c.logger.Info("the certificate was read again", "file", c.certFile, "until", c.Expires())
		}
	}
	return c.pair.Load(), nil
}

// Expires is when clients begin to refuse the certificate read last.
func (c *Certificate) Expires() time.Time { return c.pair.Load().Leaf.NotAfter }

func (c *Certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	c.pair.Store(&pair)
	if now := time.Now(); now.After(pair.Leaf.NotAfter) || now.Before(pair.Leaf.NotBefore) {
		c.logger.Warn("the certificate is not valid now: clients refuse it",
			"file", c.certFile, "from", pair.Leaf.NotBefore, "until", pair.Leaf.NotAfter)
	}
	if ReadableByAll(c.keyFile) {
		c.logger.Warn("everybody on this machine may read the private key: chmod o-r it", "file", c.keyFile)
	}
	return nil
}
