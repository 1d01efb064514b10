package node_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tidings-io/tidings/internal/eventstore/node"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// journal is a log's text, for many writers.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func TestAFaultOfTheDiskIsAbortedAndLogged(t *testing.T) {
	t.Parallel()
	var burning atomic.Bool
	disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if burning.Load() && op.Kind == errorfs.OpFileWrite {
			return errors.New("the disk is on fire")
		}
		return nil
	}))
	log, err := eventlog.Open("store", eventlog.Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() }) // it may complain
	written := &journal{}
	s := serve(t, log, node.Options{Logger: slog.New(slog.NewTextHandler(written, nil))})
	s.append(t, "a", "x")
	burning.Store(true)
	for range 2 {
		_, err := s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{}, proposal("x"))
		if codeOf(err) != esdb.ErrorAborted {
			t.Errorf("append: %v, want aborted", err)
		}
	}
	if got, err := s.read(t, "a"); err != nil || got != "a@0" {
		t.Errorf("the stream reads %q, %v, want what was acknowledged", got, err)
	}
	if !strings.Contains(written.String(), "on fire") {
		t.Errorf("logged %q", written)
	}
}
