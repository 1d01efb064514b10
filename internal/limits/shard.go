package limits

import "sync"

// shards keep Takes of different holders out of each other's way.
const shards = 16

// looked is how many of the least recently used buckets are looked at for an idle one when there
// is no room: idle ones are removed once a second anyway, so this is for a flood of new names.
const looked = 8

// nobody is the index of no bucket.
const nobody = int32(-1)

// shard holds a part of the buckets, in the order of their last use.
type shard struct {
	mu     sync.Mutex
	index  map[uint64]int32 // by hash: where in all
	all    []bucket
	free   []int32 // places in all without a bucket
	oldest int32
	newest int32
	most   int
}

func newShard(most int) shard {
	return shard{index: map[uint64]int32{}, oldest: nobody, newest: nobody, most: max(1, most)}
}

// find gives the bucket of a hash, as the most recently used one, or nil. mu must be held, here
// and until the bucket is let go.
func (s *shard) find(hash uint64) *bucket {
	i, known := s.index[hash]
	if !known {
		return nil
	}
	if i != s.newest {
		s.unlink(i)
		s.link(i)
	}
	return &s.all[i]
}

// add puts a bucket in, whose hash must not be there. mu must be held, as for find.
func (s *shard) add(b bucket, limits *[kinds]limit, floor float64, now int64) *bucket {
	if len(s.index) >= s.most {
		s.remove(s.spare(limits, floor, now))
	}
	var i int32
	if last := len(s.free) - 1; last >= 0 {
		i, s.free = s.free[last], s.free[:last]
		s.all[i] = b
	} else {
		i = int32(len(s.all)) //nolint:gosec // at most most
		s.all = append(s.all, b)
	}
	s.index[b.hash], s.all[i].used = i, true
	s.link(i)
	return &s.all[i]
}

// spare is the bucket to do without: an idle one, else the least recently used.
func (s *shard) spare(limits *[kinds]limit, floor float64, now int64) int32 {
	for i, n := s.oldest, 0; i != nobody && n < looked; i, n = s.all[i].newer, n+1 {
		if b := &s.all[i]; b.idle(&limits[b.kind], floor, now) {
			return i
		}
	}
	return s.oldest
}

// remove takes a bucket out. mu must be held.
func (s *shard) remove(i int32) {
	s.unlink(i)
	delete(s.index, s.all[i].hash)
	s.all[i].used = false
	s.free = append(s.free, i)
}

func (s *shard) link(i int32) {
	b := &s.all[i]
	b.older, b.newer = s.newest, nobody
	if s.newest == nobody {
		s.oldest = i
	} else {
		s.all[s.newest].newer = i
	}
	s.newest = i
}

func (s *shard) unlink(i int32) {
	b := &s.all[i]
	if b.older == nobody {
		s.oldest = b.newer
	} else {
		s.all[b.older].newer = b.newer
	}
	if b.newer == nobody {
		s.newest = b.older
	} else {
		s.all[b.newer].older = b.older
	}
}

func (s *shard) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.index)
}
