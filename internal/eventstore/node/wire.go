package node

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

const (
	metadataType        = "type"
	metadataContentType = "content-type"
	metadataCreated     = "created"
	contentJSON         = "application/json"
	contentBinary       = "application/octet-stream"
)

func wireID(id uuid.UUID, text bool) *shared.UUID {
	if text {
		return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
	}
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(id[:8])), //nolint:gosec // the same 64 bits
		LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])), //nolint:gosec // the same 64 bits
	}}}
}

func parseID(id *shared.UUID) (uuid.UUID, error) {
	switch v := id.GetValue().(type) {
	case *shared.UUID_Structured_:
		var parsed uuid.UUID
		binary.BigEndian.PutUint64(parsed[:8], uint64(v.Structured.GetMostSignificantBits()))  //nolint:gosec // the same 64 bits
		binary.BigEndian.PutUint64(parsed[8:], uint64(v.Structured.GetLeastSignificantBits())) //nolint:gosec // the same 64 bits
		return parsed, nil
	case *shared.UUID_String_:
		parsed, err := uuid.Parse(v.String_)
		if err != nil {
			return uuid.Nil, refuse(codes.InvalidArgument, "the event id is not a UUID: "+err.Error())
		}
		return parsed, nil
	}
	return uuid.Nil, refuse(codes.InvalidArgument, "the event has no id")
}

func wireStream(name string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(name)}
}

func wireRecord(r *eventlog.Record, textIDs bool) *streams.ReadResp_ReadEvent_RecordedEvent {
	content := contentBinary
	if r.JSON {
		content = contentJSON
	}
	return &streams.ReadResp_ReadEvent_RecordedEvent{
		Id:               wireID(r.ID, textIDs),
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

// expectation are the generated messages of the three calls that carry an expected revision.
type expectation interface {
	GetStreamIdentifier() *shared.StreamIdentifier
	GetRevision() uint64
	GetNoStream() *shared.Empty
	GetAny() *shared.Empty
	GetStreamExists() *shared.Empty
}

// parseExpected reads the stream and what the writer believes about it; isRevision tells which member of the oneof is set.
func parseExpected(e expectation, isRevision bool) (string, eventlog.Expected, error) {
	stream := string(e.GetStreamIdentifier().GetStreamName())
	switch {
	case e.GetNoStream() != nil:
		return stream, eventlog.NoStream, nil
	case e.GetAny() != nil:
		return stream, eventlog.Any, nil
	case e.GetStreamExists() != nil:
		return stream, eventlog.StreamExists, nil
	case isRevision && e.GetRevision() <= math.MaxInt64:
		return stream, eventlog.Expected(e.GetRevision()), nil //nolint:gosec // just compared
	}
	return stream, 0, refuse(codes.InvalidArgument, "the expected revision is missing or out of range")
}
