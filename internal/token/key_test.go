package token

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestKeysThatAreRead(t *testing.T) {
	t.Parallel()
	rsaKey, ecKey := ours[RS256].signs.(*rsa.PrivateKey), ours[ES256].signs.(*ecdsa.PrivateKey)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}, NotAfter: time.Now().Add(-time.Hour)}
	certificate := must(x509.CreateCertificate(rand.Reader, template, template, ecKey.Public(), ecKey))
	ecPrivate := block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ecKey)))
	cases := map[string]struct {
		text      []byte
		algorithm string
		signs     bool
	}{
		"a public RSA key":             {public(t, ours[RS256]), RS256, false},
		"a public RSA key as of old":   {block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey)), RS256, false},
		"a public EC key":              {public(t, ours[ES256]), ES256, false},
		"a public Ed25519 key":         {public(t, ours[EdDSA]), EdDSA, false},
		"a certificate, also of old":   {block("CERTIFICATE", certificate), ES256, false},
		"a private RSA key":            {block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(rsaKey))), RS256, true},
		"a private RSA key as of old":  {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), RS256, true},
		"a private EC key":             {block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ecKey))), ES256, true},
		"a private EC key as of old":   {ecPrivate, ES256, true},
		"a private EC key after curve": {append(block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}), ecPrivate...), ES256, true},
		"a private Ed25519 key":        {block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ours[EdDSA].signs))), EdDSA, true},
		"words around it":              {append([]byte("issuer's key\n"), append(public(t, ours[ES256]), "as of today\n"...)...), ES256, false},
		"a secret of 32 bytes":         {bytes.Repeat([]byte("x"), 32), HS256, true},
		"a secret of no text":          {bytes.Repeat([]byte{0x30, 0x82, 0xff, 0}, 8), HS256, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseKey(c.text)
			if err != nil || got.Algorithm() != c.algorithm || (got.signs != nil) != c.signs {
				t.Fatalf("got %v, signing %t, %v, want %s, %t", got, got.material != nil && got.signs != nil, err, c.algorithm, c.signs)
			}
			if !c.signs {
				return
			}
			token, err := Sign(got, SignClaims{Subject: "ann", Lifetime: time.Hour}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := verifying(t, Options{Keys: []Key{got}}).Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheEndOfASecretsLineIsNoPartOfIt(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("x", 31) + " "
	for _, end := range []string{"", "\n", "\r\n"} {
		if got := string(must(ParseKey([]byte(secret + end))).verifies.([]byte)); got != secret {
			t.Errorf("after %q: got %q, want %q", end, got, secret)
		}
	}
}

// TestWhatIsNoSecretIsNoKey: taken for a secret, a public key would let everybody sign.
func TestWhatIsNoSecretIsNoKey(t *testing.T) {
	t.Parallel()
	good := public(t, ours[RS256])
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	x25519 := must(ecdh.X25519().GenerateKey(rand.Reader))
	lines := bytes.Split(bytes.TrimSpace(good), []byte("\n"))
	der := must(x509.MarshalPKIXPublicKey(ours[ES256].verifies))
	ending := func(last byte) []byte { // a key in DER that ends in this byte
		for {
			text := must(x509.MarshalPKIXPublicKey(newEd25519().verifies))
			if text[len(text)-1] == last {
				return text
			}
		}
	}
	cases := map[string][]byte{
		"nothing":                            {},
		"a short secret":                     bytes.Repeat([]byte("x"), 31),
		"a short secret with many ends":      append(bytes.Repeat([]byte("x"), 30), '\n'),
		"a small RSA key":                    block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&small.PublicKey))),
		"a small private RSA key":            block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small)),
		"another curve":                      block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&p384.PublicKey))),
		"another curve's private key":        block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(p384))),
		"a key that does not sign":           block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(x25519.PublicKey()))),
		"a private key that does not sign":   block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(x25519))),
		"PEM of another kind":                block("ENCRYPTED PRIVATE KEY", der),
		"PEM of another content":             block("PRIVATE KEY", der),
		"PEM of nothing":                     block("PUBLIC KEY", nil),
		"PEM cut short":                      good[:len(good)/2],
		"PEM without its first line":         bytes.Join(lines[1:], []byte("\n")),
		"PEM without its last line":          bytes.Join(lines[:len(lines)-1], []byte("\n")),
		"PEM without both":                   bytes.Join(lines[1:len(lines)-1], []byte("\n")),
		"PEM in one line":                    bytes.Join(lines, []byte(" ")),
		"PEM with a letter changed":          bytes.Replace(good, []byte("BEGIN"), []byte("BEGAN"), 1),
		"PEM after a byte order mark":        append([]byte("\ufeff"), good...),
		"two keys":                           append(bytes.Clone(good), public(t, ours[ES256])...),
		"a key and half of one":              append(bytes.Clone(good), good[:40]...),
		"a public key in DER":                der,
		"a public key in DER and a line":     append(bytes.Clone(der), '\n'),
		"a key in DER that ends as lines do": ending('\n'),
		"a key in DER that ends in a return": append(ending('\r'), '\n'),
		"a key in DER and words":             append(bytes.Clone(der), "of the issuer"...),
		"a private key in DER":               must(x509.MarshalPKCS8PrivateKey(ours[EdDSA].signs)),
		"a public key in base64":             []byte(base64.StdEncoding.EncodeToString(der)),
		"a public key in JSON":               []byte(`{"kty":"RSA","n":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","e":"AQAB"}`),
		"a key set":                          []byte(` {"keys":[{"kty":"RSA","n":"aaaaaaaaaaaaaaaa","e":"AQAB"}]}`),
		"a public key as OpenSSH writes it":  []byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ ann@example"),
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := ParseKey(text); err == nil {
				t.Errorf("got a %v, want an error", got)
			}
		})
	}
}

func TestReadKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, size int) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, bytes.Repeat([]byte("x"), size), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if key, err := ReadKey(file("good", 40)); err != nil || key.Algorithm() != HS256 {
		t.Errorf("got %v, %v, want a secret", key, err)
	}
	for _, name := range []string{file("short", 3), file("huge", maxKeyFile+1), filepath.Join(dir, "none"), dir} {
		if key, err := ReadKey(name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, %v, want an error that names the file", name, key, err)
		}
	}
}
