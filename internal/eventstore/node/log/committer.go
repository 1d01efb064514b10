package eventlog

import (
	"encoding/binary"
	"fmt"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

const (
	// queuedAppends wait while a commit runs; when the queue is full, further callers wait in Append for room, or for their context.
	queuedAppends = 1024
	// groupEvents and groupBytes end the gathering of a group, so that one commit stays within a few milliseconds and a few MiB.
	groupEvents = 4096
	groupBytes  = 4 << 20
)

// commitLoop owns all writing: it takes the appends that wait, decides each, commits them as one batch with one fsync, makes
// them visible, and answers. Meanwhile the next group gathers in the queue.
func (l *Log) commitLoop() {
	defer close(l.committerDone)
	for {
		select {
		case r := <-l.queue:
			l.commitGroup(r)
		case <-l.stopping:
			return
		}
	}
}

func (l *Log) commitGroup(first *request) {
	l.states.rotate()
	find := &finder{db: l.db}
	g := &group{
		log: l, find: find, batch: l.db.NewBatch(),
		next: l.tail.free(), created: TicksOf(l.now()), pending: map[string]*pendingStream{},
	}
	defer g.batch.Close() //nolint:errcheck // it returns memory; the commit's own error counts
	for r := first; r != nil; r = l.nextOf(g) {
		g.add(r)
	}
	err := l.commit(g)
	_ = find.close() // what it could not read, it has said
	if err == nil && len(g.records) > 0 {
		l.marker.acknowledge(g.next-1, l.logger)
		l.tail.publish(g.records)
		if f := l.onCommit.Load(); f != nil {
			(*f)(len(g.records))
		}
	}
	for _, r := range g.requests {
		if err != nil {
			r.answer, r.err = Appended{}, err
		}
		close(r.done)
	}
}

// nextOf is the next waiting request, or nil when none waits or the group is full.
func (l *Log) nextOf(g *group) *request {
	if len(g.records) >= groupEvents || g.batch.Len() >= groupBytes {
		return nil
	}
	select {
	case r := <-l.queue:
		return r
	default:
	}
	if g.yielded {
		return nil
	}
	// Whoever was answered a moment ago is about to ask again. Letting them run first makes groups of 54 out of 33 with 64 writers, and
	// each group costs an fsync.
	g.yielded = true
	runtime.Gosched()
	return l.nextOf(g)
}

func (l *Log) commit(g *group) error {
	if err := l.failure(); err != nil {
		return err
	}
	if g.err != nil {
		// The states in memory may be ahead of the disk now.
		return l.fail(g.err)
	}
	if len(g.records) == 0 {
		return nil
	}
	if err := g.batch.Commit(l.durability); err != nil {
		return l.fail(fmt.Errorf("commit positions %d to %d: %w", g.records[0].Position, g.next-1, err))
	}
	// The storage engine reports a failed write to its logger and then returns as if all were well.
	return l.failure()
}

// group is one commit being built.
type group struct {
	log      *Log
	find     *finder
	batch    *pebble.Batch
	requests []*request
	records  []*Record
	next     Position
	created  Ticks
	pending  map[string]*pendingStream
	err      error // a fault while deciding: the whole group fails
	yielded  bool  // the others have been let run once

	key, value []byte
}

// pendingStream are the events of one stream that the batch holds and the disk does not.
type pendingStream struct {
	first  Revision
	places []place
}

func (g *group) add(r *request) {
	g.requests = append(g.requests, r)
	if g.err != nil {
		return
	}
	if err := r.cancelled(); err != nil {
		r.err = fmt.Errorf("append to %q: %w", r.stream, err)
		return
	}
	before := g.batch.Len()
	var err error
	switch r.kind {
	case appendEvents:
		r.answer, err = g.append(r.stream, r.expected, r.events)
	case deleteStream:
		r.answer, err = g.delete(r.stream, r.expected)
	case tombstoneStream:
		r.answer, err = g.tombstone(r.stream, r.expected)
	}
	if err == nil {
		return
	}
	r.answer, r.err = Appended{}, err
	if g.batch.Len() != before {
		g.err = err // half an append is in the batch
	}
}

func (g *group) append(stream string, expected Expected, events []Event) (Appended, error) {
	base, isMeta := baseOf(stream)
	if !isMeta {
		base = stream
	}
	state, err := g.state(base)
	if err != nil {
		return Appended{}, err
	}
	ids := make([]uuid.UUID, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	now := viewOf(stream, state)
	v, err := decide(now, expected, ids, streamIndex{g, stream})
	if err != nil {
		return Appended{}, err
	}
	if !v.write {
		return g.repeat(stream, state, v, len(events) > 0)
	}
	wasDeleted := state.softDeleted()
	for i := range events {
		if err := g.write(stream, base, state, events[i]); err != nil {
			return Appended{}, err
		}
	}
	answer := Appended{Revision: viewOf(stream, state).last, Position: g.next - 1}
	if wasDeleted {
		err = g.undelete(base, state, now, events)
	}
	return answer, err
}

// repeat answers an append that writes nothing. An event that is hidden by now has no position.
func (g *group) repeat(stream string, state *streamState, v verdict, repeat bool) (Appended, error) {
	answer := Appended{Revision: v.revision, Position: v.position, Repeat: repeat}
	if v.position == 0 || state.metadata == (Metadata{}) {
		return answer, nil
	}
	if _, isMeta := baseOf(stream); isMeta {
		return answer, nil
	}
	if v.revision < state.metadata.firstVisible(state.last) {
		answer.Position = 0
		return answer, nil
	}
	if state.metadata.MaxAge > 0 && v.position < g.first() {
		record, err := g.find.record(v.position)
		if err != nil {
			return Appended{}, err
		}
		if state.metadata.tooOld(record.Created, g.log.now()) {
			answer.Position = 0
		}
	}
	return answer, nil
}

// undelete lets a deleted stream begin again after its old events. Appending to the stream keeps its other metadata; setting
// metadata keeps what was set.
func (g *group) undelete(base string, state *streamState, before view, events []Event) error {
	first := before.last + 1
	var metadata []byte
	if _, isMeta := baseOf(before.stream); isMeta {
		first = state.last + 1
		metadata = events[len(events)-1].Data
		if !events[len(events)-1].JSON {
			return nil
		}
	} else {
		record, err := g.lastMetadata(base, state)
		if err != nil {
			return err
		}
		metadata = record.Data
	}
	data, ok := truncatedMetadata(metadata, first)
	if !ok {
		return nil
	}
	return g.writeMetadata(base, state, data)
}

func (g *group) lastMetadata(base string, state *streamState) (*Record, error) {
	p, err := streamIndex{g, metaPrefix + base}.at(state.metaLast)
	if err != nil {
		return nil, err
	}
	if p.position >= g.first() {
		return g.records[p.position-g.first()], nil
	}
	return g.find.record(p.position)
}

func (g *group) delete(stream string, expected Expected) (Appended, error) {
	state, err := g.mayEnd(stream, expected)
	if err != nil {
		return Appended{}, err
	}
	if state.last == NoRevision && state.marks&markMetadata == 0 {
		return Appended{}, viewOf(stream, state).wrong(expected)
	}
	err = g.writeMetadata(stream, state, deletedMetadata())
	return Appended{Revision: state.last, Position: g.next - 1}, err
}

func (g *group) tombstone(stream string, expected Expected) (Appended, error) {
	state, err := g.mayEnd(stream, expected)
	if err != nil {
		return Appended{}, err
	}
	if err := g.mark(stream, state, markTombstone); err != nil {
		return Appended{}, err
	}
	state.last = TombstoneRevision
	err = g.record(stream, TombstoneRevision, Event{ID: uuid.New(), Type: TypeStreamDeleted})
	return Appended{Revision: TombstoneRevision, Position: g.next - 1}, err
}

// mayEnd applies the rules of an append of one new event.
func (g *group) mayEnd(stream string, expected Expected) (*streamState, error) {
	state, err := g.state(stream)
	if err != nil {
		return nil, err
	}
	_, err = decide(viewOf(stream, state), expected, []uuid.UUID{uuid.New()}, streamIndex{g, stream})
	return state, err
}

func viewOf(stream string, s *streamState) view {
	v := view{stream: stream, tombstoned: s.tombstoned()}
	if _, isMeta := baseOf(stream); isMeta {
		v.last = s.metaLast
		return v
	}
	v.last, v.softDeleted, v.hasMetadata = s.last, s.softDeleted(), s.marks&markMetadata != 0
	return v
}

func (g *group) state(base string) (*streamState, error) {
	if s, ok := g.log.states.get(base); ok {
		return s, nil
	}
	s, err := g.find.state(base, g.first()-1, g.log.marked.Load())
	if err != nil {
		return nil, err
	}
	g.log.states.put(base, s)
	return s, nil
}

// first is the lowest position of this commit.
func (g *group) first() Position { return g.next - Position(len(g.records)) }

func (g *group) writeMetadata(base string, state *streamState, data []byte) error {
	return g.write(metaPrefix+base, base, state, Event{ID: uuid.New(), Type: TypeMetadata, JSON: true, Data: data})
}

// write adds an event behind the last of a stream or metastream and moves the state along.
func (g *group) write(stream, base string, state *streamState, e Event) error {
	if stream == base {
		state.last++
		return g.record(stream, state.last, e)
	}
	if err := g.mark(base, state, markMetadata); err != nil {
		return err
	}
	state.metaLast++
	if _, isMeta := baseOf(base); !isMeta {
		state.metadata = parseMetadata(e)
	}
	return g.record(stream, state.metaLast, e)
}

func (g *group) mark(base string, state *streamState, m marks) error {
	if state.marks&m != 0 {
		return nil
	}
	state.marks |= m
	g.log.marked.Store(true)
	g.key = marksKey(g.key, base)
	return g.batch.Set(g.key, []byte{byte(state.marks)}, nil)
}

func (g *group) record(stream string, revision Revision, e Event) error {
	r := &Record{Event: e, Stream: stream, Revision: revision, Position: g.next, Created: g.created}
	p := place{position: g.next, id: e.ID}

	g.key, g.value = positionKey(g.key, r.Position), appendRecord(g.value[:0], r)
	if err := g.batch.Set(g.key, g.value, nil); err != nil {
		return err
	}
	g.key, g.value = revisionKey(g.key, stream, revision), p.append(g.value)
	if err := g.batch.Set(g.key, g.value, nil); err != nil {
		return err
	}
	g.key, g.value = idKey(g.key, stream, e.ID), binary.BigEndian.AppendUint64(g.value[:0], uint64(revision))
	if err := g.batch.Set(g.key, g.value, nil); err != nil {
		return err
	}

	g.next++
	g.records = append(g.records, r)
	pending, ok := g.pending[stream]
	if !ok {
		pending = &pendingStream{first: revision}
		g.pending[stream] = pending
	}
	pending.places = append(pending.places, p)
	return nil
}
