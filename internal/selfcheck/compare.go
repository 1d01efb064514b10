package selfcheck

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
	"github.com/tidings-io/tidings/internal/queries"
)

// statements are what is said of one inbox, by what they are about.
type statements map[string]string

// compare says how the tables differ from a book that is at the same position, in
// sentences; nothing where they agree.
func compare(book *inbox.Book, whole queries.Whole) []string {
	log, tables := ofBook(book, whole.At, whole.Keep), ofTables(whole)
	var differences []string
	for _, about := range slices.Sorted(maps.Keys(log)) {
		said, there := tables[about]
		switch {
		case !there:
			differences = append(differences, fmt.Sprintf("%s is missing (%s)", about, log[about]))
		case said != log[about]:
			differences = append(differences, fmt.Sprintf("%s: the log says %s, the tables %s", about, log[about], said))
		}
	}
	for _, about := range slices.Sorted(maps.Keys(tables)) {
		if _, there := log[about]; !there {
			differences = append(differences, fmt.Sprintf("%s should not be there (%s)", about, tables[about]))
		}
	}
	if whole.Tally != whole.Marked {
		differences = append(differences, fmt.Sprintf("tallies: there are marks of %+v, and the tables count %+v", whole.Marked, whole.Tally))
	}
	return differences
}

func ofBook(b *inbox.Book, at time.Time, keep inbox.Retention) statements {
	s := statements{}
	s.periods(b.Periods())
	s.muted(b.Muted())
	s.items(b.Items(at, keep))
	s.counts(b.Counts(at, keep))
	return s
}

func ofTables(w queries.Whole) statements {
	s := statements{}
	s.periods(w.Periods)
	s.muted(w.Muted)
	s.items(w.Items)
	s.counts(w.Counts.Total, w.Counts.Unread, w.Counts.Unseen)
	return s
}

func (s statements) periods(all []inbox.Period) {
	for _, p := range all {
		until := "now"
		if p.Until != 0 {
			until = p.Until.String()
		}
		s[fmt.Sprintf("the period of %s from %s", p.Topic, p.From)] = fmt.Sprintf(
			"until %s, since %s, muted %v, min_severity %s, filter %q", until, p.Since, p.Muted, p.MinSeverity, p.Filter)
	}
}

func (s statements) muted(topics []events.Topic) {
	names := make([]string, len(topics))
	for i, topic := range topics {
		names[i] = string(topic)
	}
	slices.Sort(names)
	s["muted topics"] = fmt.Sprintf("[%s]", strings.Join(names, " "))
}

// items leaves out the content: it is the same for everybody.
func (s statements) items(all []inbox.Item) {
	for _, i := range all {
		s[fmt.Sprintf("the item at %s", i.Position)] = fmt.Sprintf("%s, to %v, severity %s, expires %s, seen %s, read %s, archived %s",
			i.ID, i.To, i.Severity, moment(i.ExpiresAt), moment(i.SeenAt), moment(i.ReadAt), moment(i.ArchivedAt))
	}
}

func (s statements) counts(total, unread, unseen int) {
	s["counts"] = fmt.Sprintf("%d in all, %d unread, %d unseen", total, unread, unseen)
}

// moment is a time to the precision of the tables.
func moment(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return at.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
}
