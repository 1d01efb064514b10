package node

import (
	"encoding/binary"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
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

func wireID(id uuid.UUID) *shared.UUID {
	most, least := halves(id)
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(most),
		LeastSignificantBits: int64(least),
	}}}
}

func parseID(id *shared.UUID) (uuid.UUID, error) {
	switch v := id.GetValue().(type) {
	case *shared.UUID_Structured_:
		var parsed uuid.UUID
		binary.BigEndian.PutUint64(parsed[:8], uint64(v.Structured.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(parsed[8:], uint64(v.Structured.GetLeastSignificantBits()))
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
		return stream, eventlog.Expected(e.GetRevision()), nil
	}
	return stream, 0, refuse(codes.InvalidArgument, "the expected revision is missing or out of range")
}
