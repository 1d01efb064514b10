package limits

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// Name stands for a holder's name or a subject wherever it is told to others: the beginning of
// the SHA-256 of its kind and itself. So tables, their dumps and what a database logs hold neither
// users nor addresses in clear. It is no secret: who can guess a name can check the guess. A keyed
// hash would need its key where all instances find it, which is beside the rows: whoever can read
// the one can read the other.
type Name [16]byte

func nameOf(policy, name string) Name {
	// One array rather than a hash.Hash, which would allocate; longer names take that.
	text := make([]byte, 0, 256)
	text = append(append(append(text, policy...), 0), name...)
	sum := sha256.Sum256(text)
	return Name(sum[:16])
}

// MarshalText makes a Name a key of JSON objects.
func (n Name) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, n[:]), nil
}

// UnmarshalText reads what MarshalText wrote.
func (n *Name) UnmarshalText(text []byte) error {
	read, err := base64.RawURLEncoding.DecodeString(string(text))
	if err != nil || len(read) != len(n) {
		return fmt.Errorf("%q is no name of a bucket", text)
	}
	*n = Name(read)
	return nil
}
