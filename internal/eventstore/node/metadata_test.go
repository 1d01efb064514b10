package node_test

import (
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidings-io/tidings/internal/eventstore/node"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// setRaw writes a metadata event as it is, JSON or not.
func (s *server) setRaw(t testing.TB, stream, data string, content esdb.ContentType) {
	t.Helper()
	event := esdb.EventData{EventType: "$metadata", ContentType: content, Data: []byte(data)}
	if _, err := s.client.AppendToStream(t.Context(), "$$"+stream, esdb.AppendToStreamOptions{}, event); err != nil {
		t.Fatal(err)
	}
}

func TestMetadataIsReadStrictlyAndKeptVerbatim(t *testing.T) {
	t.Parallel()
	const all, binary = "a@0 a@1 a@2 a@3", esdb.ContentTypeBinary
	cases := map[string]struct {
		data    string
		content esdb.ContentType
		want    string
	}{
		"a count":                                {`{"$maxCount":1}`, esdb.ContentTypeJson, "a@3"},
		"spaces, order and other keys are free":  {" { \"x\":[{}] ,\n\"$tb\" : 2 }\n", esdb.ContentTypeJson, "a@2 a@3"},
		"zero is no count":                       {`{"$maxCount":0}`, esdb.ContentTypeJson, all},
		"a negative count is none":               {`{"$maxCount":-1,"$tb":3}`, esdb.ContentTypeJson, "a@3"},
		"a negative truncation is none":          {`{"$tb":-3}`, esdb.ContentTypeJson, all},
		"a count that is text voids all of it":   {`{"$maxCount":"1","$tb":3}`, esdb.ContentTypeJson, all},
		"so does one with a fraction":            {`{"$maxCount":1.5,"$tb":3}`, esdb.ContentTypeJson, all},
		"so does one that is no number at all":   {`{"$maxCount":[1],"$tb":3}`, esdb.ContentTypeJson, all},
		"so does an age that is text":            {`{"$maxAge":"1","$tb":3}`, esdb.ContentTypeJson, all},
		"keys are upper or lower case":           {`{"$MAXCOUNT":1,"$Tb":3}`, esdb.ContentTypeJson, all},
		"malformed JSON is none":                 {`{"$maxCount":1`, esdb.ContentTypeJson, all},
		"JSON that is no object is none":         {`[1]`, esdb.ContentTypeJson, all},
		"nothing is none":                        {``, esdb.ContentTypeJson, all},
		"null is none":                           {`null`, esdb.ContentTypeJson, all},
		"what is not JSON by its type is none":   {`{"$maxCount":1}`, binary, all},
		"access rules are kept and not enforced": {`{"$acl":{"$r":"$admins","$w":["$admins"]},"$maxCount":2}`, esdb.ContentTypeJson, "a@2 a@3"},
		"access rules of no known form void it":  {`{"$acl":{"$r":7},"$maxCount":2}`, esdb.ContentTypeJson, all},
		"access rules may be named":              {`{"$acl":"$userStreamAcl","$maxCount":2}`, esdb.ContentTypeJson, "a@2 a@3"},
		"cache control that is text voids it":    {`{"$cacheControl":"1","$maxCount":2}`, esdb.ContentTypeJson, all},
		"cache control is kept":                  {`{"$cacheControl":3600}`, esdb.ContentTypeJson, all},
	}
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.append(t, "a", "x", "x", "x", "x")
			s.setRaw(t, "a", `{"$maxCount":3}`, esdb.ContentTypeJson) // replaced, whatever replaces it
			s.setRaw(t, "a", c.data, c.content)
			if got, err := s.read(t, "a"); err != nil || got != c.want {
				t.Errorf("the stream reads %q, %v, want %q", got, err, c.want)
			}
			stream, err := s.client.ReadStream(t.Context(), "$$a", esdb.ReadStreamOptions{From: esdb.Start{}}, 9)
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Close()
			event, err := stream.Recv()
			if err != nil || string(event.Event.Data) != c.data || event.Event.EventNumber != 1 || event.Event.EventType != "$metadata" {
				t.Errorf("the metastream has %+v, %v, want the last, verbatim, alone", event, err)
			}
			if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
				t.Errorf("and then %v, want the end", err)
			}
			s.append(t, "a", "x") // whatever the access rules say
		})
	}
}

// TestMaxAge hides events as the clock moves, to the tick.
func TestMaxAge(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	log, err := eventlog.Open("store", eventlog.Options{FS: vfs.NewMem(), Now: func() time.Time { return time.Unix(0, now.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	s := serve(t, log, node.Options{})
	s.append(t, "a", "x")
	s.setRaw(t, "a", `{"$maxAge":10}`, esdb.ContentTypeJson)
	now.Add(int64(4 * time.Second))
	s.append(t, "a", "x")
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, "a@0 a@1"}, {6 * time.Second, "a@0 a@1"}, {100, "a@1"}, {4 * time.Second, ""}} {
		now.Add(int64(step.after))
		if got, err := s.read(t, "a"); err != nil || got != step.want {
			t.Errorf("%v later the stream reads %q, %v, want %q", step.after, got, err, step.want)
		}
	}
	all, err := s.client.ReadAll(t.Context(), esdb.ReadAllOptions{From: esdb.Start{}}, 9)
	if got, err := recite(t, all, err); err != nil || got != "a@0 $$a@0 a@1" {
		t.Errorf("the log reads %q, %v: it shows what is too old", got, err)
	}
	backwards, err := s.client.ReadStream(t.Context(), "a", esdb.ReadStreamOptions{From: esdb.End{}, Direction: esdb.Backwards}, 9)
	if got, err := recite(t, backwards, err); err != nil || got != "" {
		t.Errorf("backwards it reads %q, %v", got, err)
	}
	if got := s.append(t, "a", "x"); got.NextExpectedVersion != 2 {
		t.Errorf("the next revision is %d, want 2", got.NextExpectedVersion)
	}
}

// TestARepeatOfWhatIsHiddenHasNoPosition: it succeeds as it did.
func TestARepeatOfWhatIsHiddenHasNoPosition(t *testing.T) {
	t.Parallel()
	s := start(t)
	hidden, shown := proposal("x"), proposal("x")
	for _, e := range []esdb.EventData{hidden, shown} {
		if _, err := s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{}, e); err != nil {
			t.Fatal(err)
		}
	}
	s.setRaw(t, "a", `{"$tb":1}`, esdb.ContentTypeJson)
	for _, expected := range []esdb.ExpectedRevision{esdb.Any{}, esdb.StreamExists{}, esdb.NoStream{}} {
		got, err := s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{ExpectedRevision: expected}, hidden)
		if err != nil || *got != (esdb.WriteResult{}) {
			t.Errorf("%T: the hidden one again: %+v, %v, want revision 0 and no position", expected, got, err)
		}
	}
	got, err := s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(0)}, shown)
	if err != nil || *got != (esdb.WriteResult{CommitPosition: 2, PreparePosition: 2, NextExpectedVersion: 1}) {
		t.Errorf("the shown one again: %+v, %v", got, err)
	}
}

// TestMetastreamsOfMetastreams are streams that can be written and read, and mean nothing.
func TestMetastreamsOfMetastreams(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x", "x")
	s.setRaw(t, "a", `{"$tb":1}`, esdb.ContentTypeJson)
	s.setRaw(t, "$$a", `{"$tb":9,"$maxCount":5}`, esdb.ContentTypeJson)
	s.setRaw(t, "$$a", `{"$tb":9223372036854775807}`, esdb.ContentTypeJson)
	for stream, want := range map[string]string{"a": "a@1", "$$a": "$$a@0", "$$$$a": "$$$$a@1"} {
		if got, err := s.read(t, stream); err != nil || got != want {
			t.Errorf("%s reads %q, %v, want %q", stream, got, err, want)
		}
	}
}

// TestMetastreamsCannotBeDeleted: they end with their stream.
func TestMetastreamsCannotBeDeleted(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x")
	s.setRaw(t, "a", `{"$maxCount":1}`, esdb.ContentTypeJson)
	head := s.log.Head()
	if _, err := s.client.DeleteStream(t.Context(), "$$a", esdb.DeleteStreamOptions{}); codeOf(err) != esdb.ErrorCodeUnknown {
		t.Errorf("delete: %v", err)
	}
	if _, err := s.client.TombstoneStream(t.Context(), "$$a", esdb.TombstoneStreamOptions{}); codeOf(err) != esdb.ErrorCodeUnknown {
		t.Errorf("tombstone: %v", err)
	}
	if got := s.log.Head(); got != head {
		t.Errorf("head %d, want %d: nothing is written", got, head)
	}
	if _, err := s.client.TombstoneStream(t.Context(), "a", esdb.TombstoneStreamOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.read(t, "$$a"); codeOf(err) != esdb.ErrorCodeStreamDeleted {
		t.Errorf("reading it after its stream's end: %v", err)
	}
	_, err := s.client.AppendToStream(t.Context(), "$$a", esdb.AppendToStreamOptions{}, proposal("$metadata"))
	if codeOf(err) != esdb.ErrorCodeStreamDeleted {
		t.Errorf("appending to it then: %v", err)
	}
}

// TestMetadataBringsADeletedStreamBack, as an append does: hidden are the events from before the deletion.
func TestMetadataBringsADeletedStreamBack(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x", "x")
	if _, err := s.client.DeleteStream(t.Context(), "a", esdb.DeleteStreamOptions{}); err != nil {
		t.Fatal(err)
	}
	metadata := esdb.StreamMetadata{}
	metadata.SetMaxCount(7)
	if _, err := s.client.SetStreamMetadata(t.Context(), "a", esdb.AppendToStreamOptions{}, metadata); err != nil {
		t.Fatal(err)
	}
	got, err := s.client.GetStreamMetadata(t.Context(), "a", esdb.ReadStreamOptions{})
	if err != nil || *got.MaxCount() != 7 || *got.TruncateBefore() != 2 {
		t.Errorf("metadata %+v, %v, want a count of 7 and truncation before 2", got, err)
	}
	if got, err := s.read(t, "a"); err != nil || got != "" {
		t.Errorf("it reads %q, %v, want nothing", got, err)
	}
	s.append(t, "a", "x")
	if got, err := s.read(t, "a"); err != nil || got != "a@2" {
		t.Errorf("then it reads %q, %v, want a@2", got, err)
	}
}
