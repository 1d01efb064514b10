package node

import (
	"math"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// Read answers counted reads and subscriptions, of one stream or of the whole log.
func (s *streamsService) Read(request *streams.ReadReq, call streams.Streams_ReadServer) error {
	r, err := s.parseRead(request.GetOptions(), call)
	if err != nil {
		return s.end(call, err)
	}
	if err := r.run(); err != nil {
		return s.end(call, err)
	}
	return nil
}

// reading is one Read call.
type reading struct {
	log      *eventlog.Log
	metrics  *metrics
	call     streams.Streams_ReadServer
	stopping <-chan struct{}

	stream    string // "" for the whole log
	from      start
	backwards bool
	subscribe bool
	count     uint64
	filter    *filter
	resolve   bool
	textIDs   bool
}

// start is where a read begins: at one of the ends, or at a revision or position.
type start struct {
	first, last bool
	at          uint64
}

func (s *streamsService) parseRead(o *streams.ReadReq_Options, call streams.Streams_ReadServer) (*reading, error) {
	r := &reading{
		log: s.node.log, metrics: s.node.metrics, call: call, stopping: s.stopping,
		backwards: o.GetReadDirection() == streams.ReadReq_Options_Backwards,
		resolve:   o.GetResolveLinks(),
		count:     o.GetCount(),
	}
	_, r.textIDs = o.GetUuidOption().GetContent().(*streams.ReadReq_Options_UUIDOption_String_)
	_, r.subscribe = o.GetCountOption().(*streams.ReadReq_Options_Subscription)
	var err error
	if r.filter, err = parseFilter(o.GetFilter()); err != nil {
		return nil, err
	}
	switch v := o.GetStreamOption().(type) {
	case *streams.ReadReq_Options_Stream:
		err = r.parseStream(v.Stream)
	case *streams.ReadReq_Options_All:
		err = r.parseAll(v.All)
	default:
		err = refuse(codes.InvalidArgument, "the read names neither a stream nor $all")
	}
	if err != nil {
		return nil, err
	}
	switch {
	case o.GetCountOption() == nil:
		return nil, refuse(codes.InvalidArgument, "the read has neither a count nor is it a subscription")
	case r.subscribe && r.backwards:
		return nil, refuse(codes.InvalidArgument, "a subscription cannot go backwards")
	case r.subscribe && r.filter != nil && r.filter.interval == 0:
		return nil, refuse(codes.InvalidArgument, "the checkpoint interval must not be 0")
	}
	return r, nil
}

func (r *reading) parseStream(o *streams.ReadReq_Options_StreamOptions) error {
	var err error
	if r.stream, err = parseStreamName(o.GetStreamIdentifier()); err != nil {
		return err
	}
	if r.filter != nil {
		return refuse(codes.InvalidArgument, "only $all can be filtered")
	}
	switch v := o.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		r.from.at = min(v.Revision, math.MaxInt64-1)
	case *streams.ReadReq_Options_StreamOptions_Start:
		r.from.first = true
	case *streams.ReadReq_Options_StreamOptions_End:
		r.from.last = true
	default:
		return refuse(codes.InvalidArgument, "the read has no starting revision")
	}
	return nil
}

func (r *reading) parseAll(o *streams.ReadReq_Options_AllOptions) error {
	switch v := o.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		commit, prepare := v.Position.GetCommitPosition(), v.Position.GetPreparePosition()
		switch {
		case commit == math.MaxUint64 && prepare == math.MaxUint64:
			r.from.last = true
		case commit < prepare || commit > math.MaxInt64:
			return refuse(codes.InvalidArgument, "the position is not one of the log")
		default:
			r.from.at = commit
		}
	case *streams.ReadReq_Options_AllOptions_Start:
		r.from.first = true
	case *streams.ReadReq_Options_AllOptions_End:
		r.from.last = true
	default:
		return refuse(codes.InvalidArgument, "the read has no starting position")
	}
	return nil
}

func (r *reading) run() error {
	switch {
	case r.subscribe && r.stream == "":
		return r.subscribeAll()
	case r.subscribe:
		return r.subscribeStream()
	case r.stream == "":
		return r.readAll()
	default:
		return r.readStream()
	}
}

// readAll sends up to count events of the log as it is now.
func (r *reading) readAll() error {
	head := r.log.Head()
	next := eventlog.Position(r.from.at)
	if r.from.last {
		next = head + 1
	}
	if next > head+1 || r.backwards && r.from.first {
		return nil // nothing is there
	}
	for left := r.count; left > 0; {
		if err := r.ended(); err != nil {
			return err
		}
		page, err := r.pageOfAll(next, left)
		if err != nil {
			return err
		}
		for _, record := range page {
			if record.Position > head || left == 0 {
				return nil
			}
			next = record.Position
			if !r.filter.matches(record) {
				continue
			}
			if err := r.send(record); err != nil {
				return err
			}
			left--
		}
		if len(page) == 0 {
			return nil
		}
		if !r.backwards {
			next++
		}
	}
	return nil
}

// ended is asked before each page: a filter that picks nothing sends nothing, and would not notice that its caller has gone.
func (r *reading) ended() error { return r.call.Context().Err() }

func (r *reading) pageOfAll(next eventlog.Position, left uint64) ([]*eventlog.Record, error) {
	limit := r.limit(left)
	if r.backwards {
		return r.log.Backward(next, limit)
	}
	return r.log.Forward(next, limit)
}

// limit does not read more from the disk than will be sent.
func (r *reading) limit(left uint64) eventlog.Limit {
	limit := eventlog.Page
	if r.filter == nil && left < uint64(limit.Events) {
		limit.Events = int(left)
	}
	return limit
}

// readStream sends up to count events of a stream as it is now.
func (r *reading) readStream() error {
	stream, err := r.log.Stream(r.stream)
	if err != nil {
		return err
	}
	if !stream.Found {
		return r.call.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
			StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: wireStream(r.stream)},
		}})
	}
	next := eventlog.Revision(r.from.at) // bounded when parsed
	if r.from.last {
		next = stream.Last
		if !r.backwards {
			return nil
		}
	}
	read := stream.Forward
	step := eventlog.Revision(1)
	if r.backwards {
		read, step = stream.Backward, -1
	}
	for left := r.count; left > 0; {
		if err := r.ended(); err != nil {
			return err
		}
		page, err := read(next, r.limit(left))
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		for _, record := range page {
			if err := r.send(record); err != nil {
				return err
			}
		}
		left -= uint64(len(page))
		next = page[len(page)-1].Revision + step
	}
	return nil
}

// send sends an event, resolved if the request wants that and it is a link.
func (r *reading) send(record *eventlog.Record) error {
	event, link := record, (*eventlog.Record)(nil)
	target, isLink, err := r.target(record)
	if err != nil {
		return err
	}
	if isLink {
		event, link = target, record
	}
	return r.call.SendMsg(encodeEvent(event, link, record.Position, r.textIDs))
}

// target is the event that a link points to, nil when it is gone.
func (r *reading) target(record *eventlog.Record) (target *eventlog.Record, isLink bool, err error) {
	if !r.resolve || record.Type != eventlog.TypeLink {
		return nil, false, nil
	}
	number, name, ok := strings.Cut(string(record.Data), "@")
	revision, parseErr := strconv.ParseInt(number, 10, 64)
	if !ok || parseErr != nil || revision < 0 || name == "" {
		return nil, false, nil //nolint:nilerr // it points nowhere: an event like any other
	}
	target, err = r.log.Event(name, eventlog.Revision(revision))
	return target, true, err
}
