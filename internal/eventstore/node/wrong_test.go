package node_test

import (
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// TestWrongRevisionsOfAppends are answers, in all the words that clients of any age read.
func TestWrongRevisionsOfAppends(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x", "x", "x")
	client := streams.NewStreamsClient(s.dial(t))
	empty := &shared.Empty{}
	cases := map[string]struct {
		stream   string
		expected func(*streams.AppendReq_Options)
		want     *streams.AppendResp_WrongExpectedVersion
	}{
		"no stream, and there is one": {"a", func(o *streams.AppendReq_Options) {
			o.ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: empty}
		}, &streams.AppendResp_WrongExpectedVersion{
			CurrentRevisionOption:         &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: 2},
			CurrentRevisionOption_20_6_0:  &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: 2},
			ExpectedRevisionOption:        &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: empty},
			ExpectedRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: 1<<64 - 1},
		}},
		"a revision that is past": {"a", func(o *streams.AppendReq_Options) {
			o.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: 1}
		}, &streams.AppendResp_WrongExpectedVersion{
			CurrentRevisionOption:         &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: 2},
			CurrentRevisionOption_20_6_0:  &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: 2},
			ExpectedRevisionOption:        &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: 1},
			ExpectedRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: 1},
		}},
		"a revision of no stream": {"new", func(o *streams.AppendReq_Options) {
			o.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: 0}
		}, &streams.AppendResp_WrongExpectedVersion{
			CurrentRevisionOption:         &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: empty},
			CurrentRevisionOption_20_6_0:  &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: empty},
			ExpectedRevisionOption:        &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: 0},
			ExpectedRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{},
		}},
		"a stream that should be there": {"new", func(o *streams.AppendReq_Options) {
			o.ExpectedStreamRevision = &streams.AppendReq_Options_StreamExists{StreamExists: empty}
		}, &streams.AppendResp_WrongExpectedVersion{
			CurrentRevisionOption:         &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: empty},
			CurrentRevisionOption_20_6_0:  &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: empty},
			ExpectedRevisionOption:        &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: empty},
			ExpectedRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: empty},
		}},
	}
	for rule, c := range cases {
		got, _, err := send(t.Context(), t, client, appendOptions(c.stream, c.expected), proposed(someID, "x", nil))
		if err != nil || !proto.Equal(got.GetWrongExpectedVersion(), c.want) {
			t.Errorf("%s: %v, %v, want %v", rule, got, err, c.want)
		}
	}
	// On any, it is wrong to repeat one event together with another.
	once := proposed(someID, "x", nil)
	other := proposed("6f1ed002-ab59-4f9c-b7ab-0c6c1d1f7e10", "x", nil)
	if _, _, err := send(t.Context(), t, client, appendOptions("b"), once); err != nil {
		t.Fatal(err)
	}
	want := &streams.AppendResp_WrongExpectedVersion{
		CurrentRevisionOption:         &streams.AppendResp_WrongExpectedVersion_CurrentRevision{},
		CurrentRevisionOption_20_6_0:  &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{},
		ExpectedRevisionOption:        &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: empty},
		ExpectedRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: empty},
	}
	if got, _, err := send(t.Context(), t, client, appendOptions("b"), once, other); err != nil || !proto.Equal(got.GetWrongExpectedVersion(), want) {
		t.Errorf("any, half a repeat: %v, %v, want %v", got, err, want)
	}
}

// TestAppendsOfNothing are checked, and write nothing.
func TestAppendsOfNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x", "x")
	client := streams.NewStreamsClient(s.dial(t))
	none := func(o *streams.AppendReq_Options) {
		o.ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}
	}
	got, _, err := send(t.Context(), t, client, appendOptions("a"))
	if success := got.GetSuccess(); err != nil || success.GetCurrentRevision() != 1 || success.GetNoPosition() == nil {
		t.Errorf("any: %v, %v, want revision 1 and no position", got, err)
	}
	got, _, err = send(t.Context(), t, client, appendOptions("new", none))
	if success := got.GetSuccess(); err != nil || success.GetNoStream() == nil || success.GetNoPosition() == nil {
		t.Errorf("a new stream: %v, %v, want none, and no position", got, err)
	}
	if got, _, err = send(t.Context(), t, client, appendOptions("a", none)); err != nil || got.GetWrongExpectedVersion() == nil {
		t.Errorf("no stream, and there is one: %v, %v, want a wrong revision", got, err)
	}
	if head := s.log.Head(); head != 2 {
		t.Errorf("head %d, want 2", head)
	}
}

// TestWrongRevisionsOfDeletions are errors that name the stream and both revisions.
func TestWrongRevisionsOfDeletions(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x", "x", "x")
	client := streams.NewStreamsClient(s.dial(t))
	type ending struct{ stream, expected string }
	for c, want := range map[ending][2]string{
		{"a", "no stream"}:        {"-1", "2"},
		{"a", "1"}:                {"1", "2"},
		{"a", "7"}:                {"7", "2"},
		{"never", "0"}:            {"0", "-1"},
		{"never", "exists"}:       {"-4", "-1"},
		{"none", "any"}:           {"-2", "-1"}, // a tombstone takes it
		{"none yet", "no stream"}: {"-1", "-1"}, // as above
	} {
		deletion := &streams.DeleteReq_Options{StreamIdentifier: identifier(c.stream)}
		tombstone := &streams.TombstoneReq_Options{StreamIdentifier: identifier(c.stream)}
		switch c.expected {
		case "no stream":
			deletion.ExpectedStreamRevision = &streams.DeleteReq_Options_NoStream{NoStream: &shared.Empty{}}
			tombstone.ExpectedStreamRevision = &streams.TombstoneReq_Options_NoStream{NoStream: &shared.Empty{}}
		case "exists":
			deletion.ExpectedStreamRevision = &streams.DeleteReq_Options_StreamExists{StreamExists: &shared.Empty{}}
			tombstone.ExpectedStreamRevision = &streams.TombstoneReq_Options_StreamExists{StreamExists: &shared.Empty{}}
		case "any":
			deletion.ExpectedStreamRevision = &streams.DeleteReq_Options_Any{Any: &shared.Empty{}}
			tombstone.ExpectedStreamRevision = &streams.TombstoneReq_Options_Any{Any: &shared.Empty{}}
		default:
			revision := uint64(c.expected[0] - '0')
			deletion.ExpectedStreamRevision = &streams.DeleteReq_Options_Revision{Revision: revision}
			tombstone.ExpectedStreamRevision = &streams.TombstoneReq_Options_Revision{Revision: revision}
		}
		check := func(what string, trailer metadata.MD, err error) {
			t.Helper()
			if status.Code(err) != codes.FailedPrecondition || first(trailer, "exception") != "wrong-expected-version" ||
				first(trailer, "stream-name") != c.stream || first(trailer, "expected-version") != want[0] || first(trailer, "actual-version") != want[1] {
				t.Errorf("%s of %v: %v, %v, want %v", what, c, err, trailer, want)
			}
		}
		var trailer metadata.MD
		_, err := client.Delete(t.Context(), &streams.DeleteReq{Options: deletion}, grpc.Trailer(&trailer))
		check("deletion", trailer, err)
		head := s.log.Head()
		answer, err := client.Tombstone(t.Context(), &streams.TombstoneReq{Options: tombstone}, grpc.Trailer(&trailer))
		if want[0] == "-2" || want[0] == want[1] {
			if err != nil || answer.GetPosition().GetCommitPosition() != uint64(head)+1 {
				t.Errorf("tombstone of %v: %v, %v, want position %d", c, answer, err, head+1)
			}
			continue
		}
		check("tombstone", trailer, err)
	}
}
