package node

import (
	"strconv"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/mem"
	"pgregory.net/rapid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// TestEncodedEventsAreWhatTheGeneratedCodeReads decodes them with the generated code and compares field by field.
func TestEncodedEventsAreWhatTheGeneratedCodeReads(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		event, link := drawRecord(t, "event"), drawRecord(t, "link")
		switch rapid.IntRange(0, 2).Draw(t, "which") {
		case 0:
			link = nil
		case 1:
			event = nil
		}
		position := eventlog.Position(rapid.Uint64().Draw(t, "position"))
		textIDs := rapid.Bool().Draw(t, "text ids")

		wire := encodeEvent(event, link, position, textIDs)
		if cap(wire) != len(wire) {
			t.Fatalf("%d bytes in %d: the size was misjudged", len(wire), cap(wire))
		}
		var got streams.ReadResp
		codec := newEventCodec()
		if err := codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, &got); err != nil {
			t.Fatal(err)
		}
		if got.GetEvent().GetCommitPosition() != uint64(position) {
			t.Fatalf("position %d, want %d", got.GetEvent().GetCommitPosition(), position)
		}
		compareRecord(t, got.GetEvent().GetEvent(), event, textIDs)
		compareRecord(t, got.GetEvent().GetLink(), link, textIDs)
	})
}

func drawRecord(t *rapid.T, label string) *eventlog.Record {
	bytes := rapid.SliceOfN(rapid.Byte(), 0, 300)
	return &eventlog.Record{
		Event: eventlog.Event{
			ID:       uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label+" id")),
			Type:     rapid.String().Draw(t, label+" type"),
			JSON:     rapid.Bool().Draw(t, label+" json"),
			Data:     bytes.Draw(t, label+" data"),
			Metadata: bytes.Draw(t, label+" metadata"),
		},
		Stream:   string(bytes.Draw(t, label+" stream")),
		Revision: eventlog.Revision(rapid.Int64Min(0).Draw(t, label+" revision")),
		Position: eventlog.Position(rapid.Uint64().Draw(t, label+" position")),
		Created:  eventlog.Ticks(rapid.Int64().Draw(t, label+" created")),
	}
}

func compareRecord(t *rapid.T, got *streams.ReadResp_ReadEvent_RecordedEvent, want *eventlog.Record, textIDs bool) {
	if want == nil {
		if got != nil {
			t.Fatalf("got %v, want nothing", got)
		}
		return
	}
	id, err := parseID(got.GetId())
	if err != nil {
		t.Fatal(err)
	}
	if _, isText := got.GetId().GetValue().(*shared.UUID_String_); isText != textIDs {
		t.Fatalf("id %v, want text: %v", got.GetId(), textIDs)
	}
	generated := wireRecord(want)
	type fields struct {
		ID                        uuid.UUID
		Stream                    []byte
		Revision, Prepare, Commit uint64
		Metadata                  map[string]string
		Custom, Data              []byte
	}
	of := func(id uuid.UUID, r *streams.ReadResp_ReadEvent_RecordedEvent) fields {
		return fields{
			id, append([]byte{}, r.GetStreamIdentifier().GetStreamName()...), r.GetStreamRevision(), r.GetPreparePosition(), r.GetCommitPosition(),
			r.GetMetadata(), append([]byte{}, r.GetCustomMetadata()...), append([]byte{}, r.GetData()...),
		}
	}
	if diff := cmp.Diff(of(want.ID, generated), of(id, got)); diff != "" {
		t.Fatal(diff)
	}
}

// wireRecord is an event as the generated code holds it.
func wireRecord(r *eventlog.Record) *streams.ReadResp_ReadEvent_RecordedEvent {
	content := contentBinary
	if r.JSON {
		content = contentJSON
	}
	return &streams.ReadResp_ReadEvent_RecordedEvent{
		Id:               wireID(r.ID),
		StreamIdentifier: wireStream(r.Stream),
		StreamRevision:   uint64(r.Revision),
		PreparePosition:  uint64(r.Position),
		CommitPosition:   uint64(r.Position),
		Metadata: map[string]string{
			metadataType:        r.Type,
			metadataContentType: content,
			metadataCreated:     strconv.FormatInt(int64(r.Created), 10),
		},
		CustomMetadata: r.Metadata,
		Data:           r.Data,
	}
}
