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
	// ErrFull answers appends while the disk has too little room. Nothing was written; appends are taken again once there is room.
	ErrFull = errors.New("the disk of the event log is full")
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
	return fmt.Sprintf("stream %q has %s, expected %s", e.Stream, revisionText(e.Current), e.Expected)
}

func revisionText(r Revision) string {
	if r == NoRevision {
		return "no events"
	}
	return fmt.Sprintf("revision %d", r)
}

// String says it in words.
func (e Expected) String() string {
	switch e {
	case NoStream:
		return "no events"
	case Any:
		return "any"
	case StreamExists:
		return "a stream that exists"
	}
	return fmt.Sprintf("revision %d", int64(e))
}

// StreamDeleted answers appends to and reads of a stream that was ended for ever, and appends that expect a deleted stream to exist.
type StreamDeleted struct{ Stream string }

func (e *StreamDeleted) Error() string { return fmt.Sprintf("stream %q is deleted", e.Stream) }

// Lost answers Open when acknowledged events are missing at the end of the log: the disk lost what it had confirmed, or a file was
// damaged or exchanged. Options.AcceptLoss opens the log without them.
type Lost struct {
	Acknowledged Position // of the last append that was answered
	Head         Position // of the last event there is
	Torn         *TornTail
}

func (e *Lost) Error() string {
	text := fmt.Sprintf("events up to position %d were acknowledged, but the log ends at %d", e.Acknowledged, e.Head)
	if e.Torn != nil {
		text += ": " + e.Torn.String()
	}
	return text + "; restore a backup, or accept the loss to go on without them"
}

// Unwrap makes a loss a kind of corruption.
func (e *Lost) Unwrap() error { return ErrCorrupt }

// Failed answers appends after a write to the disk failed: what the disk holds is unknown until the log is opened again.
type Failed struct{ Cause error }

func (e *Failed) Error() string {
	return fmt.Sprintf("the event log stopped accepting appends: %v", e.Cause)
}
func (e *Failed) Unwrap() error { return e.Cause }
