package node

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
)

// Certificate is what a node shows its callers: a PEM file of the certificate, with those of its issuers if there are any between,
// and one of its private key. Files that are replaced are read again within a second of the next connection; connections that are open
// stay open.
type Certificate struct {
	certFile, keyFile string
	logger            *slog.Logger
	files             *watched
	pair              atomic.Pointer[tls.Certificate]
}

// OpenCertificate reads both files. The logger, which may be nil, hears of files read again, of a new pair that is not in order, in whose
// place the old one stays, of a certificate that has expired, and of a key that everybody may read.
func OpenCertificate(certFile, keyFile string, logger *slog.Logger) (*Certificate, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, logger: logger, files: watch(certFile, keyFile)}
	if err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

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
	if readableByAll(c.keyFile) {
		c.logger.Warn("everybody on this machine may read the private key: chmod o-r it", "file", c.keyFile)
	}
	return nil
}

// current is the pair for a new connection.
func (c *Certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.files.changed() {
		if err := c.read(); err != nil {
			c.logger.Error("the new certificate is not in order, the old one stays", "error", err)
		} else {
			c.logger.Info("the certificate was read again", "file", c.certFile, "until", c.expires())
		}
	}
	return c.pair.Load(), nil
}

func (c *Certificate) expires() time.Time { return c.pair.Load().Leaf.NotAfter }

func (c *Certificate) credentials() credentials.TransportCredentials {
	return &encrypted{
		TransportCredentials: credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.current}),
		logger:               c.logger, inClear: &seldom{},
	}
}

// encrypted is TLS that says who came without: that client sees no more than an end of the connection.
type encrypted struct {
	credentials.TransportCredentials

	logger  *slog.Logger
	inClear *seldom
}

func (e *encrypted) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := e.TransportCredentials.ServerHandshake(raw)
	if header, ok := errors.AsType[tls.RecordHeaderError](err); ok && string(header.RecordHeader[:]) == http2Begins {
		if times, due := e.inClear.happened(); due {
			e.logger.Warn("clients came without TLS and were refused: their connection string must say tls=true",
				"times", times, "last_from", raw.RemoteAddr().String())
		}
	}
	return conn, info, err
}

// http2Begins is what HTTP/2 in clear begins with, as long as a TLS record's header.
const http2Begins = "PRI *"

// Clone is for gRPC.
func (e *encrypted) Clone() credentials.TransportCredentials {
	return &encrypted{TransportCredentials: e.TransportCredentials.Clone(), logger: e.logger, inClear: e.inClear}
}
