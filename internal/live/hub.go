package live

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/pulse"
)

// Source is the log as the hub reads it.
type Source interface {
	// Subscribe yields every event after the position that is not the store's own,
	// in order, for ever, and survives the store going away.
	Subscribe(ctx context.Context, after events.Position) iter.Seq2[events.Message, error]
	// Head is the position of the log's last event, whichever it is.
	Head(ctx context.Context) (events.Position, error)
}

var (
	// ErrUnavailable says that this reader cannot be served now; it should come back in a
	// while with the last position it was told.
	ErrUnavailable = errors.New("the stream is not available now")
	// ErrTooSlow says that the reader fell behind and did not catch up in time; it should
	// come back with the last position it was told.
	ErrTooSlow = errors.New("the reader fell too far behind")
	// ErrEnded says that the hub has stopped, and with it the stream.
	ErrEnded = errors.New("the hub has stopped")
)

// Limits are the hub's bounds. The zero value of each means its default.
type Limits struct {
	WindowEvents int // the newest events kept; default 32,768
	WindowBytes  int // about how much memory they take; default 64 MiB
	QueueFrames  int // waiting for one reader; default 512
	QueueBytes   int // waiting for one reader; default 1 MiB
	Readers      int // connected at once; default 20,000
	Questions    int // followers reading history, or the log, at once; default 16 and 4

	// MaxLag is how long a reader that fell behind, or whose history cannot be
	// read, may take to be live again before it is closed; default 1 minute.
	MaxLag time.Duration
	// GapWait is how long a follower waits for a projector whose checkpoint is
	// older than the window before it reads the log itself; default 3 s.
	GapWait time.Duration
	// Timeout is the deadline of one question to the read model or the store;
	// default 5 s.
	Timeout time.Duration
	// StartWait is how long Run waits for the projector's checkpoint before it
	// begins at the store's head; default 10 s.
	StartWait time.Duration

	page int // entries of one question to the read model; 256
	join int // events of the window, at most, that are folded under the hub's lock; 64
}

// Hub folds the log for connected users and tells their readers. Set the fields,
// then Run it; Follow may be called at any time and from any goroutine.
type Hub struct {
	Source Source
	// History answers from the read model, in one snapshot.
	History func(context.Context, inbox.Ask) (inbox.Snapshot, error)
	// Start is the projector's checkpoint, where Run begins. When it cannot be
	// learnt within Limits.StartWait, Run begins at the store's head: readers that
	// come before the projector has passed that position then wait for it, or read
	// the stretch from the log.
	Start func(context.Context) (events.Position, error)
	// Skipped are the positions of events that operators had the read model pass
	// over; nil: none ever. It is asked when the hub begins to read, and at an event
	// it cannot decode.
	Skipped func(context.Context) ([]events.Position, error)
	Limits  Limits
	Logger  *slog.Logger // nil: silent
	Metrics *Metrics     // nil: counted for nobody
	Loops   *pulse.Loops // hears of the hub's loop and of its lock; nil: nobody does
	// Tracer makes a span of each event that concerns inboxes and whose trace is kept,
	// however many readers are told of it; nil: nothing is traced.
	Tracer trace.Tracer

	once      sync.Once
	histories chan struct{} // a token each for a question to the read model
	logs      chan struct{} // a token each for a follower reading the log
	pulse     *pulse.Pulse  // of Run

	mu       sync.Mutex
	running  bool
	halted   error           // an event that cannot be read, while running
	position events.Position // everything up to here has been folded
	window   window
	members  map[events.User]*member
	topics   map[events.Topic]map[*member]*membership // of members, every topic they ever followed
	readers  int
	epoch    int // how often the hub has forgotten

	passed map[events.Position]bool // skipped events the hub itself has passed over; guarded by mu
}

// Run folds the log until ctx ends, and then ends every stream and answers nil.
// Store and Postgres may go away and come back meanwhile. At an event it cannot
// decode it halts until an operator skips it: see the package comment. It may be
// run again.
func (h *Hub) Run(ctx context.Context) error {
	h.init()
	h.pulse = h.Loops.Begin(loopName)
	defer h.Loops.End(loopName, h.pulse)
	defer h.watchLock()()
	start, err := h.start(ctx)
	if err != nil {
		return nil // only the end of ctx ends the search for a start
	}
	h.begin(start)
	defer h.end(ErrEnded)
	for ctx.Err() == nil {
		err := h.follow(ctx)
		if u, halts := errors.AsType[*unreadable](err); halts {
			h.await(ctx, u)
			continue
		}
		if ctx.Err() == nil {
			h.Logger.Warn("the subscription to the log ended; subscribing again", "error", err, "position", h.Position())
			pause(ctx, time.Second)
		}
	}
	return nil
}

// Ready is nil while the hub serves readers, and else says why it does not.
func (h *Hub) Ready() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ready()
}

// Position is how far the hub has folded the log.
func (h *Hub) Position() events.Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.position
}

func (h *Hub) init() {
	h.once.Do(func() {
		l := &h.Limits
		orDefault(&l.WindowEvents, 32<<10)
		orDefault(&l.WindowBytes, 64<<20)
		orDefault(&l.QueueFrames, 512)
		orDefault(&l.QueueBytes, 1<<20)
		orDefault(&l.Readers, 20_000)
		logs := max(1, l.Questions/4)
		if l.Questions == 0 {
			logs = 4
		}
		orDefault(&l.Questions, 16)
		orDefault(&l.MaxLag, time.Minute)
		orDefault(&l.GapWait, 3*time.Second)
		orDefault(&l.Timeout, 5*time.Second)
		orDefault(&l.StartWait, 10*time.Second)
		orDefault(&l.page, 256)
		orDefault(&l.join, 64)
		h.passed = make(map[events.Position]bool)
		h.histories = make(chan struct{}, l.Questions)
		h.logs = make(chan struct{}, logs)
		if h.Logger == nil {
			h.Logger = slog.New(slog.DiscardHandler)
		}
		if h.Metrics == nil {
			h.Metrics = NewMetrics(nil)
		}
	})
}

func orDefault[T int | time.Duration](limit *T, value T) {
	if *limit <= 0 {
		*limit = value
	}
}

// start is the position to begin at: the projector's checkpoint, but never above
// the store's head when that is known, as no event would ever come. The error is
// ctx's.
func (h *Hub) start(ctx context.Context) (events.Position, error) {
	giveUp := time.Now().Add(h.Limits.StartWait)
	for {
		at, err := h.ask(ctx, h.Start)
		if err == nil {
			if head, headErr := h.ask(ctx, h.Source.Head); headErr == nil && head < at {
				h.Logger.Error("the read model's checkpoint is above the store's head; live begins at the head",
					"position", at, "head", head)
				return head, nil
			}
			return at, nil
		}
		if time.Now().After(giveUp) {
			head, headErr := h.ask(ctx, h.Source.Head)
			if headErr == nil {
				h.Logger.Warn("no checkpoint to begin at; live begins at the store's head", "error", err, "position", head)
				return head, nil
			}
		}
		if !pause(ctx, 200*time.Millisecond) {
			return 0, ctx.Err()
		}
	}
}

// ask puts one question with a deadline.
func (h *Hub) ask(ctx context.Context, question func(context.Context) (events.Position, error)) (events.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, h.Limits.Timeout)
	defer cancel()
	return question(ctx)
}

func (h *Hub) begin(at events.Position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running, h.halted, h.position = true, nil, at
	h.window = window{maxEvents: h.Limits.WindowEvents, maxBytes: h.Limits.WindowBytes, begins: at}
	h.members = make(map[events.User]*member)
	h.topics = make(map[events.Topic]map[*member]*membership)
	h.Metrics.position.Set(float64(at))
	h.Metrics.halted.Set(0)
	h.Logger.Info("live", "position", at)
}

// follow folds the log from the hub's position for as long as it flows.
func (h *Hub) follow(ctx context.Context) error {
	skips, err := h.skips(ctx)
	if err != nil {
		return err
	}
	defer h.pulse.Rest()
	for msg, err := range h.Source.Subscribe(ctx, h.Position()) {
		if err != nil {
			return fmt.Errorf("subscribe to the log: %w", err)
		}
		h.pulse.Beat()
		if err := h.see(msg, skips); err != nil {
			return err
		}
		h.pulse.Rest() // for as long as nothing comes
	}
	return errors.New("the store ended it")
}

func (h *Hub) see(msg events.Message, skips skips) error {
	at, e, err := skips.read(msg)
	if err != nil {
		return err
	}
	began := time.Now()
	if told, fresh := h.take(at, e, skips); fresh && e != nil && h.Tracer != nil {
		h.span(e, began, told)
	}
	return nil
}

// take folds what was read up to a position, and says how many readers were told of it.
// It is not fresh where that was folded before a new subscription overlapped.
func (h *Hub) take(at events.Position, e *logged, skips skips) (told int, fresh bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at <= h.position {
		return 0, false
	}
	if skips[at] {
		h.passed[at] = true
	}
	if e != nil {
		told = h.fold(e)
	}
	h.position = at
	h.Metrics.position.Set(float64(at))
	return told, true
}

// read is how far a message brings its reader, and its event if that can concern
// an inbox.
func read(msg events.Message) (events.Position, *logged, error) {
	if msg.Event == nil {
		if msg.Checkpoint > events.MaxPosition {
			return 0, nil, nil // some stores send 2^64-1 for "nothing yet"
		}
		return msg.Checkpoint, nil, nil
	}
	recorded, err := events.Decode(*msg.Event)
	if err != nil {
		return 0, nil, &unreadable{at: msg.Event.Position, stream: msg.Event.Stream, revision: msg.Event.Revision, kind: msg.Event.Type, err: err}
	}
	return recorded.Position, newLogged(recorded, len(msg.Event.Data)), nil
}

// end ends every stream; what waits for a reader can still be taken.
func (h *Hub) end(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = false
	for _, m := range h.members {
		for _, r := range m.readers {
			r.end(err)
		}
	}
	clear(h.members)
	clear(h.topics)
}

// ready needs mu.
func (h *Hub) ready() error {
	switch {
	case h.halted != nil:
		return h.halted
	case !h.running:
		return errors.New("the hub has not begun")
	default:
		return nil
	}
}

// pause waits about as long as told, and says whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(jittered(d))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// jittered is between three and five quarters of d.
func jittered(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1) //nolint:gosec // spreads load; no secret
}
