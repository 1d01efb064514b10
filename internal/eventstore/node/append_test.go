package node_test

import (
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestAppend(t *testing.T) {
	t.Parallel()
	s := start(t)
	first := proposal("first")
	result, err := s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, first, proposal("second"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := *result, (esdb.WriteResult{CommitPosition: 2, PreparePosition: 2, NextExpectedVersion: 1}); got != want {
		t.Errorf("append = %+v, want %+v", got, want)
	}
	_, err = s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(0)}, proposal("late"))
	if got, want := codeOf(err), esdb.ErrorCodeWrongExpectedVersion; got != want {
		t.Errorf("a conflict is code %v (%v), want %v", got, err, want)
	}
	result, err = s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, first)
	if err != nil || result.NextExpectedVersion != 0 || result.CommitPosition != 1 {
		t.Errorf("the repeat of the first event = %+v, %v, want revision 0 at position 1", result, err)
	}
}

func TestAppendSize(t *testing.T) {
	t.Parallel()
	s := start(t)
	fits, tooLarge := proposal("t"), proposal("t")
	fits.Metadata, tooLarge.Metadata = nil, nil
	fits.Data = make([]byte, 1<<20-2)
	tooLarge.Data = make([]byte, 1<<20-1)
	if _, err := s.client.AppendToStream(t.Context(), "large", esdb.AppendToStreamOptions{}, fits); err != nil {
		t.Errorf("1 MiB: %v", err)
	}
	_, err := s.client.AppendToStream(t.Context(), "large", esdb.AppendToStreamOptions{}, tooLarge)
	if err == nil || !contains(err, "Maximum Append Size") {
		t.Errorf("1 MiB and a byte: %v, want the size rule", err)
	}
	for range 20 { // a server that answers early loses the race for the true reason now and then
		more := proposal("t")
		more.Data = make([]byte, 200<<10)
		_, err := s.client.AppendToStream(t.Context(), "large", esdb.AppendToStreamOptions{}, tooLarge, more, more, more)
		if err == nil || !contains(err, "Maximum Append Size") {
			t.Fatalf("1 MiB and a byte, and more: %v, want the size rule", err)
		}
	}
	frame := proposal("t")
	frame.Data = make([]byte, 15<<20)
	if _, err := s.client.AppendToStream(t.Context(), "large", esdb.AppendToStreamOptions{}, frame); err == nil || !contains(err, "Maximum Append Size") {
		t.Errorf("a frame of 15 MiB: %v, want the size rule", err)
	}
	if got := s.log.Head(); got != 1 {
		t.Errorf("head = %d, want 1: what was refused must not be written", got)
	}
}

// TestAppendsThatNoClientShouldSend are refused whole, whatever follows what is wrong with them.
func TestAppendsThatNoClientShouldSend(t *testing.T) {
	t.Parallel()
	s := start(t)
	options, noName := appendOptions("a"), appendOptions("")
	noExpectation := appendOptions("a", func(o *streams.AppendReq_Options) { o.ExpectedStreamRevision = nil })
	event := func(id, kind string) *streams.AppendReq { return proposed(id, kind, nil) }
	const id = "0e61bd8a-24d7-4a3f-8f0f-3c6f0a4d7a11"
	good := event(id, "x")
	bare := event(id, "x")
	bare.GetProposedMessage().Metadata = nil
	noType := event(id, "x")
	delete(noType.GetProposedMessage().Metadata, "type")
	noID := event(id, "x")
	noID.GetProposedMessage().Id = nil
	cases := map[string]struct {
		messages []*streams.AppendReq
		want     codes.Code
		trailer  string
	}{
		"an event before the options":   {[]*streams.AppendReq{good, good}, codes.InvalidArgument, ""},
		"options twice":                 {[]*streams.AppendReq{options, options, good}, codes.InvalidArgument, ""},
		"no expected revision":          {[]*streams.AppendReq{noExpectation, good}, codes.InvalidArgument, ""},
		"no stream name":                {[]*streams.AppendReq{noName, good}, codes.Unknown, ""},
		"an event without its metadata": {[]*streams.AppendReq{options, bare, good}, codes.InvalidArgument, "missing-required-metadata-property"},
		"an event that names no type":   {[]*streams.AppendReq{options, noType, good}, codes.InvalidArgument, "missing-required-metadata-property"},
		"an event without a type":       {[]*streams.AppendReq{options, event(id, ""), good}, codes.Unknown, ""},
		"an event without an id":        {[]*streams.AppendReq{options, noID, good}, codes.InvalidArgument, ""},
		"an event whose id is no UUID":  {[]*streams.AppendReq{options, event("x", "x"), good}, codes.InvalidArgument, ""},
		"an event whose id is zero":     {[]*streams.AppendReq{options, event("00000000-0000-0000-0000-000000000000", "x")}, codes.Unknown, ""},
	}
	client := streams.NewStreamsClient(s.dial(t))
	for what, c := range cases {
		_, trailer, err := send(t.Context(), t, client, c.messages...)
		if status.Code(err) != c.want || first(trailer, "exception") != c.trailer {
			t.Errorf("%s: %v, %v, want %v with exception %q", what, err, trailer, c.want, c.trailer)
		}
	}
	if got := s.log.Head(); got != 0 {
		t.Errorf("head = %d, want 0", got)
	}
}
