package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrUnknownForm is in the chain of what Decode answers for a type it does not
// know or a version from the future: the reader is older than the writer and
// must stop rather than guess.
var ErrUnknownForm = errors.New("this program is too old to read the event")

// upcast turns the stored JSON of one version into that of the next.
type upcast func(json.RawMessage) (json.RawMessage, error)

// form is how one type is read: each upcast leads one version further, so the
// current version is 1 + len(upcasts).
type form struct {
	decode  func(json.RawMessage) (Event, error)
	upcasts []upcast
}

// forms holds every stored type. Names are written by hand and never reused.
var forms = map[string]form{
	"Subscribed":          of[Subscribed](asItIs),
	"SubscriptionChanged": of[SubscriptionChanged](asItIs),
	"Unsubscribed":        of[Unsubscribed](),
	"Published":           of[Published](),
	"Retracted":           of[Retracted](),
	"ItemsSeen":           of[ItemsSeen](),
	"ItemsRead":           of[ItemsRead](),
	"ItemsUnread":         of[ItemsUnread](),
	"ItemsArchived":       of[ItemsArchived](),
	"ItemsUnarchived":     of[ItemsUnarchived](),
	"ItemsDeleted":        of[ItemsDeleted](),
	"TopicDescribed":      of[TopicDescribed](),
	"PreferencesSet":      of[PreferencesSet](),
	"RebuildOrdered":      of[RebuildOrdered](),
	"VersionActivated":    of[VersionActivated](),
	"VersionDropped":      of[VersionDropped](),
	"ProjectionPaused":    of[ProjectionPaused](),
	"ProjectionResumed":   of[ProjectionResumed](),
	"EventSkipped":        of[EventSkipped](),
	"StoreNamed":          of[StoreNamed](),
	"KeyCreated":          of[KeyCreated](),
	"KeyRevoked":          of[KeyRevoked](),
	"TokensRevoked":       of[TokensRevoked](),
}

// asItIs leads to a version that only adds what may be absent.
func asItIs(data json.RawMessage) (json.RawMessage, error) { return data, nil }

// versioned is an event that is written in the oldest version that can say it, so
// that programs which know only that one still read it.
type versioned interface{ written() int }

func of[E Event](upcasts ...upcast) form {
	return form{upcasts: upcasts, decode: func(data json.RawMessage) (Event, error) {
		var e E
		err := json.Unmarshal(data, &e)
		return e, err
	}}
}

func (f form) version() int { return 1 + len(f.upcasts) }

func (f form) read(data json.RawMessage, version int) (Event, error) {
	var err error
	for v := version; v < f.version(); v++ {
		if data, err = f.upcasts[v-1](data); err != nil {
			return nil, fmt.Errorf("upcast from version %d: %w", v, err)
		}
	}
	return f.decode(data)
}

// Encode makes an event ready to append as the n-th of its command to a stream.
func Encode(e Event, stream StreamName, n int, md Metadata) (Proposed, error) {
	f, ok := forms[e.Type()]
	if !ok {
		return Proposed{}, fmt.Errorf("encode %s: the type is not in the codec", e.Type())
	}
	md.SchemaVersion = f.version()
	if v, ok := e.(versioned); ok {
		md.SchemaVersion = v.written()
	}
	data, err := json.Marshal(e)
	if err != nil {
		return Proposed{}, fmt.Errorf("encode %s: %w", e.Type(), err)
	}
	metadata, err := json.Marshal(md)
	if err != nil {
		return Proposed{}, fmt.Errorf("encode the metadata of %s: %w", e.Type(), err)
	}
	return Proposed{ID: EventID(md.Attempt, stream, n), Type: e.Type(), Data: data, Metadata: metadata}, nil
}

// Decode brings a stored event, of whatever version, to today's form. The error
// names the event; ErrUnknownForm is in its chain when only a newer program can
// read it.
func Decode(s Stored) (Recorded, error) {
	event, md, err := decode(s)
	if err != nil {
		return Recorded{}, fmt.Errorf("decode %s at position %s (stream %s, revision %d): %w",
			s.Type, s.Position, s.Stream, s.Revision, err)
	}
	return Recorded{
		ID: s.ID, Stream: s.Stream, Revision: s.Revision, Position: s.Position,
		At:    s.At.UTC().Truncate(time.Microsecond), // what Postgres keeps, so that every reader says the same
		Event: event, Metadata: md,
	}, nil
}

func decode(s Stored) (Event, Metadata, error) {
	var md Metadata
	if err := json.Unmarshal(s.Metadata, &md); err != nil {
		return nil, md, fmt.Errorf("metadata: %w", err)
	}
	f, ok := forms[s.Type]
	if !ok {
		return nil, md, fmt.Errorf("%w: unknown type", ErrUnknownForm)
	}
	if md.SchemaVersion > f.version() {
		return nil, md, fmt.Errorf("%w: version %d, known up to %d", ErrUnknownForm, md.SchemaVersion, f.version())
	}
	if md.SchemaVersion < 1 {
		return nil, md, fmt.Errorf("metadata: schema_version %d", md.SchemaVersion)
	}
	event, err := f.read(s.Data, md.SchemaVersion)
	return event, md, err
}
