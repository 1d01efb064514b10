package eventlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A record's bytes: version 1, flags 1, checksum 4, id 16, created 8, revision 8, then stream, type and metadata each behind
// its length, then data to the end. The checksum covers the position and all that follows it.
const (
	recordVersion   = 1
	recordHeadBytes = 1 + 1 + 4 + 16 + 8 + 8
	checksumFrom    = 2
	coveredFrom     = 6
)

const flagJSON byte = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendRecord(buf []byte, r *Record) []byte {
	start := len(buf)
	var flags byte
	if r.JSON {
		flags |= flagJSON
	}
	buf = append(buf, recordVersion, flags, 0, 0, 0, 0)
	buf = append(buf, r.ID[:]...)
	buf = binary.BigEndian.AppendUint64(buf, uint64(r.Created))
	buf = binary.BigEndian.AppendUint64(buf, uint64(r.Revision))
	buf = appendField(buf, r.Stream)
	buf = appendField(buf, r.Type)
	buf = appendField(buf, r.Metadata)
	buf = append(buf, r.Data...)
	own := buf[start:]
	binary.BigEndian.PutUint32(own[checksumFrom:], checksum(r.Position, own))
	return buf
}

// parseRecord fills r from bytes it keeps. Where r's names are right already they stay, so that neighbours can share theirs.
func parseRecord(r *Record, p Position, value []byte) error {
	if len(value) < recordHeadBytes || value[0] != recordVersion {
		return fmt.Errorf("the record at position %d has an unknown form: %w", p, ErrCorrupt)
	}
	if binary.BigEndian.Uint32(value[checksumFrom:]) != checksum(p, value) {
		return fmt.Errorf("the record at position %d has a wrong checksum: %w", p, ErrCorrupt)
	}
	r.Position = p
	r.JSON = value[1]&flagJSON != 0
	copy(r.ID[:], value[6:22])
	r.Created = Ticks(binary.BigEndian.Uint64(value[22:]))
	r.Revision = Revision(binary.BigEndian.Uint64(value[30:]))
	rest := value[recordHeadBytes:]
	stream, rest, ok1 := cutField(rest)
	kind, rest, ok2 := cutField(rest)
	metadata, rest, ok3 := cutField(rest)
	if !ok1 || !ok2 || !ok3 {
		return fmt.Errorf("the record at position %d is cut short: %w", p, ErrCorrupt)
	}
	if r.Stream != string(stream) {
		r.Stream = string(stream)
	}
	if r.Type != string(kind) {
		r.Type = string(kind)
	}
	r.Metadata, r.Data = metadata, rest
	return nil
}

func checksum(p Position, value []byte) uint32 {
	var head [9]byte
	binary.BigEndian.PutUint64(head[:], uint64(p))
	head[8] = value[1]
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, value[coveredFrom:])
}

func appendField[T string | []byte](buf []byte, field T) []byte {
	return append(binary.AppendUvarint(buf, uint64(len(field))), field...)
}

func cutField(buf []byte) (field, rest []byte, ok bool) {
	n, size := binary.Uvarint(buf)
	if size <= 0 || n > uint64(len(buf)-size) {
		return nil, nil, false
	}
	end := size + int(n) // n is at most len(buf)
	return buf[size:end:end], buf[end:], true
}
