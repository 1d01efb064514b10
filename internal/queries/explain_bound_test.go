package queries_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/queries"
)

// restless is a log in which a user never ends changing their inbox.
type restless struct{ *told }

func (l restless) Read(ctx context.Context, stream events.StreamName, from events.Revision) iter.Seq2[events.Stored, error] {
	if stream != events.InboxStream("ann") {
		return l.told.Read(ctx, stream, from)
	}
	one := tell(events.ItemsRead{Items: events.Items{User: "ann", IDs: []uuid.UUID{noticeID}}}).log[0]
	return func(yield func(events.Stored, error) bool) {
		for one.Position, one.Revision = 100+events.Position(from), from; yield(one, nil); one.Position, one.Revision = one.Position+1, one.Revision+1 {
			if one.Revision > 1_000_000 { // as good as for ever
				return
			}
		}
	}
}

func TestExplainReadsSoMuchAndNoMore(t *testing.T) {
	t.Parallel()
	log := restless{tell(events.Published{NotificationID: noticeID, To: []events.Target{{User: "ann"}}, Content: events.Content{Title: "t"}})}
	q := queries.New(nil, queries.Options{Streams: log, Now: func() time.Time { return began.Add(time.Hour) }})
	if _, err := q.Explain(t.Context(), noticeID, "ann"); !errors.Is(err, queries.ErrTooFar) {
		t.Errorf("got %v, want %v", err, queries.ErrTooFar)
	}
}
