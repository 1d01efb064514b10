package process

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/tidings-io/tidings/internal/workload"
)

// CAFlags say whose certificates a command believes, beside those this machine believes.
type CAFlags struct {
	CAFile string `name:"ca-file" help:"PEM file of certificates of authorities to believe the API's HTTPS by, beside this machine's own." placeholder:"FILE" env:"TIDINGS_CA_FILE"`
}

// maxCABytes is more than the authorities of all the world take.
const maxCABytes = 4 << 20

// Client is what commands talk to an API with. It follows nobody elsewhere: the API
// redirects nowhere, and a token is for where --url says alone.
func (f CAFlags) Client() (*http.Client, error) {
	client := workload.NewClient()
	if f.CAFile == "" {
		return client, nil
	}
	roots, err := f.roots()
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	transport, ok := client.Transport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("--ca-file: no certificates can be given to a %T", client.Transport)
	}
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	transport.ForceAttemptHTTP2 = true // as without a configuration of our own
	return client, nil
}

// Server is the API at an address, as commands talk to it.
func (f TokenFlags) Server(url string, patience time.Duration) (*workload.Server, error) {
	token, err := f.Token()
	if err != nil {
		return nil, err
	}
	client, err := f.Client()
	if err != nil {
		return nil, err
	}
	return &workload.Server{URL: url, Token: token, Client: client, Patience: patience}, nil
}

// roots are this machine's authorities, where it has some, and those of the file.
func (f CAFlags) roots() (*x509.CertPool, error) {
	opened, err := os.Open(f.CAFile)
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(opened, maxCABytes))
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New(f.CAFile + " has no certificate in PEM")
	}
	return roots, nil
}
