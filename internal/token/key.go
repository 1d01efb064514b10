package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
)

// The algorithms there are. Each kind of key has one of them.
const (
	HS256 = "HS256"
	RS256 = "RS256"
	ES256 = "ES256"
	EdDSA = "EdDSA"
)

const (
	minSecretBytes = 32 // RFC 7518: as long as the hash, at least
	minRSABits     = 2048
	maxRSABits     = 8192 // what verifying costs grows with the square of it
)

// Key verifies signatures of one algorithm, and makes them if it holds the private half or a secret. The zero Key does neither.
type Key struct{ *material }

// material is behind a pointer, so that whatever prints a struct with a key in it prints an address.
type material struct {
	algorithm string
	verifies  any // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
	signs     any // []byte, *rsa.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey; nil if only the public half is known
	print     fingerprint
}

// Algorithm is the one that the key is for, "" of the zero Key.
func (k Key) Algorithm() string {
	if k.material == nil {
		return ""
	}
	return k.algorithm
}

// String tells nothing of the key but what it is for.
func (k Key) String() string {
	if k.material == nil {
		return "no key"
	}
	return k.algorithm + " key"
}

// GoString is String: %#v tells no more.
func (k Key) GoString() string { return k.String() }

// fingerprint tells keys apart, within this process.
type fingerprint [sha256.Size]byte

// fingerprinting is a secret of this process: a fingerprint, which claims carry along, is nothing to try passwords against.
var fingerprinting = func() []byte {
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // never fails
	return secret
}()

func fingerprintOf(algorithm string, key []byte) (f fingerprint) {
	hash := hmac.New(sha256.New, fingerprinting)
	hash.Write([]byte(algorithm))
	hash.Write([]byte{0}) // no algorithm has it
	hash.Write(key)
	hash.Sum(f[:0])
	return f
}

// secretKey is a key for HS256.
func secretKey(secret []byte) (Key, error) {
	if len(secret) < minSecretBytes {
		return Key{}, fmt.Errorf("a secret of %d bytes is too short: it must have at least %d, such as openssl rand -base64 32 makes", len(secret), minSecretBytes)
	}
	return Key{&material{algorithm: HS256, verifies: secret, signs: secret, print: fingerprintOf(HS256, secret)}}, nil
}

// publicKey is a key that verifies only.
func publicKey(public any) (Key, error) {
	var algorithm string
	switch public := public.(type) {
	case *rsa.PublicKey:
		algorithm = RS256
		if bits := public.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return Key{}, fmt.Errorf("an RSA key of %d bits: it must have %d to %d", bits, minRSABits, maxRSABits)
		}
		if public.E < 3 || public.E%2 == 0 {
			return Key{}, errors.New("an RSA key whose exponent is none")
		}
	case *ecdsa.PublicKey:
		algorithm = ES256
		if public.Curve != elliptic.P256() {
			return Key{}, errors.New("a key on another curve than P-256")
		}
	case ed25519.PublicKey:
		algorithm = EdDSA
		if len(public) != ed25519.PublicKeySize {
			return Key{}, errors.New("an Ed25519 key of another size than theirs")
		}
	default:
		return Key{}, errors.New("a key of another kind than RSA, EC P-256 and Ed25519")
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Key{}, errors.New("a key that is not of its kind")
	}
	return Key{&material{algorithm: algorithm, verifies: public, print: fingerprintOf(algorithm, der)}}, nil
}

// privateKey is a key that signs too.
func privateKey(private any) (Key, error) {
	signer, ok := private.(crypto.Signer)
	if !ok {
		return Key{}, errors.New("a private key that cannot sign")
	}
	key, err := publicKey(signer.Public())
	if err != nil {
		return Key{}, err
	}
	key.signs = private
	return key, nil
}
