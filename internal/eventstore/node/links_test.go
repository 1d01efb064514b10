package node_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// TestLinks resolves links to what is there, what is hidden, what is gone and what cannot be, by reads and subscriptions of all kinds.
func TestLinks(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		payload, kind string
		event, link   string // stream@revision; "" is nothing
	}{
		"to an event":                      {"1@there", "$>", "there@1", "links@0"},
		"to a name with an at":             {"0@at@x", "$>", "at@x@0", "links@0"},
		"to a metastream":                  {"0@$$hidden", "$>", "$$hidden@0", "links@0"},
		"to a link, which stays one":       {"0@other", "$>", "other@0", "links@0"},
		"to an event that is hidden":       {"0@hidden", "$>", "", "links@0"},
		"to an event of a deleted stream":  {"0@deleted", "$>", "", "links@0"},
		"to an event of an ended stream":   {"0@ended", "$>", "", "links@0"},
		"to a revision that is not there":  {"7@there", "$>", "", "links@0"},
		"to a stream that never was":       {"0@never", "$>", "", "links@0"},
		"to the highest revision":          {"9223372036854775807@there", "$>", "", "links@0"},
		"a payload without at":             {"0there", "$>", "links@0", ""},
		"a payload without number":         {"@there", "$>", "links@0", ""},
		"a payload without stream":         {"0@", "$>", "links@0", ""},
		"a number that is none":            {"0x1@there", "$>", "links@0", ""},
		"a number below zero":              {"-1@there", "$>", "links@0", ""},
		"a number that is far too large":   {"99999999999999999999@there", "$>", "links@0", ""},
		"no payload":                       {"", "$>", "links@0", ""},
		"an event that only looks like it": {"0@there", ">", "links@0", ""},
	}
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.append(t, "there", "x", "x")
			s.append(t, "at@x", "x")
			s.append(t, "hidden", "x", "x")
			s.setRaw(t, "hidden", `{"$tb":1}`, esdb.ContentTypeJson)
			s.append(t, "deleted", "x")
			s.append(t, "ended", "x")
			if _, err := s.client.DeleteStream(t.Context(), "deleted", esdb.DeleteStreamOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.client.TombstoneStream(t.Context(), "ended", esdb.TombstoneStreamOptions{}); err != nil {
				t.Fatal(err)
			}
			for stream, data := range map[string]string{"other": "0@there", "links": c.payload} {
				kind := "$>"
				if stream == "links" {
					kind = c.kind
				}
				event := esdb.EventData{EventType: kind, Data: []byte(data)}
				if _, err := s.client.AppendToStream(t.Context(), stream, esdb.AppendToStreamOptions{}, event); err != nil {
					t.Fatal(err)
				}
			}
			s.checkLink(t, c.event, c.link)
		})
	}
}

func (s *server) checkLink(t *testing.T, event, link string) {
	t.Helper()
	raw := streams.NewStreamsClient(s.dial(t))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	unresolved, _, err := messages(ctx, t, raw, &streams.ReadReq_Options{StreamOption: ofStream("links"), CountOption: counted(1)})
	if err != nil || len(unresolved) != 1 || unresolved[0].GetEvent().GetLink() != nil || name(unresolved[0].GetEvent().GetEvent()) != "links@0" {
		t.Fatalf("unresolved: %v, %v", unresolved, err)
	}
	position := unresolved[0].GetEvent().GetCommitPosition()
	onlyLinks := &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
			StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{"links"}},
		},
		CheckpointIntervalMultiplier: 1,
	}}
	for way, o := range map[string]*streams.ReadReq_Options{
		"a stream":                    {StreamOption: ofStream("links"), CountOption: counted(9)},
		"a stream, followed":          {StreamOption: ofStream("links"), CountOption: subscribing()},
		"the log, from there":         {StreamOption: ofAllAt(position, position), CountOption: counted(1)},
		"the log, from there, back":   {StreamOption: ofAllAt(position+1, position+1), CountOption: counted(1), ReadDirection: 1},
		"the log, followed":           {StreamOption: ofAllAt(position-1, position-1), CountOption: subscribing()},
		"the log, filtered by stream": {StreamOption: ofAll(), FilterOption: onlyLinks, CountOption: counted(9)},
		"the log, filtered, followed": {StreamOption: ofAll(), FilterOption: onlyLinks, CountOption: subscribing()},
	} {
		o.ResolveLinks = true
		call, err := raw.Read(ctx, &streams.ReadReq{Options: o})
		if err != nil {
			t.Fatal(err)
		}
		var got *streams.ReadResp_ReadEvent
		for got == nil {
			message, err := call.Recv()
			if err != nil {
				t.Fatalf("%s: %v", way, err)
			}
			got = message.GetEvent()
		}
		if name(got.GetEvent()) != event || name(got.GetLink()) != link || got.GetCommitPosition() != position {
			t.Errorf("%s: event %q, link %q at %d, want %q, %q at %d", way, name(got.GetEvent()), name(got.GetLink()), got.GetCommitPosition(), event, link, position)
		}
	}
}

// name of an event on the wire: stream@revision.
func name(e *streams.ReadResp_ReadEvent_RecordedEvent) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf("%s@%d", e.GetStreamIdentifier().GetStreamName(), e.GetStreamRevision())
}
