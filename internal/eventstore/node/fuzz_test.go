package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// fuzzPatience is far more than any call here takes.
const fuzzPatience = 10 * time.Second

// fuzzed is the service over a small log: some streams, metadata, links and a tombstone.
func fuzzed(f *testing.F) *streamsService {
	f.Helper()
	log, err := eventlog.Open("store", eventlog.Options{FS: vfs.NewMem()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = log.Close() })
	s := &streamsService{node: New(log, Options{}), stopping: make(chan struct{})}
	event := func(kind, data string) eventlog.Event {
		return eventlog.Event{ID: uuid.New(), Type: kind, JSON: true, Data: []byte(data)}
	}
	for _, w := range []struct {
		stream string
		events []eventlog.Event
	}{
		{"a", []eventlog.Event{event("x", "{}"), event("y", "{}"), event("x", "{}")}},
		{"$$a", []eventlog.Event{event("$metadata", `{"$tb":1}`)}},
		{"links", []eventlog.Event{event("$>", "2@a"), event("$>", "0@a"), event("$>", "x"), event("$>", "0@ended")}},
		{"ended", []eventlog.Event{event("x", "{}")}},
	} {
		if _, err := log.Append(f.Context(), w.stream, eventlog.Any, w.events...); err != nil {
			f.Fatal(err)
		}
	}
	if _, err := log.Tombstone(f.Context(), "ended", eventlog.Any); err != nil {
		f.Fatal(err)
	}
	return s
}

// readCall is the server's end of a Read; it ends a subscription that has caught up, and any call after so many messages.
type readCall struct {
	streams.Streams_ReadServer

	ctx    context.Context
	cancel context.CancelFunc
	sent   []*streams.ReadResp
}

const fuzzMessages = 1000

func (c *readCall) Context() context.Context { return c.ctx }

func (c *readCall) SetTrailer(metadata.MD) {}

func (c *readCall) Send(m *streams.ReadResp) error {
	c.sent = append(c.sent, m)
	if m.GetCaughtUp() != nil || len(c.sent) > fuzzMessages {
		c.cancel()
	}
	return nil
}

func (c *readCall) SendMsg(m any) error {
	var event streams.ReadResp
	if err := proto.Unmarshal(m.(encoded), &event); err != nil {
		return err
	}
	return c.Send(&event)
}

// read makes the call and fails when it does not end, or ends in a way that no request may make it.
func (s *streamsService) read(t *testing.T, o *streams.ReadReq_Options) ([]*streams.ReadResp, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), fuzzPatience)
	defer cancel()
	call := &readCall{ctx: ctx, cancel: cancel}
	err := s.Read(&streams.ReadReq{Options: o}, call)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Fatalf("%v: not within %v", o, fuzzPatience)
	}
	if code := status.Code(err).String(); code == "Internal" || code == "Aborted" {
		t.Fatalf("%v: %v", o, err)
	}
	return call.sent, err
}

// FuzzRead takes any options a client may send. What is sent is what the official client can digest, in order.
func FuzzRead(f *testing.F) {
	s := fuzzed(f)
	seed := func(o *streams.ReadReq_Options) {
		o.UuidOption = &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_Structured{}}
		data, err := proto.Marshal(o)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	empty := &shared.Empty{}
	stream := func(name string) *streams.ReadReq_Options_StreamOptions {
		return &streams.ReadReq_Options_StreamOptions{
			StreamIdentifier: wireStream(name), RevisionOption: &streams.ReadReq_Options_StreamOptions_Start{Start: empty},
		}
	}
	all := &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Position{
		Position: &streams.ReadReq_Options_Position{CommitPosition: 3, PreparePosition: 3},
	}}
	filter := &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_EventType{
			EventType: &streams.ReadReq_Options_FilterOptions_Expression{Regex: "^[^$].*", Prefix: []string{"x"}},
		},
		Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: 2},
		CheckpointIntervalMultiplier: 1,
	}
	subscription := &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	count := &streams.ReadReq_Options_Count{Count: math.MaxUint64}
	for _, name := range []string{"a", "$$a", "links", "ended", "never", ""} {
		for _, direction := range []streams.ReadReq_Options_ReadDirection{0, 1} {
			seed(&streams.ReadReq_Options{StreamOption: &streams.ReadReq_Options_Stream{Stream: stream(name)}, CountOption: count, ReadDirection: direction, ResolveLinks: true})
		}
		seed(&streams.ReadReq_Options{StreamOption: &streams.ReadReq_Options_Stream{Stream: stream(name)}, CountOption: subscription})
	}
	seed(&streams.ReadReq_Options{StreamOption: &streams.ReadReq_Options_All{All: all}, CountOption: count, ReadDirection: 1})
	seed(&streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: all}, CountOption: subscription,
		FilterOption: &streams.ReadReq_Options_Filter{Filter: filter},
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		o := &streams.ReadReq_Options{}
		if proto.Unmarshal(data, o) != nil {
			t.Skip("not a request")
		}
		sent, err := s.read(t, o)
		checkSent(t, o, sent, err)
	})
}

func checkSent(t *testing.T, o *streams.ReadReq_Options, sent []*streams.ReadResp, err error) {
	t.Helper()
	_, subscribed := o.GetCountOption().(*streams.ReadReq_Options_Subscription)
	if !subscribed && uint64(len(sent)) > max(1, o.GetCount()) {
		t.Fatalf("%v: %d messages", o, len(sent))
	}
	considered, through := uint64(0), false // up to which position everything has been considered
	for i, m := range sent {
		position := uint64(0)
		switch content := m.GetContent().(type) {
		case *streams.ReadResp_Event:
			position = content.Event.GetCommitPosition()
		case *streams.ReadResp_Checkpoint_:
			position = content.Checkpoint.GetCommitPosition()
		case *streams.ReadResp_Confirmation:
			if i != 0 || !subscribed {
				t.Fatalf("%v: message %d is a confirmation", o, i)
			}
			continue
		case *streams.ReadResp_CaughtUp_:
			continue
		case *streams.ReadResp_StreamNotFound_:
			if subscribed || len(sent) != 1 || err != nil {
				t.Fatalf("%v: not found among %d messages, %v", o, len(sent), err)
			}
			continue
		default:
			t.Fatalf("%v: message %d is %v", o, i, m)
		}
		isCheckpoint := m.GetCheckpoint() != nil
		if isCheckpoint && (!subscribed || o.GetFilter() == nil) {
			t.Fatalf("%v: a checkpoint", o)
		}
		if subscribed && (position < considered || position == considered && (!isCheckpoint || through)) {
			t.Fatalf("%v: %v after %d", o, m, considered)
		}
		considered, through = position, isCheckpoint
	}
}

// appendCall is the server's end of an Append.
type appendCall struct {
	streams.Streams_AppendServer

	ctx      context.Context
	messages []*streams.AppendReq
	answer   *streams.AppendResp
}

func (c *appendCall) Context() context.Context { return c.ctx }

func (c *appendCall) SetTrailer(metadata.MD) {}

func (c *appendCall) Recv() (*streams.AppendReq, error) {
	if len(c.messages) == 0 {
		return nil, io.EOF
	}
	next := c.messages[0]
	c.messages = c.messages[1:]
	return next, nil
}

func (c *appendCall) SendAndClose(m *streams.AppendResp) error {
	c.answer = m
	return nil
}

// FuzzAppend takes any two messages. Either all events are written or none, and what is answered is what the log then holds.
func FuzzAppend(f *testing.F) {
	s := fuzzed(f)
	seed := func(first, second proto.Message) {
		one, err1 := proto.Marshal(first)
		two, err2 := proto.Marshal(second)
		if err := errors.Join(err1, err2); err != nil {
			f.Fatal(err)
		}
		f.Add(one, two)
	}
	event := &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id: wireID(uuid.UUID{1}), Metadata: map[string]string{"type": "x", "content-type": "application/json"}, Data: []byte("{}"), CustomMetadata: []byte("{}"),
	}}}
	text := proto.CloneOf(event)
	text.GetProposedMessage().Id = &shared.UUID{Value: &shared.UUID_String_{String_: "0e61bd8a-24d7-4a3f-8f0f-3c6f0a4d7a11"}}
	for _, name := range []string{"a", "$$a", "ended", "new", ""} {
		for _, o := range []*streams.AppendReq_Options{
			{ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}}},
			{ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}},
			{ExpectedStreamRevision: &streams.AppendReq_Options_StreamExists{StreamExists: &shared.Empty{}}},
			{ExpectedStreamRevision: &streams.AppendReq_Options_Revision{Revision: 2}},
			{ExpectedStreamRevision: &streams.AppendReq_Options_Revision{Revision: math.MaxUint64}},
		} {
			o.StreamIdentifier = wireStream(name)
			options := &streams.AppendReq{Content: &streams.AppendReq_Options_{Options: o}}
			seed(options, event)
			seed(options, text)
			seed(options, options)
		}
	}
	seed(event, event)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		one, two := &streams.AppendReq{}, &streams.AppendReq{}
		if proto.Unmarshal(first, one) != nil || proto.Unmarshal(second, two) != nil {
			t.Skip("not a request")
		}
		ctx, cancel := context.WithTimeout(t.Context(), fuzzPatience)
		defer cancel()
		before := s.node.log.Head()
		call := &appendCall{ctx: ctx, messages: []*streams.AppendReq{one, two}}
		err := s.Append(call)
		if code := status.Code(err).String(); code == "Internal" || code == "Aborted" || code == "DeadlineExceeded" {
			t.Fatalf("%v %v: %v", one, two, err)
		}
		success := call.answer.GetSuccess()
		if head := s.node.log.Head(); head != before && success == nil {
			t.Fatalf("%v %v: %v, %v, and the head went from %d to %d", one, two, call.answer, err, before, head)
		}
		if position := success.GetPosition().GetCommitPosition(); position > 0 {
			page, err := s.node.log.Forward(eventlog.Position(position), eventlog.Limit{Events: 1})
			if err != nil || len(page) != 1 || uint64(page[0].Revision) != success.GetCurrentRevision() ||
				page[0].Stream != string(one.GetOptions().GetStreamIdentifier().GetStreamName()) {
				t.Fatalf("%v %v: answered %v, the log has %v, %v", one, two, success, page, err)
			}
		}
	})
}

// FuzzLink resolves any payload.
func FuzzLink(f *testing.F) {
	for _, payload := range []string{
		"2@a", "0@a", "0@ended", "0@$$a", "-1@a", "+2@a", " 2@a", "9223372036854775807@a", "9223372036854775808@a", "2@", "@a", "@", "", "2@a@b", "2@\x00\xff", "0x2@a", "2.0@a",
	} {
		f.Add([]byte(payload))
	}
	s := fuzzed(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		stream := "link-" + uuid.NewString()
		link := eventlog.Event{ID: uuid.New(), Type: eventlog.TypeLink, Data: payload}
		if _, err := s.node.log.Append(t.Context(), stream, eventlog.NoStream, link); err != nil {
			t.Fatal(err)
		}
		sent, err := s.read(t, &streams.ReadReq_Options{
			StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
				StreamIdentifier: wireStream(stream), RevisionOption: &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
			}},
			CountOption: &streams.ReadReq_Options_Count{Count: 2}, ResolveLinks: true,
		})
		if err != nil || len(sent) != 1 {
			t.Fatalf("%q: %v, %v, want one event", payload, sent, err)
		}
		got := sent[0].GetEvent()
		own := got.GetLink()
		if own == nil { // not a link after all
			own = got.GetEvent()
		}
		if !bytes.Equal(own.GetData(), payload) || own.GetCommitPosition() != got.GetCommitPosition() {
			t.Fatalf("%q: %v", payload, got)
		}
	})
}

// FuzzMetadata sets any metadata. Whatever it says, the stream can be read, both ways alike, and it is itself read as it was set.
func FuzzMetadata(f *testing.F) {
	for _, data := range []string{
		`{"$maxCount":1}`, `{"$maxAge":1,"$tb":2}`, `{"$tb":9223372036854775807}`, `{"$tb":9223372036854775806}`, `{"$maxCount":9223372036854775807,"$maxAge":9223372036854775807}`,
		`{"$maxCount":-9223372036854775808}`, `{"$maxCount":1e3}`, `{"$acl":{"$r":["a"]}}`, `{"$acl":7}`, `{"$cacheControl":1}`, `[]`, `null`, ``, `{`, `{"$tb":1}{"$tb":2}`, "\xff",
	} {
		f.Add([]byte(data), true)
	}
	f.Add([]byte(`{"$maxCount":1}`), false)
	s := fuzzed(f)
	f.Fuzz(func(t *testing.T, data []byte, json bool) {
		stream := "metadata-" + uuid.NewString()
		for range 3 {
			if _, err := s.node.log.Append(t.Context(), stream, eventlog.Any, eventlog.Event{ID: uuid.New(), Type: "x"}); err != nil {
				t.Fatal(err)
			}
		}
		set := eventlog.Event{ID: uuid.New(), Type: eventlog.TypeMetadata, JSON: json, Data: data}
		if _, err := s.node.log.Append(t.Context(), "$$"+stream, eventlog.NoStream, set); err != nil {
			t.Fatal(err)
		}
		options := func(name string, direction streams.ReadReq_Options_ReadDirection) *streams.ReadReq_Options {
			o := &streams.ReadReq_Options_StreamOptions{
				StreamIdentifier: wireStream(name), RevisionOption: &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
			}
			if direction == streams.ReadReq_Options_Backwards {
				o.RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: &shared.Empty{}}
			}
			return &streams.ReadReq_Options{
				StreamOption: &streams.ReadReq_Options_Stream{Stream: o}, ReadDirection: direction,
				CountOption: &streams.ReadReq_Options_Count{Count: math.MaxUint64},
			}
		}
		forwards, err1 := s.read(t, options(stream, streams.ReadReq_Options_Forwards))
		backwards, err2 := s.read(t, options(stream, streams.ReadReq_Options_Backwards))
		if err1 != nil || err2 != nil || len(forwards) != len(backwards) {
			t.Fatalf("%q: %v, %v; %v, %v", data, forwards, err1, backwards, err2)
		}
		for i, m := range forwards {
			if m.GetStreamNotFound() == nil && !proto.Equal(m, backwards[len(backwards)-1-i]) {
				t.Fatalf("%q: %v and backwards %v", data, forwards, backwards)
			}
		}
		got, err := s.read(t, options("$$"+stream, streams.ReadReq_Options_Forwards))
		if err != nil || len(got) != 1 || !bytes.Equal(got[0].GetEvent().GetEvent().GetData(), data) {
			t.Fatalf("%q: the metastream has %v, %v", data, got, err)
		}
		if _, err := s.node.log.Append(t.Context(), stream, eventlog.Expected(2), eventlog.Event{ID: uuid.New(), Type: "x"}); err != nil {
			t.Fatalf("%q: the next append: %v", data, err)
		}
	})
}
