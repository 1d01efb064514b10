package eventlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

// walkIndex walks the streams' index, and the index of ids beside it: both have the streams in the same order.
func (c *checker) walkIndex(ctx context.Context) (err error) {
	events, err := c.cursor(spaceStream)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDamaged(events.it)) }()
	ids, err := c.cursor(spaceID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDamaged(ids.it)) }()
	w := &indexWalk{checker: c, events: events, ids: ids}
	for events.next() {
		w.event()
		if w.taken++; w.taken%tellEvery == 0 {
			if err := c.advance(ctx, 2*tellEvery); err != nil { // its id, too
				return err
			}
		}
	}
	w.endStream()
	for ids.valid() { // behind the last stream
		w.strayID()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index, c.marked = w.sums, w.marked
	c.found.Streams, c.found.Tombstoned, c.found.WithMetadata = w.streams, w.tombstoned, w.withMetadata
	return nil
}

type indexWalk struct {
	*checker

	events, ids  *cursor
	sums         sums // of all events
	marked       sums // of the marks they call for
	streams      int64
	tombstoned   int64
	withMetadata int64
	taken        int64

	// the stream being walked
	prefix   []byte
	name     []byte
	digest   digest
	expected Revision // of the next event; unknown after damage
	unknown  bool
	position Position // of the event before
	own      sums     // of its (id, revision)
	skipped  int      // of events.skipped, when it began
}

// event checks one entry of a stream's index.
func (w *indexWalk) event() {
	key := w.events.it.Key()
	prefix, name, ok := cutName(key, 8)
	if !ok {
		w.fault(Fault{Kind: FaultKey, Text: fmt.Sprintf("there is a key %q, which the log never writes", key)})
		return
	}
	if !bytes.Equal(prefix, w.prefix) {
		w.endStream()
		w.beginStream(prefix, name)
	}
	if w.skipped != w.events.skipped {
		w.skipped, w.unknown = w.events.skipped, true
	}
	revision := revisionOfKey(key)
	value, err := w.events.it.ValueAndErr()
	var at place
	if err == nil {
		at, err = parsePlace(value)
	}
	if err != nil {
		w.fault(Fault{Kind: FaultIndex, Stream: string(name), Text: fmt.Sprintf("the index entry of revision %d of %q: %v", revision, name, err)})
		w.expected = revision + 1
		return
	}
	w.follow(revision, at.position)
	w.sums.add(w.hash, w.digest, revision, at.id, at.position)
	w.own.add(w.hash, digest{}, revision, at.id, 0)
}

func (w *indexWalk) beginStream(prefix, name []byte) {
	w.prefix, w.name = append(w.prefix[:0], prefix...), append(w.name[:0], name...)
	w.digest, w.own = w.hash.stream(name), sums{}
	w.expected, w.position = 0, 0
	w.unknown = w.skipped != w.events.skipped
	w.skipped = w.events.skipped
	w.streams++
	if base, isMeta := bytes.CutPrefix(name, []byte(metaPrefix)); isMeta {
		w.withMetadata++
		w.marked.add(w.hash, w.hash.stream(base), Revision(markMetadata), uuid.Nil, 0)
	}
}

// follow checks that a revision follows the one before, in the log as well.
func (w *indexWalk) follow(revision Revision, at Position) {
	if revision == TombstoneRevision {
		w.tombstoned++
		w.marked.add(w.hash, w.digest, Revision(markTombstone), uuid.Nil, 0)
	} else {
		if revision != w.expected && !w.unknown {
			w.fault(Fault{Kind: FaultStream, Stream: string(w.name), Position: at, Text: fmt.Sprintf(
				"stream %q has revision %d where %d belongs", w.name, revision, w.expected)})
		}
		w.expected = revision + 1
	}
	if at <= w.position {
		w.fault(Fault{Kind: FaultStream, Stream: string(w.name), Position: at, Text: fmt.Sprintf(
			"revision %d of stream %q is at position %d, the one before it at %d", revision, w.name, at, w.position)})
	}
	w.position, w.unknown = at, false
}

// endStream compares a stream's events with its ids.
func (w *indexWalk) endStream() {
	if w.prefix == nil {
		return
	}
	var found sums
	for w.ids.valid() {
		key := w.ids.it.Key()
		prefix, _, ok := cutName(key, 16)
		if !ok {
			w.strayID()
			continue
		}
		order := bytes.Compare(prefix, w.prefix)
		if order > 0 {
			break
		}
		if order < 0 {
			w.strayID()
			continue
		}
		if revision, id, err := parseID(w.ids.it); err != nil {
			w.fault(Fault{Kind: FaultID, Stream: string(w.name), Text: fmt.Sprintf("an id of %q: %v", w.name, err)})
		} else {
			found.add(w.hash, digest{}, revision, id, 0)
		}
		w.ids.next()
	}
	if found != w.own {
		w.compareIDs()
	}
}

// strayID is an id of a stream that has no events.
func (w *indexWalk) strayID() {
	key := w.ids.it.Key()
	_, name, ok := cutName(key, 16)
	if !ok {
		w.fault(Fault{Kind: FaultKey, Text: fmt.Sprintf("there is a key %q, which the log never writes", key)})
	} else {
		w.fault(Fault{Kind: FaultID, Stream: string(name), Text: fmt.Sprintf(
			"stream %q has an id %s and no events", name, uuid.UUID(key[len(key)-16:]))})
	}
	w.ids.next()
}

func parseID(it *pebble.Iterator) (Revision, uuid.UUID, error) {
	value, err := it.ValueAndErr()
	if err != nil {
		return 0, uuid.Nil, err
	}
	key := it.Key()
	id := uuid.UUID(key[len(key)-16:])
	if len(value) != 8 {
		return 0, id, fmt.Errorf("an entry of %d bytes: %w", len(value), ErrCorrupt)
	}
	return Revision(binary.BigEndian.Uint64(value)), id, nil
}

// cursor walks one space, over what the storage engine cannot read.
type cursor struct {
	*checker

	what    string
	behind  int // bytes behind the stream's name in a key
	it      *pebble.Iterator
	began   bool
	skipped int  // how often
	over    bool // nothing more can be read
	quiet   bool
	last    []byte // key before
}

func (c *checker) cursor(space byte) (*cursor, error) {
	it, err := c.db.NewIter(spaceOf(space))
	if err != nil {
		return nil, fmt.Errorf("walk the index: %w", err)
	}
	cursor := &cursor{checker: c, it: it, what: "the index of the streams", behind: 8, last: []byte{space}}
	switch space {
	case spaceID:
		cursor.what, cursor.behind = "the index of the ids", 16
	case spaceMarks:
		cursor.what, cursor.behind = "the marks", 0
	}
	return cursor, nil
}

// valid tells whether the cursor is at an entry; it goes to the first by itself.
func (c *cursor) valid() bool {
	if !c.began {
		return c.next()
	}
	return !c.over && c.it.Valid()
}

func (c *cursor) next() bool {
	var valid bool
	if c.began {
		c.last = append(c.last[:0], c.it.Key()...)
		valid = c.it.Next()
	} else {
		c.began, valid = true, c.it.First()
	}
	for !valid && !c.over && c.it.Error() != nil {
		valid = c.skip()
	}
	return valid
}

// skip goes to the first entry behind the table that cannot be read.
func (c *cursor) skip() bool {
	damage := c.it.Error()
	c.skipped++
	behind := c.behindDamage(c.last)
	if behind != nil {
		c.cannotRead(append(slices.Clone(c.last), 0), behind)
	}
	name := ""
	if _, cut, ok := cutName(c.last, c.behind); ok {
		name = fmt.Sprintf(" behind stream %q", cut)
	}
	if !c.quiet {
		c.fault(Fault{Kind: FaultFile, Text: fmt.Sprintf("%s cannot be read%s: %v", c.what, name, damage)})
	}
	if behind == nil {
		c.over = true
		return false
	}
	c.last = append(c.last[:0], behind...)
	return c.it.SeekGE(behind)
}

// compareIDs names what differs between a stream's events and its ids. An id that was used again counts for its latest event alone, so
// that a difference of the sums need not be a fault.
func (w *indexWalk) compareIDs() {
	find := &seeker{checker: w.checker}
	defer find.close()
	stream := string(w.name)
	each(w.db, append([]byte{spaceStream}, w.prefix...), func(it *pebble.Iterator) {
		revision := revisionOfKey(it.Key())
		at, err := parsePlace(it.Value())
		if err != nil {
			return // said
		}
		value, found, err := find.get(idKey(nil, stream, at.id))
		switch {
		case err != nil: // said
		case !found:
			w.fault(Fault{Kind: FaultID, Stream: stream, Position: at.position, Text: fmt.Sprintf(
				"revision %d of %q, at position %d, is not found by its id %s", revision, stream, at.position, at.id)})
		case len(value) == 8 && Revision(binary.BigEndian.Uint64(value)) < revision:
			w.fault(Fault{Kind: FaultID, Stream: stream, Position: at.position, Text: fmt.Sprintf(
				"the id %s of %q leads to revision %d, the latest with it is %d", at.id, stream, binary.BigEndian.Uint64(value), revision)})
		}
	})
	each(w.db, append([]byte{spaceID}, w.prefix...), func(it *pebble.Iterator) {
		revision, id, err := parseID(it)
		if err != nil {
			return // said
		}
		value, found, err := find.get(revisionKey(nil, stream, revision))
		if err != nil {
			return // said
		}
		if at, err := parsePlace(value); !found || err == nil && at.id != id {
			w.fault(Fault{Kind: FaultID, Stream: stream, Text: fmt.Sprintf(
				"the id %s of %q leads to revision %d, which is not that event", id, stream, revision)})
		}
	})
}

// walkMarks compares the marks with the streams that call for them.
func (c *checker) walkMarks(ctx context.Context) (err error) {
	marked, err := c.cursor(spaceMarks)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDamaged(marked.it)) }()
	find := &seeker{checker: c}
	defer find.close()
	var found sums
	for marked.next() {
		key := marked.it.Key()
		_, name, ok := cutName(key, 0)
		value, err := marked.it.ValueAndErr()
		if !ok || err == nil && (len(value) != 1 || value[0] == 0 || marks(value[0])&^(markMetadata|markTombstone) != 0) {
			c.fault(Fault{Kind: FaultKey, Stream: string(name), Text: fmt.Sprintf("there are marks %x of %q, which the log never writes", value, name)})
			continue
		}
		if err != nil {
			continue // the tables' checksums say so
		}
		c.checkMarks(find, string(name), marks(value[0]), &found)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if found != c.marked {
		return c.nameMissingMarks(ctx)
	}
	return nil
}

// checkMarks looks for what a stream's marks claim.
func (c *checker) checkMarks(find *seeker, name string, m marks, found *sums) {
	if m&markMetadata != 0 {
		found.add(c.hash, c.hash.stream([]byte(name)), Revision(markMetadata), uuid.Nil, 0)
		if _, there, err := find.get(revisionKey(nil, metaPrefix+name, 0)); err == nil && !there {
			c.fault(Fault{Kind: FaultMarks, Stream: name, Text: fmt.Sprintf("stream %q is marked as having metadata and has none", name)})
		}
	}
	if m&markTombstone != 0 {
		found.add(c.hash, c.hash.stream([]byte(name)), Revision(markTombstone), uuid.Nil, 0)
		if _, there, err := find.get(revisionKey(nil, name, TombstoneRevision)); err == nil && !there {
			c.fault(Fault{Kind: FaultMarks, Stream: name, Text: fmt.Sprintf("stream %q is marked as ended and is not", name)})
		}
	}
}

// nameMissingMarks walks the streams for those whose marks are missing.
func (c *checker) nameMissingMarks(ctx context.Context) (err error) {
	find := &seeker{checker: c}
	defer find.close()
	streams, err := c.quietCursor(spaceStream)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDamaged(streams.it)) }()
	var last []byte
	for n := 0; streams.next(); n++ {
		if n%tellEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key := streams.it.Key()
		prefix, name, ok := cutName(key, 8)
		ended := ok && revisionOfKey(key) == TombstoneRevision
		if !ok || bytes.Equal(prefix, last) && !ended {
			continue
		}
		if base, isMeta := strings.CutPrefix(string(name), metaPrefix); isMeta && !bytes.Equal(prefix, last) {
			c.wantMark(find, base, markMetadata, "metadata")
		}
		if ended {
			c.wantMark(find, string(name), markTombstone, "a tombstone")
		}
		last = append(last[:0], prefix...)
	}
	return nil
}

func (c *checker) wantMark(find *seeker, name string, want marks, what string) {
	value, _, err := find.get(marksKey(nil, name))
	if err == nil && (len(value) != 1 || marks(value[0])&want == 0) {
		c.fault(Fault{Kind: FaultMarks, Stream: name, Text: fmt.Sprintf("stream %q has %s and is not marked as having it", name, what)})
	}
}
