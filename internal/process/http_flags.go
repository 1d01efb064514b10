package process

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"github.com/tidings-io/tidings/internal/certificate"
	"github.com/tidings-io/tidings/internal/httpapi"
)

// TLSFlags say what is shown to whoever comes by HTTPS.
type TLSFlags struct {
	TLSCert string `name:"tls-cert" help:"PEM file of the certificate to serve HTTPS with, with those between it and its authority; read again when it changes." placeholder:"FILE" env:"TIDINGS_TLS_CERT"`
	TLSKey  string `name:"tls-key" help:"PEM file of its private key; read again when it changes." placeholder:"FILE" env:"TIDINGS_TLS_KEY"`
}

// check refuses one without the other.
func (f TLSFlags) check() error {
	if (f.TLSCert != "") != (f.TLSKey != "") {
		return errors.New("--tls-cert and --tls-key go together: give both or none")
	}
	return nil
}

// encrypt makes a listener serve HTTPS if there is a certificate; it closes the listener
// of a certificate that is not in order.
func (f TLSFlags) encrypt(listener net.Listener, logger *slog.Logger) (net.Listener, error) {
	if f.TLSCert == "" {
		return listener, nil
	}
	shown, err := certificate.Open(f.TLSCert, f.TLSKey, logger)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return httpapi.Encrypted(listener, shown.Current), nil
}

// scheme is how the listener's address is written.
func (f TLSFlags) scheme() string {
	if f.TLSCert == "" {
		return "http"
	}
	return "https"
}

// EdgeFlags say what lies between the API and its clients.
type EdgeFlags struct {
	TLSFlags
	TrustedProxies string `help:"Addresses and CIDR prefixes of proxies, separated by commas, whose X-Forwarded-For says who a client is." placeholder:"LIST" env:"TIDINGS_TRUSTED_PROXIES"`
	CORSOrigins    string `name:"cors-origins" help:"Other sites whose pages may use the API, separated by commas, such as https://app.example.com; * for all, without cookies." placeholder:"LIST" env:"TIDINGS_CORS_ORIGINS"`
	Hosts          string `help:"Names the API is served under, separated by commas: requests for others are refused. Names of this machine, as localhost, always are served, and without this and without access control no others." placeholder:"LIST" env:"TIDINGS_HOSTS"`
}

// check refuses what means nothing.
func (f EdgeFlags) check() error {
	_, err := f.edge(false)
	return errors.Join(f.TLSFlags.check(), err)
}

// edge reads the lists. Closed is a server that only this machine is to reach, and that
// lets everybody in who does: under another name it would be a page of another site.
func (f EdgeFlags) edge(closed bool) (Edge, error) {
	proxies, proxiesErr := httpapi.ParseProxies(f.TrustedProxies)
	origins, originsErr := httpapi.ParseOrigins(f.CORSOrigins)
	hosts, hostsErr := httpapi.ParseHosts(f.Hosts)
	if hosts == nil && closed {
		hosts = []string{}
	}
	return Edge{TrustedProxies: proxies, Origins: origins, Hosts: hosts},
		errors.Join(ofFlag("--trusted-proxies", proxiesErr), ofFlag("--cors-origins", originsErr), ofFlag("--hosts", hostsErr))
}

// ofFlag says which flag an error is about.
func ofFlag(flag string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", flag, err)
}

// Edge is what an API knows of what lies between it and its clients: see httpapi.Config.
type Edge struct {
	TrustedProxies []netip.Prefix
	Origins        []string
	Hosts          []string
}
