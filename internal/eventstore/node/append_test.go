package node_test

import (
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
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
	for range 20 { // a server that answers early loses the race for the true reason now and then
		more := proposal("t")
		more.Data = make([]byte, 200<<10)
		_, err := s.client.AppendToStream(t.Context(), "large", esdb.AppendToStreamOptions{}, tooLarge, more, more, more)
		if err == nil || !contains(err, "Maximum Append Size") {
			t.Fatalf("1 MiB and a byte: %v, want the size rule", err)
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
