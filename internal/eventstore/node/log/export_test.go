package eventlog

import "errors"

// Operation is an append, a deletion or a tombstone, for Together.
type Operation struct {
	Stream    string
	Expected  Expected
	Events    []Event
	Delete    bool
	Tombstone bool
}

// Answer is what the operation's caller would get.
type Answer struct {
	Appended

	Err error
}

// Together has operations decided in this order and committed as one group: it keeps the committer busy while they queue up.
func (l *Log) Together(operations []Operation) []Answer {
	release := make(chan struct{})
	gate := &request{done: make(chan struct{}), cancelled: func() error {
		<-release
		return errors.New("only a gate")
	}}
	l.queue <- gate
	requests := make([]*request, len(operations))
	for i, o := range operations {
		r := &request{stream: o.Stream, expected: o.Expected, events: o.Events, done: make(chan struct{}), cancelled: func() error { return nil }}
		switch {
		case o.Delete:
			r.kind = deleteStream
		case o.Tombstone:
			r.kind = tombstoneStream
		}
		requests[i] = r
		l.queue <- r
	}
	close(release)
	answers := make([]Answer, len(operations))
	for i, r := range requests {
		<-r.done
		answers[i] = Answer{Appended: r.answer, Err: r.err}
	}
	return answers
}

// Rotate begins a new write-ahead log and has what the old one holds written into a table, as happens by itself every 16 MiB.
func (l *Log) Rotate() error {
	l.open.RLock()
	defer l.open.RUnlock()
	if l.closed {
		return ErrClosed
	}
	_, err := l.db.AsyncFlush()
	return err
}
