package process

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// NodeCertificateCommand is `tidings node certificate`, for those who have no authority of their own.
type NodeCertificateCommand struct {
	Hosts []string `arg:"" help:"Names and IP addresses under which clients reach the node."`
	Dir   string   `help:"Directory of the files, made when missing." default:"./tls"`
	Days  int      `help:"How long the certificate is valid." default:"365" unit:"days"`
}

// Validate refuses what means nothing.
func (c *NodeCertificateCommand) Validate() error {
	if c.Days < 1 || c.Days > authorityYears*365 {
		return fmt.Errorf("--days is at least 1 and at most %d", authorityYears*365)
	}
	for _, host := range c.Hosts {
		if net.ParseIP(host) == nil && (host == "" || strings.ContainsAny(host, ":/@[] ")) {
			return fmt.Errorf("%q is no name and no IP address: it stands alone, without a scheme and a port", host)
		}
	}
	return nil
}

const (
	authorityYears = 10
	// backdated lets clients in whose clocks are behind.
	backdated = time.Hour
)

// Run writes node.pem and node.key for --tls-cert and --tls-key, signed by the authority of the directory. Clients are told to trust that
// authority, authority.pem; it is made the first time, and used again later, so that clients need nothing new when a certificate is renewed.
func (c *NodeCertificateCommand) Run(context.Context) error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("directory of the certificate: %w", err)
	}
	authority, err := openAuthority(c.file("authority.pem"), c.file("authority.key"))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: c.Hosts[0]}, NotAfter: time.Now().AddDate(0, 0, c.Days),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if authority.Leaf.NotAfter.Before(template.NotAfter) {
		template.NotAfter = authority.Leaf.NotAfter
	}
	for _, host := range c.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	if err := issue(template, authority, c.file("node.pem"), c.file("node.key")); err != nil {
		return err
	}
	fmt.Printf("the node:   --tls-cert %s --tls-key %s, valid until %s\nits clients: tlsCaFile=%s\n",
		c.file("node.pem"), c.file("node.key"), template.NotAfter.UTC().Format(time.DateOnly), c.file("authority.pem"))
	return nil
}

func (c *NodeCertificateCommand) file(name string) string { return filepath.Join(c.Dir, name) }

// openAuthority reads the authority, or makes it.
func openAuthority(certFile, keyFile string) (*tls.Certificate, error) {
	_, err := os.Stat(certFile)
	if errors.Is(err, os.ErrNotExist) {
		template := &x509.Certificate{
			Subject: pkix.Name{CommonName: "tidings node authority"}, NotAfter: time.Now().AddDate(authorityYears, 0, 0),
			IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
		}
		if err := issue(template, nil, certFile, keyFile); err != nil {
			return nil, err
		}
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	switch {
	case err != nil:
		return nil, fmt.Errorf("authority %s with key %s: %w", certFile, keyFile, err)
	case !pair.Leaf.IsCA || time.Now().After(pair.Leaf.NotAfter):
		return nil, fmt.Errorf("authority %s: it is none, or has expired: move it away for a new one", certFile)
	}
	return &pair, nil
}

// issue makes a key and signs a certificate for it: with the authority, or with itself if that is nil.
func issue(template *x509.Certificate, authority *tls.Certificate, certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	template.SerialNumber = nil // a random one
	template.NotBefore = time.Now().Add(-backdated)
	var signer any = key
	parent := template
	if authority != nil {
		signer, parent = authority.PrivateKey, authority.Leaf
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return fmt.Errorf("sign a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode a key: %w", err)
	}
	if err := replaceFile(keyFile, 0o600, &pem.Block{Type: "PRIVATE KEY", Bytes: private}); err != nil {
		return err
	}
	return replaceFile(certFile, 0o644, &pem.Block{Type: "CERTIFICATE", Bytes: cert})
}

// replaceFile never leaves half a file: a node may read it at any time.
func replaceFile(file string, mode os.FileMode, block *pem.Block) error {
	if err := os.WriteFile(file+".new", pem.EncodeToMemory(block), mode); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
