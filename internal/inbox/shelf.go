package inbox

import (
	"maps"
	"slices"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/filter"
)

// Shelf is many users' books, folded in one reading of the log. An event costs what
// it changes, not what books there are. Its books are moved by the shelf alone.
type Shelf struct {
	brief   bool
	line    Timeline
	books   map[events.User]*Book
	readers map[events.Topic]map[*Book]bool // those with an open period
}

// NewShelf is the shelf of these users' books before the first event.
func NewShelf(users ...events.User) *Shelf {
	s := &Shelf{books: make(map[events.User]*Book, len(users)), readers: map[events.Topic]map[*Book]bool{}}
	for _, user := range users {
		s.books[user] = newBook(user, &s.line)
	}
	return s
}

// NewBriefShelf is a shelf whose books' items come without title, body, data, sender
// and link, so that a large inbox costs little.
func NewBriefShelf(users ...events.User) *Shelf {
	s := NewShelf(users...)
	s.brief = true
	return s
}

// Book is a user's; nil for a user whose book is not on the shelf.
func (s *Shelf) Book(user events.User) *Book { return s.books[user] }

// Position is that of the last event applied.
func (s *Shelf) Position() events.Position { return s.line.Position() }

// Apply takes the next event of the log.
func (s *Shelf) Apply(r events.Recorded) {
	s.line.Note(r)
	switch e := r.Event.(type) {
	case events.Subscribed:
		s.subscription(r, e.User, e.Topic)
	case events.SubscriptionChanged:
		s.subscription(r, e.User, e.Topic)
	case events.Unsubscribed:
		s.subscription(r, e.User, e.Topic)
	case events.PreferencesSet:
		s.fold(r, e.User)
	case events.InboxEvent:
		s.fold(r, e.On().User)
	case events.Published:
		s.published(r, e)
	case events.Retracted:
		for _, b := range s.books {
			b.fold(r)
		}
	}
}

func (s *Shelf) fold(r events.Recorded, user events.User) {
	if b := s.books[user]; b != nil {
		b.fold(r)
	}
}

func (s *Shelf) subscription(r events.Recorded, user events.User, topic events.Topic) {
	b := s.books[user]
	if b == nil {
		return
	}
	b.fold(r)
	if _, subscribed := b.open[topic]; !subscribed {
		delete(s.readers[topic], b)
		return
	}
	if s.readers[topic] == nil {
		s.readers[topic] = map[*Book]bool{}
	}
	s.readers[topic][b] = true
}

// published asks each book once that one of the targets may reach.
func (s *Shelf) published(r events.Recorded, e events.Published) {
	reachable := map[*Book]bool{}
	for _, to := range e.To {
		if b := s.books[to.User]; b != nil {
			reachable[b] = true
		}
		maps.Copy(reachable, s.readers[to.Topic])
	}
	if len(reachable) == 0 {
		return
	}
	candidate, p := filter.Of(e), newPublication(r, e)
	if s.brief {
		p.published.Content, p.published.Sender = events.Content{}, ""
	}
	for b := range reachable {
		b.published(p, candidate)
	}
}

// Users are those whose books are on the shelf, in the order of their bytes.
func (s *Shelf) Users() []events.User { return slices.Sorted(maps.Keys(s.books)) }
