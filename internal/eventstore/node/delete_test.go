package node_test

import (
	"context"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (s *server) read(t testing.TB, stream string) (string, error) {
	t.Helper()
	events, err := s.client.ReadStream(t.Context(), stream, esdb.ReadStreamOptions{From: esdb.Start{}}, 100)
	return recite(t, events, err)
}

func TestDeletedStreamsBeginAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x", "x")
	deleted, err := s.client.DeleteStream(t.Context(), "a", esdb.DeleteStreamOptions{ExpectedRevision: esdb.Revision(1)})
	if err != nil || deleted.Position.Commit != 3 {
		t.Fatalf("delete: %+v, %v, want position 3", deleted, err)
	}
	if _, err := s.read(t, "a"); codeOf(err) != esdb.ErrorCodeResourceNotFound {
		t.Errorf("reading it: %v, want not found", err)
	}
	if _, err := s.client.DeleteStream(t.Context(), "a", esdb.DeleteStreamOptions{}); err != nil {
		t.Errorf("deleting it again: %v", err)
	}
	_, err = s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{ExpectedRevision: esdb.StreamExists{}}, proposal("x"))
	if codeOf(err) != esdb.ErrorCodeStreamDeleted {
		t.Errorf("appending to it as existing: %v, want stream deleted", err)
	}
	result, err := s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, proposal("x"))
	if err != nil || result.NextExpectedVersion != 2 {
		t.Errorf("beginning it again: %+v, %v, want revision 2", result, err)
	}
	if got, err := s.read(t, "a"); err != nil || got != "a@2" {
		t.Errorf("then it reads %q, %v, want a@2", got, err)
	}
	all, err := s.client.ReadAll(t.Context(), esdb.ReadAllOptions{From: esdb.Start{}}, 100)
	if got, err := recite(t, all, err); err != nil || got != "a@0 a@1 $$a@0 $$a@1 a@2 $$a@2" {
		t.Errorf("the log reads %q, %v", got, err)
	}
}

func TestDeletingWhatNeverWasIsAWrongRevision(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, err := s.client.DeleteStream(t.Context(), "never", esdb.DeleteStreamOptions{})
	if status.Code(err) != codes.FailedPrecondition && codeOf(err) != esdb.ErrorCodeUnknown {
		t.Errorf("delete: %v (code %v)", err, codeOf(err))
	}
	if err == nil || s.log.Head() != 0 {
		t.Errorf("delete: %v, head %d, want an error and nothing written", err, s.log.Head())
	}
}

func TestTombstonedStreamsAreGoneForEver(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x")
	subscription, err := s.client.SubscribeToStream(context.Background(), "a", esdb.SubscribeToStreamOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = subscription.Close() }()
	heard := hear(t, subscription, "caught-up")
	ended, err := s.client.TombstoneStream(t.Context(), "a", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Revision(0)})
	if err != nil || ended.Position.Commit != 2 {
		t.Fatalf("tombstone: %+v, %v, want position 2", ended, err)
	}
	if heard += " " + hear(t, subscription, "dropped"); heard != "a@0 caught-up a@9223372036854775807 dropped" {
		t.Errorf("a subscriber heard %q", heard)
	}
	attempts := map[string]func() error{
		"appending": func() error {
			_, err := s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{}, proposal("x"))
			return err
		},
		"reading": func() error { _, err := s.read(t, "a"); return err },
		"reading metadata": func() error {
			_, err := s.client.GetStreamMetadata(t.Context(), "a", esdb.ReadStreamOptions{})
			return err
		},
		"deleting": func() error {
			_, err := s.client.DeleteStream(t.Context(), "a", esdb.DeleteStreamOptions{})
			return err
		},
		"tombstoning again": func() error {
			_, err := s.client.TombstoneStream(t.Context(), "a", esdb.TombstoneStreamOptions{})
			return err
		},
		"subscribing": func() error {
			_, err := s.client.SubscribeToStream(t.Context(), "a", esdb.SubscribeToStreamOptions{})
			return err
		},
		"appending elsewhere": func() error { s.append(t, "b", "x"); return nil },
	}
	for what, attempt := range attempts {
		want := esdb.ErrorCodeStreamDeleted
		if what == "appending elsewhere" {
			want = -1
		}
		if err := attempt(); codeOf(err) != want {
			t.Errorf("%s: %v, want code %v", what, err, want)
		}
	}
	if _, err := s.client.TombstoneStream(t.Context(), "never", esdb.TombstoneStreamOptions{ExpectedRevision: esdb.NoStream{}}); err != nil {
		t.Errorf("ending what never was: %v", err)
	}
}

func TestMetadataHidesEvents(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		set  func(*esdb.StreamMetadata)
		want string
	}{
		"a maximum count keeps the last": {func(m *esdb.StreamMetadata) { m.SetMaxCount(2) }, "a@3 a@4"},
		"truncation keeps what follows":  {func(m *esdb.StreamMetadata) { m.SetTruncateBefore(4) }, "a@4"},
		"a maximum age keeps the young":  {func(m *esdb.StreamMetadata) { m.SetMaxAge(time.Hour) }, "a@0 a@1 a@2 a@3 a@4"},
		"whatever hides more counts": {func(m *esdb.StreamMetadata) {
			m.SetMaxCount(3)
			m.SetTruncateBefore(1)
		}, "a@2 a@3 a@4"},
		"all may be hidden": {func(m *esdb.StreamMetadata) { m.SetTruncateBefore(9) }, ""},
		"nothing is hidden": {func(m *esdb.StreamMetadata) { m.AddCustomProperty("owner", "us") }, "a@0 a@1 a@2 a@3 a@4"},
	}
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.append(t, "a", "x", "x", "x", "x", "x")
			metadata := esdb.StreamMetadata{}
			c.set(&metadata)
			if _, err := s.client.SetStreamMetadata(t.Context(), "a", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, metadata); err != nil {
				t.Fatal(err)
			}
			if got, err := s.read(t, "a"); err != nil || got != c.want {
				t.Errorf("the stream reads %q, %v, want %q", got, err, c.want)
			}
			if got := s.append(t, "a", "x"); got.NextExpectedVersion != 5 {
				t.Errorf("the next revision is %d, want 5: hiding does not change numbers", got.NextExpectedVersion)
			}
			if _, err := s.client.GetStreamMetadata(t.Context(), "a", esdb.ReadStreamOptions{}); err != nil {
				t.Errorf("metadata: %v", err)
			}
		})
	}
	t.Run("a stream without metadata has none to be found", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		s.append(t, "a", "x")
		if _, err := s.client.GetStreamMetadata(t.Context(), "a", esdb.ReadStreamOptions{}); codeOf(err) != esdb.ErrorCodeResourceNotFound {
			t.Errorf("metadata: %v, want not found", err)
		}
	})
}

func TestLinksAreResolvedOnRequest(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "target")
	for _, data := range []string{"0@a", "9@a", "no link"} {
		link := esdb.EventData{EventType: "$>", Data: []byte(data)}
		if _, err := s.client.AppendToStream(t.Context(), "links", esdb.AppendToStreamOptions{}, link); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := s.client.ReadStream(t.Context(), "links", esdb.ReadStreamOptions{From: esdb.Start{}, ResolveLinkTos: true}, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for i, want := range []struct{ event, link bool }{{true, true}, {false, true}, {true, false}} {
		got, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if (got.Event != nil) != want.event || (got.Link != nil) != want.link {
			t.Errorf("link %d: event %v, link %v, want %v", i, got.Event, got.Link, want)
		}
		if i == 0 && (got.Event.StreamID != "a" || *got.Commit != 2) {
			t.Errorf("link 0 leads to %s at %d, want a, at the link's own position 2", got.Event.StreamID, *got.Commit)
		}
	}
}
