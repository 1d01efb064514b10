package node

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"

	"google.golang.org/grpc/credentials"

	"github.com/tidings-io/tidings/internal/certificate"
)

// transport is TLS 1.2 or later with a certificate.
func transport(shown *certificate.Certificate, logger *slog.Logger) credentials.TransportCredentials {
	return &encrypted{
		TransportCredentials: credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: shown.Current}),
		logger:               logger, inClear: &seldom{},
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
