package queries

import (
	"strings"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// scanItem reads the columns every statement about items gives after the
// checkpoint: see sql/inbox_page.sql.
func scanItem(r row, reader events.User) (inbox.Item, error) {
	var (
		item    inbox.Item
		targets []string
	)
	err := r(&item.Position, &item.ID, &targets, (*uint8)(&item.Severity), &item.Title, &item.Body, (*[]byte)(&item.Data),
		&item.Sender, &item.Link, &item.PublishedAt, &item.ExpiresAt, &item.SeenAt, &item.ReadAt, &item.ArchivedAt)
	if err != nil {
		return inbox.Item{}, err
	}
	item.To = events.SeenBy(parseTargets(targets), reader)
	toUTC(&item.PublishedAt, item.ExpiresAt, item.SeenAt, item.ReadAt, item.ArchivedAt)
	return item, nil
}

// toUTC brings times to UTC, where there are any.
func toUTC(times ...*time.Time) {
	for _, at := range times {
		if at != nil {
			*at = at.UTC()
		}
	}
}

// parseTargets reads the text forms the projection keeps. They come from the log,
// where they were checked.
func parseTargets(texts []string) []events.Target {
	targets := make([]events.Target, len(texts))
	for i, text := range texts {
		if user, ok := strings.CutPrefix(text, "user:"); ok {
			targets[i].User = events.User(user)
			continue
		}
		targets[i].Topic = events.Topic(strings.TrimPrefix(text, "topic:"))
	}
	return targets
}
