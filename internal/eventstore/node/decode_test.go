package node

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// TestDecodedRequestsAreWhatTheGeneratedCodeReads decodes messages of an append both ways: whole ones, and with a byte changed, added
// or cut off.
func TestDecodedRequestsAreWhatTheGeneratedCodeReads(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		wire, err := proto.Marshal(drawAppend(t))
		if err != nil {
			t.Fatal(err)
		}
		decodeBoth(t, wire)
		for range 20 {
			decodeBoth(t, damaged(t, wire))
		}
	})
}

func decodeBoth(t interface{ Fatalf(string, ...any) }, wire []byte) {
	var got, want streams.AppendReq
	gotErr := newEventCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, &got)
	wantErr := encoding.GetCodecV2("proto").Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, &want)
	if (gotErr == nil) != (wantErr == nil) || gotErr == nil && !proto.Equal(&got, &want) {
		t.Fatalf("%x decodes to %v, %v; the generated code says %v, %v", wire, &got, gotErr, &want, wantErr)
	}
}

func drawAppend(t *rapid.T) *streams.AppendReq {
	if rapid.IntRange(0, 9).Draw(t, "kind") == 0 {
		return &streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: rapid.SliceOf(rapid.Byte()).Draw(t, "stream")},
		}}}
	}
	bytes := rapid.SliceOfN(rapid.Byte(), 0, 300)
	message := &streams.AppendReq_ProposedMessage{
		Id:             wireID(uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))),
		Metadata:       map[string]string{},
		CustomMetadata: bytes.Draw(t, "metadata"),
		Data:           bytes.Draw(t, "data"),
	}
	if rapid.IntRange(0, 9).Draw(t, "id is text") == 0 {
		message.Id = &shared.UUID{Value: &shared.UUID_String_{String_: rapid.String().Draw(t, "text id")}}
	}
	if rapid.IntRange(0, 9).Draw(t, "without type") > 0 {
		message.Metadata[metadataType] = rapid.String().Draw(t, "type")
	}
	if rapid.IntRange(0, 9).Draw(t, "without content type") > 0 {
		message.Metadata[metadataContentType] = rapid.SampledFrom([]string{contentJSON, contentBinary, "", "text/plain"}).Draw(t, "content type")
	}
	if rapid.IntRange(0, 9).Draw(t, "more metadata") == 0 {
		message.Metadata[rapid.String().Draw(t, "key")] = rapid.String().Draw(t, "value")
	}
	return &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: message}}
}

// damaged has one byte changed, added, or taken away, or all from some byte on.
func damaged(t *rapid.T, wire []byte) []byte {
	at := rapid.IntRange(0, len(wire)).Draw(t, "at")
	b := rapid.Byte().Draw(t, "byte")
	head, tail := wire[:at:at], wire[at:]
	switch how := rapid.IntRange(0, 3).Draw(t, "how"); {
	case how == 0:
		return head
	case how == 1:
		return append(append(head, b), tail...)
	case how == 2 && len(tail) > 0:
		return append(append(head, b), tail[1:]...)
	case len(tail) > 0:
		return append(head, tail[1:]...)
	}
	return wire
}

// TestOddRequestsAreWhatTheGeneratedCodeReads has what the wire format allows and no client sends.
func TestOddRequestsAreWhatTheGeneratedCodeReads(t *testing.T) {
	t.Parallel()
	entry := func(key, value string) []byte { return appendBytes(appendBytes(nil, tagKey, key), tagValue, value) }
	kind, content := entry(metadataType, "a"), entry(metadataContentType, contentJSON)
	unknown := []byte{15<<3 | kindVarint, 1}
	id := appendID(nil, uuid.New(), false)
	message := func(fields ...[]byte) []byte {
		var body []byte
		for _, field := range fields {
			body = append(body, field...)
		}
		return appendBytes(nil, tagProposed, body)
	}
	metadata := func(entry []byte) []byte { return appendBytes(nil, tagProposedMetadata, entry) }
	data := appendBytes(nil, tagProposedData, "data")
	for name, wire := range map[string][]byte{
		"usual":                           message(id, metadata(kind), metadata(content), data),
		"the type twice":                  message(id, metadata(kind), metadata(entry(metadataType, "b"))),
		"the type twice, both types":      message(id, metadata(kind), metadata(entry(metadataType, "b")), metadata(content)),
		"a field after an entry's value":  message(id, metadata(append(slices.Clip(kind), unknown...)), metadata(content)),
		"an entry's value twice":          message(id, metadata(appendBytes(slices.Clip(kind), tagValue, "b")), metadata(content)),
		"an entry's value before its key": message(id, metadata(appendBytes(appendBytes(nil, tagValue, "b"), tagKey, metadataType)), metadata(content)),
		"an entry without a value":        message(id, metadata(appendBytes(nil, tagKey, metadataType)), metadata(content)),
		"no id":                           message(metadata(kind), metadata(content)),
		"the id twice":                    message(id, appendID(nil, uuid.New(), false), metadata(kind), metadata(content)),
		"the id last":                     message(metadata(kind), metadata(content), id),
		"the data twice":                  message(id, metadata(kind), metadata(content), data, appendBytes(nil, tagProposedData, "b")),
		"the data before the metadata":    message(id, data, metadata(kind), metadata(content)),
		"empty data":                      message(id, metadata(kind), metadata(content), appendBytes(nil, tagProposedData, "")),
		"an unknown field":                message(id, metadata(kind), metadata(content), unknown),
		"two events":                      append(message(id, metadata(kind), metadata(content)), message(data)...),
		"an event, then options":          append(message(id, metadata(kind), metadata(content)), appendBytes(nil, 1<<3|kindBytes, "")...),
		"a number that does not end":      message([]byte{tagID, 4, tagStructured, 2, tagMost, 0x80}, metadata(kind), metadata(content)),
		"a length that does not end":      {tagProposed, 0x80},
		"nothing":                         {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decodeBoth(t, wire)
		})
	}
}

// TestUsualRequestsAreDecodedHere fails when the client's own messages take the long way.
func TestUsualRequestsAreDecodedHere(t *testing.T) {
	t.Parallel()
	for range 100 { // a map has no order
		wire, err := proto.Marshal(usualAppend())
		if err != nil {
			t.Fatal(err)
		}
		if !decodeProposed(new(streams.AppendReq), wire) {
			t.Fatalf("%x is left to the generated code", wire)
		}
	}
}

// TestDecodedRequestsOwnTheirBytes fails when what was received is kept: its memory is used again.
func TestDecodedRequestsOwnTheirBytes(t *testing.T) {
	t.Parallel()
	want := usualAppend()
	wire, err := proto.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got streams.AppendReq
	if err := newEventCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, &got); err != nil {
		t.Fatal(err)
	}
	clear(wire)
	if !proto.Equal(&got, want) {
		t.Errorf("after its bytes were used again the message is %v, want %v", &got, want)
	}
}

func usualAppend() *streams.AppendReq {
	data := make([]byte, 200)
	for i := range data {
		data[i] = byte(rand.N(256))
	}
	return &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id:             wireID(uuid.New()),
		Metadata:       map[string]string{metadataType: "Published", metadataContentType: contentJSON},
		CustomMetadata: data[:150],
		Data:           data,
	}}}
}

// BenchmarkDecode compares the two ways.
func BenchmarkDecode(b *testing.B) {
	wire, err := proto.Marshal(usualAppend())
	if err != nil {
		b.Fatal(err)
	}
	for name, codec := range map[string]encoding.CodecV2{"here": newEventCodec(), "generated": encoding.GetCodecV2("proto")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, new(streams.AppendReq)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
