package token

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxKeyFile is far more than any key has; a file given by mistake is not read to its end.
const maxKeyFile = 64 << 10

// ReadKey reads a key from a file: see ParseKey.
func ReadKey(file string) (Key, error) {
	opened, err := os.Open(file) //nolint:gosec // the operator says which file
	if err != nil {
		return Key{}, fmt.Errorf("read a key: %w", err)
	}
	defer opened.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(opened, maxKeyFile+1))
	switch {
	case err != nil:
		return Key{}, fmt.Errorf("read a key: %w", err)
	case len(text) > maxKeyFile:
		return Key{}, fmt.Errorf("read a key: %s is too large for one", file)
	}
	key, err := ParseKey(text)
	if err != nil {
		return Key{}, fmt.Errorf("key in %s: %w", file, err)
	}
	return key, nil
}

// ParseKey reads a key: one block of PEM with a public key, a certificate or a private key of RSA (2048 bits at least), EC P-256 or Ed25519; or else
// a secret for HS256, of at least 32 bytes, without the end of its line. The validity of a certificate is not looked at.
//
// What looks like a key but cannot be read is an error and never a secret. Else a public key, which everybody may know, would be one.
func ParseKey(text []byte) (Key, error) {
	if bytes.Contains(text, []byte("-----")) {
		return parsePEM(text)
	}
	secret := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if form := unarmored(text); form != "" {
		return Key{}, fmt.Errorf("%s, which is not read here: write it as PEM", form)
	}
	return secretKey(bytes.Clone(secret))
}

// parsePEM wants one block. Only OpenSSL's description of a curve may stand before it: with two keys it would be chance which one counts.
func parsePEM(text []byte) (Key, error) {
	block, rest := pem.Decode(text)
	if block != nil && block.Type == "EC PARAMETERS" {
		block, rest = pem.Decode(rest)
	}
	switch {
	case block == nil:
		return Key{}, errors.New("it looks like PEM, but is not")
	case bytes.Contains(rest, []byte("-----")):
		return Key{}, errors.New("there is more than one block of PEM: leave the key's alone")
	}
	key, err := parseBlock(block)
	if err != nil {
		return Key{}, fmt.Errorf("PEM of a %q: %w", block.Type, err)
	}
	return key, nil
}

func parseBlock(block *pem.Block) (Key, error) {
	parse, known := parsers[block.Type]
	if !known {
		return Key{}, errors.New("this is no kind of key that is read here")
	}
	key, private, err := parse(block.Bytes)
	switch {
	case err != nil:
		return Key{}, errors.New("its content is not what it says") // x509's words may quote it
	case private:
		return privateKey(key)
	default:
		return publicKey(key)
	}
}

// parsers read each kind of block, and say whether it is private.
var parsers = map[string]func(der []byte) (key any, private bool, err error){
	"PUBLIC KEY":      func(der []byte) (any, bool, error) { key, err := x509.ParsePKIXPublicKey(der); return key, false, err },
	"RSA PUBLIC KEY":  func(der []byte) (any, bool, error) { key, err := x509.ParsePKCS1PublicKey(der); return key, false, err },
	"PRIVATE KEY":     func(der []byte) (any, bool, error) { key, err := x509.ParsePKCS8PrivateKey(der); return key, true, err },
	"RSA PRIVATE KEY": func(der []byte) (any, bool, error) { key, err := x509.ParsePKCS1PrivateKey(der); return key, true, err },
	"EC PRIVATE KEY":  func(der []byte) (any, bool, error) { key, err := x509.ParseECPrivateKey(der); return key, true, err },
	"CERTIFICATE": func(der []byte) (any, bool, error) {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, false, err
		}
		return certificate.PublicKey, false, nil
	},
}

// unarmored says in which other form than PEM a text is a key, "" if in none: DER, PEM that lost its first and last line, JSON, or OpenSSH's.
func unarmored(text []byte) string {
	if isDER(text) {
		return "this is a key in DER"
	}
	body := strings.Join(strings.Fields(string(text)), "")
	if der, err := base64.StdEncoding.DecodeString(body); err == nil && isDER(der) {
		return "this is PEM without its first and last line"
	}
	if trimmed := bytes.TrimSpace(text); bytes.HasPrefix(trimmed, []byte("{")) && json.Valid(trimmed) {
		return "this is a key in JSON"
	}
	for _, kind := range []string{"ssh-", "ecdsa-sha2-", "sk-"} {
		if bytes.HasPrefix(text, []byte(kind)) && bytes.Contains(text, []byte(" AAAA")) {
			return "this is a key as OpenSSH writes it"
		}
	}
	return ""
}

// isDER tells whether a text begins with a key, whatever follows: a key may end in the byte of a line's end, or have one after it.
func isDER(text []byte) bool {
	var first asn1.RawValue
	if _, err := asn1.Unmarshal(text, &first); err != nil {
		return false
	}
	for _, parse := range parsers {
		if _, _, err := parse(first.FullBytes); err == nil {
			return true
		}
	}
	return false
}
