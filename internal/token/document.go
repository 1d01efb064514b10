package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
)

// maxSetKeys bounds the keys of a set; issuers have a handful.
const maxSetKeys = 256

// document is what a key set holds for us.
type document struct {
	keys    []setKey
	ignored int // keys that verify no token here
	secrets int // of those, symmetric keys: what is fetched is no secret
}

// readKeySet takes from a key set the keys that verify signatures of the algorithms, and passes over all others, also those it cannot read: one
// odd key must not take the others' place. It fails if none is left.
func readKeySet(text []byte, algorithms []string) (document, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(text, &set) != nil {
		return document{}, errors.New("it is no key set") // the library's words may quote it
	}
	if len(set.Keys) > maxSetKeys {
		return document{}, fmt.Errorf("it has %d keys, more than %d", len(set.Keys), maxSetKeys)
	}
	var d document
	for _, text := range set.Keys {
		var described jwkset.JWKMarshal
		err := json.Unmarshal(text, &described)
		if err == nil && described.KTY == jwkset.KtyOct {
			d.secrets++
		}
		key, ok := readSetKey(described)
		if err != nil || !ok || !slices.Contains(algorithms, key.algorithm) {
			d.ignored++
			continue
		}
		d.keys = append(d.keys, key)
	}
	if len(d.keys) == 0 {
		return document{}, fmt.Errorf("none of its %d keys can be used", len(set.Keys))
	}
	return d, nil
}

// readSetKey is false for a key that is for something else than signatures, or for another algorithm than keys of its kind are here.
func readSetKey(described jwkset.JWKMarshal) (setKey, bool) {
	if described.USE != "" && described.USE != jwkset.UseSig ||
		len(described.KEYOPS) > 0 && !slices.Contains(described.KEYOPS, jwkset.KeyOpsVerify) {
		return setKey{}, false
	}
	// Certificates are not looked at: the connection that the set came by vouches for its keys.
	described.X5C, described.X5U, described.X5T, described.X5TS256 = nil, "", "", ""
	read, err := jwkset.NewJWKFromMarshal(described, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{SkipKeyOps: true})
	if err != nil {
		return setKey{}, false
	}
	key, err := publicKey(read.Key())
	if err != nil || described.ALG != "" && described.ALG.String() != key.algorithm {
		return setKey{}, false
	}
	return setKey{Key: key, id: described.KID}, true
}
