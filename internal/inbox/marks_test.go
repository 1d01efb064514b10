package inbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidings-io/tidings/internal/inbox"
)

// TestMarksKeepTheFirstTime folds changes made a minute apart.
func TestMarksKeepTheFirstTime(t *testing.T) {
	t.Parallel()
	minute := func(n int) *time.Time { return new(time.Date(2026, 3, 1, 12, n, 0, 0, time.UTC)) }
	cases := map[string]struct {
		changes string
		want    inbox.Marks
	}{
		"untouched":                          {"", inbox.Marks{}},
		"each mark is one of its own":        {"seen read archive", inbox.Marks{SeenAt: minute(0), ReadAt: minute(1), ArchivedAt: minute(2)}},
		"a repeat keeps the first time":      {"read seen read seen", inbox.Marks{ReadAt: minute(0), SeenAt: minute(1)}},
		"unread takes the read mark off":     {"read unread", inbox.Marks{}},
		"read once more is read anew":        {"read unread read", inbox.Marks{ReadAt: minute(2)}},
		"unarchived comes back":              {"archive unarchive", inbox.Marks{}},
		"what is deleted stays so":           {"read delete unread archive delete", inbox.Marks{ReadAt: minute(0), DeletedAt: minute(1)}},
		"a change nobody knows does nothing": {"fold", inbox.Marks{}},
	}
	for rule, c := range cases {
		var got inbox.Marks
		for i, change := range strings.Fields(c.changes) {
			got.Apply(change, *minute(i))
		}
		if diff := cmp.Diff(got, c.want); diff != "" {
			t.Errorf("%s: got -, want +\n%s", rule, diff)
		}
		if want := c.want.ArchivedAt != nil || c.want.DeletedAt != nil; got.Away() != want {
			t.Errorf("%s: away is %v", rule, got.Away())
		}
	}
}
