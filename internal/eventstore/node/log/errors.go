package eventlog

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed answers every call after Close.
	ErrClosed = errors.New("the event log is closed")
	// ErrInUse answers Open while another process, or this one, has the directory open.
	ErrInUse = errors.New("the event log is in use by another process")
	// ErrCorrupt answers reads of a record that is not what was written.
	ErrCorrupt = errors.New("the event log is corrupt")
	// ErrInvalid answers requests that no state of the log could accept.
	ErrInvalid = errors.New("invalid request")
)

// WrongRevision answers an append whose expectation does not hold. Nothing was written.
type WrongRevision struct {
	Stream   string
	Expected Expected
	Current  Revision // NoRevision: the stream has no events
}

func (e *WrongRevision) Error() string {
	return fmt.Sprintf("stream %q is at revision %d, expected %d", e.Stream, e.Current, e.Expected)
}

// StreamDeleted answers appends to and reads of a stream that was ended for ever, and appends that expect a deleted stream to exist.
type StreamDeleted struct{ Stream string }

func (e *StreamDeleted) Error() string { return fmt.Sprintf("stream %q is deleted", e.Stream) }

// Failed answers appends after a write to the disk failed: what the disk holds is unknown until the log is opened again.
type Failed struct{ Cause error }

func (e *Failed) Error() string {
	return fmt.Sprintf("the event log stopped accepting appends: %v", e.Cause)
}
func (e *Failed) Unwrap() error { return e.Cause }
