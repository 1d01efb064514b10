package node

import (
	"errors"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// A subscription is a reader of the log that waits at its end: what it sends next follows from its position alone, so there is nothing
// to hand over between history and live events, and nothing that a slow one could fill.

func (r *reading) confirm() error {
	return r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}})
}

func (r *reading) sendCaughtUp() error {
	return r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

// wait returns when the head has moved, or the reason to end.
func (r *reading) wait(moved <-chan struct{}) error {
	select {
	case <-moved:
		return nil
	case <-r.stopping:
		return errStopping
	case <-r.call.Context().Done():
		return r.call.Context().Err()
	}
}

// stopped is asked before each page, so that a subscription with much left to send ends too.
func (r *reading) stopped() error {
	select {
	case <-r.stopping:
		return errStopping
	default:
		return r.ended()
	}
}

// allSubscription is a subscription to the whole log.
type allSubscription struct {
	*reading

	next       eventlog.Position // everything below has been considered
	live       bool              // caught_up has been sent, and the reader has kept up since
	considered uint64            // records since the last checkpoint
	checkpoint eventlog.Position // the last one sent
	marked     bool              // there was one
}

func (r *reading) subscribeAll() error {
	r.metrics.subscriptions.Inc()
	defer r.metrics.subscriptions.Dec()
	s := &allSubscription{reading: r, next: eventlog.Position(r.from.at) + 1}
	if r.from.last {
		s.next = r.log.Head() + 1
	}
	if err := r.confirm(); err != nil {
		return err
	}
	for {
		if err := r.stopped(); err != nil {
			return err
		}
		head, moved := r.log.Moved()
		page, recent, err := r.log.Follow(s.next, eventlog.Page)
		if err != nil {
			return err
		}
		if len(page) > 0 {
			err = s.sendPage(page, recent)
		} else if err = s.caughtUp(head); err == nil {
			err = r.wait(moved)
		}
		if err != nil {
			return err
		}
	}
}

func (s *allSubscription) sendPage(page []*eventlog.Record, recent bool) error {
	s.live = s.live && recent
	for _, record := range page {
		if s.filter.matches(record) {
			if err := s.send(record); err != nil {
				return err
			}
		}
		s.next = record.Position + 1
		s.considered++
		if s.filter != nil && s.considered >= s.filter.interval {
			if err := s.sendCheckpoint(); err != nil {
				return err
			}
		}
	}
	return nil
}

// caughtUp says once that the history has been sent. head is not above what was read.
func (s *allSubscription) caughtUp(head eventlog.Position) error {
	if s.live {
		return nil
	}
	s.live = true
	if s.filter != nil && s.next-1 <= head {
		if err := s.sendCheckpoint(); err != nil {
			return err
		}
	}
	return s.sendCaughtUp()
}

// sendCheckpoint says up to where everything has been considered, unless that was said before.
func (s *allSubscription) sendCheckpoint() error {
	position := s.next - 1
	if s.marked && position == s.checkpoint {
		return nil
	}
	s.marked, s.checkpoint, s.considered = true, position, 0
	return s.call.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: &streams.ReadResp_Checkpoint{
		CommitPosition: uint64(position), PreparePosition: uint64(position),
	}}})
}

// streamSubscription is a subscription to one stream: its history by the stream's index, then the log, of which it picks its own.
type streamSubscription struct {
	*reading

	next     eventlog.Revision // everything below has been sent or is not wanted
	position eventlog.Position // everything below has been considered
	gone     bool              // the stream has been ended, but the reader has not come so far
}

func (r *reading) subscribeStream() error {
	r.metrics.subscriptions.Inc()
	defer r.metrics.subscriptions.Dec()
	stream, err := r.log.Stream(r.stream)
	if err != nil {
		return err
	}
	s := &streamSubscription{reading: r}
	switch {
	case r.from.last:
		s.next = stream.Last + 1
	case !r.from.first:
		s.next = eventlog.Revision(r.from.at) + 1 // bounded when parsed
	}
	if err := r.confirm(); err != nil {
		return err
	}
	for {
		if err := s.history(stream); err != nil {
			return err
		}
		if err := s.follow(); err != nil {
			return err
		}
		// It fell behind what is in memory: by the index it need not read the events of all other streams.
		stream, err = r.log.Stream(r.stream)
		if _, ended := errors.AsType[*eventlog.StreamDeleted](err); ended {
			s.gone = true // the index no longer shows the stream: the log still has its last events
			return s.follow()
		}
		if err != nil {
			return err
		}
	}
}

// history sends what the stream has, and leaves the position behind what it has considered.
func (s *streamSubscription) history(stream *eventlog.Stream) error {
	for {
		if err := s.stopped(); err != nil {
			return err
		}
		page, err := stream.Forward(s.next, eventlog.Page)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			s.position = stream.Head + 1
			return nil
		}
		for _, record := range page {
			if err := s.send(record); err != nil {
				return err
			}
			s.next = record.Revision + 1
		}
	}
}

// follow sends what is appended; it returns nil when the reader has fallen behind.
func (s *streamSubscription) follow() error {
	said := false
	for {
		if err := s.stopped(); err != nil {
			return err
		}
		_, moved := s.log.Moved()
		page, recent, err := s.log.Follow(s.position, eventlog.Page)
		if err != nil {
			return err
		}
		if !recent && !s.gone {
			return nil
		}
		if !said && !s.gone {
			said = true
			if err := s.sendCaughtUp(); err != nil {
				return err
			}
		}
		if len(page) == 0 {
			if err := s.wait(moved); err != nil {
				return err
			}
		}
		for _, record := range page {
			s.position = record.Position + 1
			if err := s.consider(record); err != nil {
				return err
			}
		}
	}
}

func (s *streamSubscription) consider(record *eventlog.Record) error {
	if record.Stream != s.stream || record.Revision < s.next {
		return nil
	}
	if err := s.send(record); err != nil {
		return err
	}
	if record.Revision == eventlog.TombstoneRevision {
		return &eventlog.StreamDeleted{Stream: s.stream}
	}
	s.next = record.Revision + 1
	return nil
}
