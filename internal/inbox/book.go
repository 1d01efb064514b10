package inbox

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/filter"
)

// Book is one user's inbox folded from the log, event by event: what it shows is
// what the tables must show at the same position. Whoever reads the log leaves out
// what operators have skipped. It holds the content of everything its user
// received.
type Book struct {
	user    events.User
	line    *Timeline
	periods []Period
	open    map[events.Topic]int // the index in periods
	muted   map[events.Topic]bool
	letters []*letter // by position
	byID    map[uuid.UUID]*letter
}

// letter is what its user once received, whatever became of it.
type letter struct {
	*publication

	marks     Marks
	retracted events.Position // 0 where it was not
}

// publication is a notification as it was published; all books of a shelf share it.
type publication struct {
	position  events.Position
	at        time.Time
	published events.Published
}

// NewBook is the book of a user before the first event.
func NewBook(user events.User) *Book { return newBook(user, new(Timeline)) }

func newBook(user events.User, line *Timeline) *Book {
	return &Book{
		user: user, line: line,
		open: map[events.Topic]int{}, muted: map[events.Topic]bool{}, byID: map[uuid.UUID]*letter{},
	}
}

// Apply takes the next event of the log; those that are not about the user move
// the book's position and time alone.
func (b *Book) Apply(r events.Recorded) {
	b.line.Note(r)
	if p, ok := r.Event.(events.Published); ok {
		b.published(newPublication(r, p), filter.Of(p))
		return
	}
	b.fold(r)
}

func newPublication(r events.Recorded, p events.Published) *publication {
	return &publication{position: r.Position, at: r.At, published: p}
}

// fold takes an event that publishes nothing.
func (b *Book) fold(r events.Recorded) {
	switch e := r.Event.(type) {
	case events.Subscribed:
		if e.User == b.user {
			b.begin(Period{Topic: e.Topic, From: r.Position, Since: r.Position, Muted: b.muted[e.Topic], Rules: e.Rules})
		}
	case events.SubscriptionChanged:
		if e.User == b.user {
			b.next(r.Position, e.Topic, func(p *Period) { p.Rules = e.Rules })
		}
	case events.Unsubscribed:
		if e.User == b.user {
			b.end(r.Position, e.Topic)
		}
	case events.PreferencesSet:
		if e.User == b.user {
			b.mute(r.Position, e.MutedTopics)
		}
	case events.Retracted:
		if l := b.byID[e.NotificationID]; l != nil && l.retracted == 0 {
			l.retracted = r.Position
		}
	case events.InboxEvent:
		if e.On().User == b.user {
			b.change(r, e)
		}
	}
}

func (b *Book) begin(p Period) {
	b.open[p.Topic] = len(b.periods)
	b.periods = append(b.periods, p)
}

// end closes the open period of a topic, and returns it; nil where there is none.
func (b *Book) end(at events.Position, topic events.Topic) *Period {
	i, subscribed := b.open[topic]
	if !subscribed {
		return nil
	}
	delete(b.open, topic)
	b.periods[i].Until = at
	return &b.periods[i]
}

// next ends the open period of a topic, if there is one, and begins another that
// differs from it.
func (b *Book) next(at events.Position, topic events.Topic, differs func(*Period)) {
	if ended := b.end(at, topic); ended != nil {
		p := *ended
		p.From, p.Until = at, 0
		differs(&p)
		b.begin(p)
	}
}

func (b *Book) mute(at events.Position, topics []events.Topic) {
	before := b.muted
	b.muted = make(map[events.Topic]bool, len(topics))
	for _, topic := range topics {
		b.muted[topic] = true
	}
	for _, either := range []map[events.Topic]bool{before, b.muted} {
		for topic := range either {
			if before[topic] != b.muted[topic] {
				b.flip(at, topic)
			}
		}
	}
}

// flip has the topic's open period muted as the topic now is.
func (b *Book) flip(at events.Position, topic events.Topic) {
	if i, subscribed := b.open[topic]; subscribed && b.periods[i].Muted != b.muted[topic] {
		b.next(at, topic, func(p *Period) { p.Muted = !p.Muted })
	}
}

func (b *Book) published(p *publication, candidate *filter.Candidate) {
	if slices.ContainsFunc(p.published.To, func(to events.Target) bool { return b.reached(p, to, candidate) }) {
		l := &letter{publication: p}
		b.letters = append(b.letters, l)
		b.byID[p.published.NotificationID] = l
	}
}

func (b *Book) reached(p *publication, by events.Target, candidate *filter.Candidate) bool {
	if by.User != "" {
		return by.User == b.user
	}
	i, subscribed := b.open[by.Topic]
	return subscribed && b.periods[i].Admits(p.position, p.published.Severity, candidate)
}

// change folds what the user did to items that were in the inbox then.
func (b *Book) change(r events.Recorded, e events.InboxEvent) {
	items, change := e.On(), changeName(e)
	for _, id := range items.IDs {
		b.mark(b.byID[id], change, r.At)
	}
	for _, l := range b.letters {
		if l.position > items.Through {
			break
		}
		b.mark(l, change, r.At)
	}
}

func (b *Book) mark(l *letter, change string, at time.Time) {
	if l != nil && l.retracted == 0 {
		l.marks.Apply(change, at)
	}
}

// User is whose book it is.
func (b *Book) User() events.User { return b.user }

// Position is that of the last event applied.
func (b *Book) Position() events.Position { return b.line.Position() }

// Latest is the highest time recorded so far: at which a position is judged.
func (b *Book) Latest() time.Time { return b.line.Latest() }

// Periods are all of the user's, closed ones included, by where they begin and
// then by topic.
func (b *Book) Periods() []Period {
	all := slices.Clone(b.periods)
	slices.SortFunc(all, func(p, q Period) int {
		return cmp.Or(cmp.Compare(p.From, q.From), cmp.Compare(p.Topic, q.Topic))
	})
	return all
}

// Muted are the topics the user has muted, in the order of their bytes.
func (b *Book) Muted() []events.Topic {
	var all []events.Topic
	for topic := range b.muted {
		all = append(all, topic)
	}
	slices.Sort(all)
	return all
}

// Items are those in the inbox, newest first, archived ones too, as an answer given
// at this time shows them.
func (b *Book) Items(at time.Time, keep Retention) []Item {
	var items []Item
	for _, l := range slices.Backward(b.kept(at, keep)) {
		if l.visible(at) {
			items = append(items, l.item(b.user))
		}
	}
	return items
}

// Counts say how much is in the inbox at this time, archived items left out.
func (b *Book) Counts(at time.Time, keep Retention) (total, unread, unseen int) {
	for _, l := range b.kept(at, keep) {
		if !l.visible(at) || l.marks.Away() {
			continue
		}
		total++
		if l.marks.ReadAt == nil {
			unread++
		}
		if l.marks.SeenAt == nil {
			unseen++
		}
	}
	return total, unread, unseen
}

// Received says whether a notification reached the user, whatever became of it.
func (b *Book) Received(id uuid.UUID) bool { return b.byID[id] != nil }

// kept are the letters that retention does not hide.
func (b *Book) kept(at time.Time, keep Retention) []*letter {
	horizon := max(b.line.Horizon(at, keep.Age), keep.Above)
	kept := b.letters
	if keep.Items > 0 {
		kept = kept[max(0, len(kept)-keep.Items):]
	}
	hidden, _ := slices.BinarySearchFunc(kept, horizon+1, func(l *letter, p events.Position) int { return cmp.Compare(l.position, p) })
	return kept[hidden:]
}

func (l *letter) visible(at time.Time) bool {
	expires := l.published.ExpiresAt
	return l.retracted == 0 && l.marks.DeletedAt == nil && (expires == nil || expires.After(at))
}

func (l *letter) item(reader events.User) Item {
	item := NewItem(events.Recorded{Position: l.position, At: l.at}, l.published, reader)
	item.SeenAt, item.ReadAt, item.ArchivedAt = l.marks.SeenAt, l.marks.ReadAt, l.marks.ArchivedAt
	return item
}
