package node

import (
	"errors"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

const (
	// maxAppendBytes is a real node's default for all events of one append.
	maxAppendBytes = 1 << 20
	// maxDrainBytes is how much of an append that is refused anyway is read before the refusal.
	maxDrainBytes = 64 << 20
	// frameHeadBytes precede each message, so that empty ones come to an end too.
	frameHeadBytes = 5
)

// Append adds the events that the client streams to one stream, all or none.
func (s *streamsService) Append(call streams.Streams_AppendServer) error {
	started := time.Now()
	answer, outcome, err := s.append(call)
	s.node.metrics.appended(outcome, time.Since(started))
	if err != nil {
		return s.end(call, err)
	}
	return call.SendAndClose(answer)
}

func (s *streamsService) append(call streams.Streams_AppendServer) (*streams.AppendResp, string, error) {
	request, err := receiveAppend(call)
	if err != nil {
		return nil, outcomeOf(err), err
	}
	done, err := s.node.log.Append(call.Context(), request.stream, request.expected, request.events...)
	var wrong *eventlog.WrongRevision
	switch {
	case errors.As(err, &wrong):
		return wrongRevision(wrong), outcomeWrongRevision, nil
	case err != nil:
		return nil, outcomeOf(err), err
	case done.Repeat:
		return appended(done), outcomeRepeated, nil
	}
	return appended(done), outcomeWritten, nil
}

// appendRequest is what the messages of an append say together.
type appendRequest struct {
	stream   string
	expected eventlog.Expected
	events   []eventlog.Event
	bytes    int // as the size rule counts
	received int
}

// receiveAppend reads the whole request, also when it is to be refused: a client that is answered while it sends reports EOF.
func receiveAppend(call streams.Streams_AppendServer) (*appendRequest, error) {
	first, err := call.Recv()
	if err != nil {
		return nil, err
	}
	request := &appendRequest{}
	refusal := request.begin(first)
	for {
		message, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return request, refusal
		}
		if err != nil {
			return nil, err
		}
		if refusal == nil {
			refusal = request.add(message.GetProposedMessage())
		}
		if refusal == nil {
			continue
		}
		request.events = nil
		request.received += frameHeadBytes + proto.Size(message)
		if request.received > maxDrainBytes {
			return nil, refusal
		}
	}
}

func (a *appendRequest) begin(message *streams.AppendReq) error {
	options := message.GetOptions()
	if options == nil {
		return refuse(codes.InvalidArgument, "an append begins with its options")
	}
	_, isRevision := options.GetExpectedStreamRevision().(*streams.AppendReq_Options_Revision)
	var err error
	a.stream, a.expected, err = parseExpected(options, isRevision)
	return err
}

func (a *appendRequest) add(message *streams.AppendReq_ProposedMessage) error {
	if message == nil {
		return refuse(codes.InvalidArgument, "an append goes on with its events")
	}
	kind, ok1 := message.GetMetadata()[metadataType]
	content, ok2 := message.GetMetadata()[metadataContentType]
	if !ok1 || !ok2 {
		return refuse(codes.InvalidArgument, "required metadata is missing",
			trailerException, exceptionRequired, trailerRequired, metadataType+","+metadataContentType)
	}
	id, err := parseID(message.GetId())
	if err != nil {
		return err
	}
	if kind == "" || id == uuid.Nil {
		// At once: an event without a type may have no bytes at all, and then the size rule would not end the request.
		return refuse(codes.Unknown, "an event lacks an id or a type") // as a real node's handler that threw
	}
	a.bytes += len(message.GetData()) + len(message.GetCustomMetadata()) + 2*utf16Units(kind)
	if a.bytes > maxAppendBytes {
		return refuse(codes.InvalidArgument, "Maximum Append Size of "+strconv.Itoa(maxAppendBytes)+" Exceeded.",
			trailerException, exceptionMaxAppend, trailerMaxAppend, strconv.Itoa(maxAppendBytes))
	}
	a.events = append(a.events, eventlog.Event{
		ID:       id,
		Type:     kind,
		JSON:     content == contentJSON,
		Data:     message.GetData(),
		Metadata: message.GetCustomMetadata(),
	})
	return nil
}

// utf16Units is the length of a text as a real node counts it.
func utf16Units(text string) int {
	const firstOutsideBMP = 0x10000
	units := utf8.RuneCountInString(text)
	for _, r := range text {
		if r >= firstOutsideBMP {
			units++
		}
	}
	return units
}

func appended(done eventlog.Appended) *streams.AppendResp {
	success := &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(done.Revision)},
		PositionOption:        &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}},
	}
	if done.Revision == eventlog.NoRevision {
		success.CurrentRevisionOption = &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}}
	}
	if done.Position > 0 {
		success.PositionOption = &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
			CommitPosition: uint64(done.Position), PreparePosition: uint64(done.Position),
		}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: success}}
}

// wrongRevision is an answer, not an error; old clients read the members that end in the version.
func wrongRevision(wrong *eventlog.WrongRevision) *streams.AppendResp {
	answer := &streams.AppendResp_WrongExpectedVersion{}
	if wrong.Current == eventlog.NoRevision {
		answer.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &shared.Empty{}}
		answer.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: &shared.Empty{}}
	} else {
		current := uint64(wrong.Current)
		answer.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: current}
		answer.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: current}
	}
	switch wrong.Expected {
	case eventlog.Any:
		answer.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: &shared.Empty{}}
		answer.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: &shared.Empty{}}
	case eventlog.StreamExists:
		answer.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &shared.Empty{}}
		answer.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: &shared.Empty{}}
	case eventlog.NoStream:
		answer.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &shared.Empty{}}
		answer.ExpectedRevisionOption_20_6_0 = expectedOld(wrong.Expected)
	default:
		answer.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(wrong.Expected)}
		answer.ExpectedRevisionOption_20_6_0 = expectedOld(wrong.Expected)
	}
	return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: answer}}
}

// expectedOld writes NoStream, −1, as the highest number.
func expectedOld(e eventlog.Expected) *streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0 {
	return &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: uint64(e)} // minus one wraps around, on purpose
}
