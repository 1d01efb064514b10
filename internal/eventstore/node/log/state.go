package eventlog

// streamState is all that decides about appends to one stream and to its metastream.
type streamState struct {
	last     Revision // of the stream; NoRevision without events
	metaLast Revision // of the metastream
	marks    marks
	metadata Metadata
}

// softDeleted streams read as not found and can be begun again.
func (s *streamState) softDeleted() bool { return s.metadata.deleted() }

func (s *streamState) tombstoned() bool { return s.marks&markTombstone != 0 }

// state reads a stream's state as of a position: what lies above it is not durable yet. marked is false when no stream has marks.
func (f *finder) state(base string, at Position, marked bool) (*streamState, error) {
	s := &streamState{last: NoRevision, metaLast: NoRevision}
	var stored marks // it may be newer than at: it only says where to look
	var err error
	if marked {
		if stored, err = f.marks(base); err != nil {
			return nil, err
		}
	}
	if stored&markTombstone != 0 {
		end, ended, err := f.place(base, TombstoneRevision)
		if err != nil {
			return nil, err
		}
		if ended && end.position <= at {
			s.last, s.marks = TombstoneRevision, markTombstone
		}
	}
	if !s.tombstoned() {
		if s.last, err = f.last(base, at); err != nil {
			return nil, err
		}
	}
	if stored&markMetadata != 0 {
		err = f.metadata(s, base, at)
	}
	return s, err
}

func (f *finder) metadata(s *streamState, base string, at Position) error {
	var err error
	if s.metaLast, err = f.last(metaPrefix+base, at); err != nil || s.metaLast == NoRevision {
		return err
	}
	s.marks |= markMetadata
	if _, isMeta := baseOf(base); isMeta {
		return nil
	}
	event, err := f.recordOf(metaPrefix+base, s.metaLast)
	if err != nil {
		return err
	}
	s.metadata = parseMetadata(event.Event)
	return nil
}

// stateCache keeps the states of recently written streams: two generations, so that the least used half goes at once and
// nothing is dropped between rotations. Only the committer uses it.
type stateCache struct {
	young, old map[string]*streamState
}

// generationStreams bounds the cache to about 10 MiB.
const generationStreams = 32 << 10

func (c *stateCache) get(base string) (*streamState, bool) {
	if s, ok := c.young[base]; ok {
		return s, true
	}
	s, ok := c.old[base]
	if ok {
		c.young[base] = s
	}
	return s, ok
}

func (c *stateCache) put(base string, s *streamState) { c.young[base] = s }

// rotate must not be called while states are ahead of the disk: a state that is dropped is read from there again.
func (c *stateCache) rotate() {
	if c.young == nil || len(c.young) >= generationStreams {
		c.old, c.young = c.young, make(map[string]*streamState, 64)
	}
}
