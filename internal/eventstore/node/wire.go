package node

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

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

// maxNameBytes bounds a stream's name, its "$$" not counted. A real node knows no limit of its own; names this long are mistakes, and
// a name is sent with each of its events, three times in the index, and back in trailers.
const maxNameBytes = 4096

// parseStreamName takes every name that is text. A real node would change what is not, and two names could become one.
func parseStreamName(id *shared.StreamIdentifier) (string, error) {
	const metastream = "$$"
	name := string(id.GetStreamName())
	switch {
	case name == "" || name == metastream:
		return "", refuse(codes.Unknown, strconv.Quote(name)+" is not the name of a stream") // as a real node's handler that threw
	case !utf8.ValidString(name):
		return "", refuse(codes.InvalidArgument, "the stream's name is not UTF-8: "+strconv.Quote(name[:min(len(name), 100)]))
	case len(strings.TrimPrefix(name, metastream)) > maxNameBytes:
		return "", refuse(codes.InvalidArgument,
			fmt.Sprintf("the stream's name has %d bytes, at most %d are allowed", len(name), maxNameBytes))
	}
	return name, nil
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
	stream, err := parseStreamName(e.GetStreamIdentifier())
	switch {
	case err != nil:
		return "", 0, err
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
