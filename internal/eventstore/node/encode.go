package node

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/google/uuid"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// Events are by far the most messages a node sends, and each is a map in a oneof in a oneof. They are written straight into their
// wire form, in one allocation; a test holds it equal to what the generated code writes.

// encoded is a ReadResp in its wire form.
type encoded []byte

// eventCodec is the usual codec, except that what is encoded already passes as it is.
type eventCodec struct{ encoding.CodecV2 }

func newEventCodec() eventCodec { return eventCodec{encoding.GetCodecV2("proto")} }

// Marshal encodes an answer.
func (c eventCodec) Marshal(v any) (mem.BufferSlice, error) {
	if e, ok := v.(encoded); ok {
		return mem.BufferSlice{mem.SliceBuffer(e)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Tags: the field's number and its kind in one byte. Nothing here has a field above 15.
const (
	kindVarint = 0
	kindBytes  = 2

	tagResponseEvent = 1<<3 | kindBytes

	tagEvent          = 1<<3 | kindBytes
	tagLink           = 2<<3 | kindBytes
	tagCommitPosition = 3<<3 | kindVarint

	tagID       = 1<<3 | kindBytes
	tagStream   = 2<<3 | kindBytes
	tagRevision = 3<<3 | kindVarint
	tagPrepare  = 4<<3 | kindVarint
	tagCommit   = 5<<3 | kindVarint
	tagMetadata = 6<<3 | kindBytes
	tagCustom   = 7<<3 | kindBytes
	tagData     = 8<<3 | kindBytes

	tagStructured = 1<<3 | kindBytes
	tagMost       = 1<<3 | kindVarint
	tagLeast      = 2<<3 | kindVarint
	tagText       = 2<<3 | kindBytes

	tagStreamName = 3<<3 | kindBytes

	tagKey   = 1<<3 | kindBytes
	tagValue = 2<<3 | kindBytes
)

// encodeEvent is the answer with an event, its link, or both; position is that of the link if there is one.
func encodeEvent(event, link *eventlog.Record, position eventlog.Position, textIDs bool) encoded {
	eventBytes, linkBytes := recordSize(event, textIDs), recordSize(link, textIDs)
	body := 1 + varintSize(uint64(position))
	if event != nil {
		body += fieldSize(eventBytes)
	}
	if link != nil {
		body += fieldSize(linkBytes)
	}
	buf := make([]byte, 0, fieldSize(body))
	buf = appendLength(buf, tagResponseEvent, body)
	if event != nil {
		buf = appendRecord(appendLength(buf, tagEvent, eventBytes), event, textIDs)
	}
	if link != nil {
		buf = appendRecord(appendLength(buf, tagLink, linkBytes), link, textIDs)
	}
	return appendVarint(buf, tagCommitPosition, uint64(position))
}

func appendRecord(buf []byte, r *eventlog.Record, textIDs bool) []byte {
	buf = appendID(buf, r.ID, textIDs)
	buf = appendLength(buf, tagStream, fieldSize(len(r.Stream)))
	buf = appendBytes(buf, tagStreamName, r.Stream)
	buf = appendVarint(buf, tagRevision, uint64(r.Revision))
	buf = appendVarint(buf, tagPrepare, uint64(r.Position))
	buf = appendVarint(buf, tagCommit, uint64(r.Position))
	buf = appendEntry(buf, metadataType, r.Type)
	buf = appendEntry(buf, metadataContentType, contentType(r))
	var ticks [20]byte
	buf = appendEntry(buf, metadataCreated, string(strconv.AppendInt(ticks[:0], int64(r.Created), 10)))
	buf = appendBytes(buf, tagCustom, r.Metadata)
	return appendBytes(buf, tagData, r.Data)
}

func recordSize(r *eventlog.Record, textIDs bool) int {
	if r == nil {
		return 0
	}
	var ticks [20]byte
	created := len(strconv.AppendInt(ticks[:0], int64(r.Created), 10))
	return fieldSize(idSize(r.ID, textIDs)) +
		fieldSize(fieldSize(len(r.Stream))) +
		3 + varintSize(uint64(r.Revision)) + 2*varintSize(uint64(r.Position)) +
		entrySize(len(metadataType), len(r.Type)) +
		entrySize(len(metadataContentType), len(contentType(r))) +
		entrySize(len(metadataCreated), created) +
		fieldSize(len(r.Metadata)) + fieldSize(len(r.Data))
}

func contentType(r *eventlog.Record) string {
	if r.JSON {
		return contentJSON
	}
	return contentBinary
}

func halves(id uuid.UUID) (most, least uint64) {
	return binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
}

func appendID(buf []byte, id uuid.UUID, text bool) []byte {
	buf = appendLength(buf, tagID, idSize(id, text))
	if text {
		return appendBytes(buf, tagText, id.String())
	}
	most, least := halves(id)
	buf = appendLength(buf, tagStructured, 2+varintSize(most)+varintSize(least))
	return appendVarint(appendVarint(buf, tagMost, most), tagLeast, least)
}

func idSize(id uuid.UUID, text bool) int {
	const textBytes = 36
	if text {
		return fieldSize(textBytes)
	}
	most, least := halves(id)
	return fieldSize(2 + varintSize(most) + varintSize(least))
}

func appendEntry(buf []byte, key, value string) []byte {
	buf = appendLength(buf, tagMetadata, fieldSize(len(key))+fieldSize(len(value)))
	return appendBytes(appendBytes(buf, tagKey, key), tagValue, value)
}

func entrySize(key, value int) int { return fieldSize(fieldSize(key) + fieldSize(value)) }

func appendBytes[T string | []byte](buf []byte, tag byte, value T) []byte {
	return append(appendLength(buf, tag, len(value)), value...)
}

func appendLength(buf []byte, tag byte, length int) []byte {
	return binary.AppendUvarint(append(buf, tag), uint64(length)) // lengths are not negative
}

func appendVarint(buf []byte, tag byte, value uint64) []byte {
	return binary.AppendUvarint(append(buf, tag), value)
}

// fieldSize is a field of so many bytes with its tag and length.
func fieldSize(length int) int { return 1 + varintSize(uint64(length)) + length } // lengths are not negative

func varintSize(v uint64) int {
	const bitsPerByte = 7
	return (bits.Len64(v|1) + bitsPerByte - 1) / bitsPerByte
}
