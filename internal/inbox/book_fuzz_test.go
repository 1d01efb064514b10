package inbox_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/inbox"
)

// FuzzBook: whatever events a log holds that can be read, a book of them has an
// answer, its counts are those of its items, and it is the same alone and on a shelf.
// What failed once, and what led to new code, is kept in testdata/fuzz.
func FuzzBook(f *testing.F) {
	const id = "018f2f6e-9a3b-7c4d-8e5f-60718293a4b5"
	to := func(target string) string {
		return `{"notification_id":"` + id + `","to":["` + target + `"],"content":{"title":"t","data":{"n":1}}}`
	}
	for _, log := range [][4][2]string{
		{{"Subscribed", `{"user":"ann","topic":"a"}`}, {"Published", to("topic:a")}, {"ItemsRead", `{"user":"ann","ids":["` + id + `"]}`}, {"Retracted", `{"notification_id":"` + id + `"}`}},
		{{"Published", to("user:ann")}, {"Published", to("user:ann")}, {"ItemsDeleted", `{"user":"ann","ids":["` + id + `"]}`}, {"ItemsUnread", `{"user":"ann","through":"9223372036854775806"}`}},
		{{"Subscribed", `{"user":"ann","topic":"a","filter":"("}`}, {"Subscribed", `{"user":"ann","topic":"a","filter":"data.n > 0"}`}, {"Published", to("topic:a")}, {"Unsubscribed", `{"user":"ann","topic":"a"}`}},
		{{"PreferencesSet", `{"user":"ann","muted_topics":["a","a",""]}`}, {"Subscribed", `{"user":"ann","topic":"a"}`}, {"SubscriptionChanged", `{"user":"ann","topic":"b","min_severity":"high"}`}, {"Published", to("topic:a")}},
		{{"Subscribed", `{"user":"ann","topic":""}`}, {"Published", `{"to":[],"expires_at":"9999-12-31T23:59:59-23:59"}`}, {"ItemsArchived", `{"user":"ann","through":"1"}`}, {"ItemsSeen", `{"user":"ann"}`}},
		{{"StoreNamed", `{}`}, {"EventSkipped", `{"position":"1"}`}, {"TopicDescribed", `{}`}, {"Retracted", `{"to":["user:ann"]}`}},
	} {
		f.Add(log[0][0], []byte(log[0][1]), log[1][0], []byte(log[1][1]), log[2][0], []byte(log[2][1]), log[3][0], []byte(log[3][1]))
	}
	f.Fuzz(func(t *testing.T, name1 string, data1 []byte, name2 string, data2 []byte, name3 string, data3 []byte, name4 string, data4 []byte) {
		alone, shelf := inbox.NewBook("ann"), inbox.NewShelf("ann", "bob")
		at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		for i, s := range []events.Stored{{Type: name1, Data: data1}, {Type: name2, Data: data2}, {Type: name3, Data: data3}, {Type: name4, Data: data4}} {
			s.Position, s.At, s.Metadata = events.Position(i+1), at, []byte(`{"schema_version":1}`)
			r, err := events.Decode(s)
			if err != nil {
				continue // which stops readers of the log before they come here
			}
			alone.Apply(r)
			shelf.Apply(r)
		}
		for _, keep := range []inbox.Retention{{}, {Items: 1}, {Age: time.Second}, {Above: 2}} {
			checkBook(t, alone, at, keep)
			if diff := cmp.Diff(alone.Items(at, keep), shelf.Book("ann").Items(at, keep)); diff != "" {
				t.Errorf("alone (-), on a shelf (+):\n%s", diff)
			}
		}
		if diff := cmp.Diff(alone.Periods(), shelf.Book("ann").Periods()); diff != "" {
			t.Errorf("periods alone (-), on a shelf (+):\n%s", diff)
		}
	})
}

// checkBook holds a book's items to their order, and its counts to its items.
func checkBook(t *testing.T, b *inbox.Book, at time.Time, keep inbox.Retention) {
	t.Helper()
	items := b.Items(at, keep)
	if !slices.IsSortedFunc(items, func(a, b inbox.Item) int { return int(b.Position) - int(a.Position) }) {
		t.Errorf("not newest first: %+v", items)
	}
	wantTotal, wantUnread, wantUnseen := 0, 0, 0
	for _, i := range items {
		if _, err := json.Marshal(i); err != nil {
			t.Errorf("item %+v cannot be answered: %v", i, err)
		}
		if slices.ContainsFunc(i.To, func(to events.Target) bool { return to.User != "" && to.User != b.User() }) {
			t.Errorf("%s is told of others: %v", b.User(), i.To)
		}
		if i.ArchivedAt != nil {
			continue
		}
		wantTotal, wantUnread, wantUnseen = wantTotal+1, wantUnread+one(i.ReadAt), wantUnseen+one(i.SeenAt)
	}
	if total, unread, unseen := b.Counts(at, keep); total != wantTotal || unread != wantUnread || unseen != wantUnseen {
		t.Errorf("counts %d, %d, %d, want %d, %d, %d of %+v", total, unread, unseen, wantTotal, wantUnread, wantUnseen, items)
	}
}

// one counts a mark that is not there.
func one(mark *time.Time) int {
	if mark == nil {
		return 1
	}
	return 0
}
