package eventlog

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/google/uuid"
)

// sums are the sum of the hashes of a set's members: two sets are the same if and, but for a chance of 2⁻¹²⁸, only if their sums are,
// in whatever order they were walked. So a log is compared with its index in no memory at all.
type sums struct {
	count  int64
	lo, hi uint64
}

// hasher hashes under seeds of its own: no data can be made so that its sums fool them.
type hasher struct{ lo, hi maphash.Seed }

func newHasher() hasher { return hasher{maphash.MakeSeed(), maphash.MakeSeed()} }

// digest stands for a stream.
type digest struct{ lo, hi uint64 }

func (h hasher) stream(name []byte) digest {
	return digest{maphash.Bytes(h.lo, name), maphash.Bytes(h.hi, name)}
}

// add counts an event in.
func (s *sums) add(h hasher, stream digest, revision Revision, id uuid.UUID, p Position) {
	var member [48]byte
	binary.LittleEndian.PutUint64(member[0:], stream.lo)
	binary.LittleEndian.PutUint64(member[8:], stream.hi)
	binary.LittleEndian.PutUint64(member[16:], uint64(revision))
	binary.LittleEndian.PutUint64(member[24:], uint64(p))
	copy(member[32:], id[:])
	s.count++
	s.lo += maphash.Bytes(h.lo, member[:])
	s.hi += maphash.Bytes(h.hi, member[:])
}
