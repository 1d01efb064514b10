package node

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/mem"
)

// Proposed events are by far the most messages a node receives. Those of the shape that clients send are read here, in a third of the
// allocations; all others, and all that is not as it should be, is left to the generated code. A test holds the two equal.

// Unmarshal decodes a request.
func (c eventCodec) Unmarshal(data mem.BufferSlice, v any) error {
	message, ok := v.(*streams.AppendReq)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	if decodeProposed(message, whole.ReadOnlyData()) {
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

const (
	tagProposed = 2<<3 | kindBytes

	tagProposedMetadata = 2<<3 | kindBytes
	tagProposedCustom   = 3<<3 | kindBytes
	tagProposedData     = 4<<3 | kindBytes
)

// proposed is all of a message, so that it is allocated at once.
type proposed struct {
	content    streams.AppendReq_ProposedMessage_
	message    streams.AppendReq_ProposedMessage
	id         shared.UUID
	form       shared.UUID_Structured_
	structured shared.UUID_Structured
}

// decodeProposed fills a message from an event of the usual shape: its fields in order, each once, the id as two numbers, and no other
// metadata than the two that must be there. It tells whether it did; if not, the message is as it was.
func decodeProposed(into *streams.AppendReq, wire []byte) bool {
	wire, rest, ok := cutTagged(wire, tagProposed)
	if !ok || len(rest) > 0 {
		return false
	}
	p := new(proposed)
	id, wire, ok := cutTagged(wire, tagID)
	if !ok || !p.decodeID(id) {
		return false
	}
	var kind, content []byte
	if kind, content, wire, ok = cutTypes(wire); !ok {
		return false
	}
	custom, wire, hasCustom := cutTagged(wire, tagProposedCustom)
	data, wire, hasData := cutTagged(wire, tagProposedData)
	if len(wire) > 0 {
		return false
	}
	kept := append(append(make([]byte, 0, len(custom)+len(data)), custom...), data...)
	if hasCustom {
		p.message.CustomMetadata = kept[:len(custom):len(custom)]
	}
	if hasData {
		p.message.Data = kept[len(custom):]
	}
	p.message.Metadata = map[string]string{metadataType: string(kind), metadataContentType: contentTypeOf(content)}
	p.form.Structured = &p.structured
	p.id.Value = &p.form
	p.message.Id = &p.id
	p.content.ProposedMessage = &p.message
	into.Content = &p.content
	return true
}

func (p *proposed) decodeID(wire []byte) bool {
	wire, rest, ok := cutTagged(wire, tagStructured)
	if !ok || len(rest) > 0 {
		return false
	}
	most, wire, ok1 := cutNumber(wire, tagMost)
	least, wire, ok2 := cutNumber(wire, tagLeast)
	p.structured.MostSignificantBits, p.structured.LeastSignificantBits = int64(most), int64(least) // halves, not numbers
	return ok1 && ok2 && len(wire) == 0
}

// cutTypes cuts off the two entries of metadata that each event has, in either order.
func cutTypes(wire []byte) (kind, content, rest []byte, ok bool) {
	for range 2 {
		entry, after, ok := cutTagged(wire, tagProposedMetadata)
		if !ok {
			return nil, nil, nil, false
		}
		key, entry, ok1 := cutTagged(entry, tagKey)
		value, entry, ok2 := cutTagged(entry, tagValue)
		if !ok1 || !ok2 || len(entry) > 0 || !utf8.Valid(value) {
			return nil, nil, nil, false
		}
		switch {
		case string(key) == metadataType && kind == nil:
			kind = value
		case string(key) == metadataContentType && content == nil:
			content = value
		default:
			return nil, nil, nil, false
		}
		wire = after
	}
	return kind, content, wire, true
}

// contentTypeOf is a text, without an allocation for those that clients send.
func contentTypeOf(content []byte) string {
	switch string(content) {
	case contentJSON:
		return contentJSON
	case contentBinary:
		return contentBinary
	}
	return string(content)
}

// cutTagged cuts a field with a length off, if the tag is the next. Otherwise the rest is all there was.
func cutTagged(wire []byte, tag byte) (field, rest []byte, ok bool) {
	if len(wire) == 0 || wire[0] != tag {
		return nil, wire, false
	}
	length, size := binary.Uvarint(wire[1:])
	if size <= 0 || length > uint64(len(wire)-1-size) {
		return nil, wire, false
	}
	start := 1 + size
	end := start + int(length) // at most len(wire)
	return wire[start:end:end], wire[end:], true
}

func cutNumber(wire []byte, tag byte) (number uint64, rest []byte, ok bool) {
	if len(wire) == 0 || wire[0] != tag {
		return 0, wire, false
	}
	number, size := binary.Uvarint(wire[1:])
	if size <= 0 {
		return 0, wire, false
	}
	return number, wire[1+size:], true
}
