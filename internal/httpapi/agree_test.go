package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/memory"
	"github.com/tidings-io/tidings/internal/live"
	"github.com/tidings-io/tidings/internal/postgres"
	"github.com/tidings-io/tidings/internal/projections"
	"github.com/tidings-io/tidings/internal/queries"
)

// TestLiveAndTheTablesSayTheSame: whoever stays is told by the hub, whoever comes
// back by the tables, and both were told the same, whatever was subscribed to,
// filtered, muted and retracted meanwhile.
func TestLiveAndTheTablesSayTheSame(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	h := history{
		rand:  rand.New(rand.NewPCG(seed, 0)),
		store: &memory.Store{}, gone: map[uuid.UUID]bool{}, active: map[events.StreamName]bool{},
	}
	name(t, h.store)
	hub, reads := readers(t, h.store, projections.Retention{})
	for i := range 6 {
		h.users = append(h.users, events.User(fmt.Sprintf("u%d", i)))
	}
	stayed := map[events.User]*live.Follower{}
	for _, user := range h.users {
		stayed[user] = follow(t, hub, user)
	}
	for range 600 {
		h.next(t)
	}
	head, err := h.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waiting, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := reads.WaitFor(waiting, head); err != nil {
		t.Fatal(err)
	}
	for _, user := range h.users {
		told, read := h.told(t, stayed[user]), h.told(t, follow(t, hub, user))
		if diff := cmp.Diff(told, read); diff != "" || len(told) < 20 {
			t.Errorf("%s was told %d things, and others when coming back (-live +tables):\n%s", user, len(told), diff)
		}
	}
}

// TestResumingFromLongAgo: the id is older than a retraction, an expiry, and what is
// kept; what is left of all that comes once, in order.
func TestResumingFromLongAgo(t *testing.T) {
	t.Parallel()
	h := history{store: &memory.Store{}, gone: map[uuid.UUID]bool{}}
	name(t, h.store)
	hub, reads := readers(t, h.store, projections.Retention{KeepItems: 4})
	past := time.Now().Add(-time.Minute)
	publish := func(id byte, expires *time.Time) (retraction events.Retracted) {
		p := events.Published{
			NotificationID: uuid.UUID{15: id}, To: []events.Target{{User: "ann"}}, Content: events.Content{Title: "t"}, ExpiresAt: expires,
		}
		at := h.append(t, p, events.NotificationStream(p.NotificationID))
		return events.Retracted{NotificationID: p.NotificationID, PublishedPosition: at, To: p.To}
	}
	publish(1, nil)                                                                                                          // 2: no longer kept
	retracted := publish(2, nil)                                                                                             // 3
	publish(3, &past)                                                                                                        // 4
	publish(4, nil)                                                                                                          // 5
	h.append(t, retracted, events.NotificationStream(retracted.NotificationID))                                              // 6
	h.append(t, events.ItemsRead{Items: events.Items{User: "ann", Through: 5}}, events.InboxStream("ann"))                   // 7
	h.append(t, events.ItemsDeleted{Items: events.Items{User: "ann", IDs: []uuid.UUID{{15: 9}}}}, events.InboxStream("ann")) // 8
	publish(5, nil)                                                                                                          // 9
	waiting, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := reads.WaitFor(waiting, 9); err != nil {
		t.Fatal(err)
	}
	var got []string
	for f := follow(t, hub, "ann"); ; {
		frames, err := f.Next(t.Context(), 300*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for _, frame := range frames {
			got = append(got, fmt.Sprintf("%s %s", frame.Position, frame.Event))
		}
		if len(frames) == 0 {
			break
		}
	}
	want := []string{"5 message", "6 retracted", "7 state", "8 state", "9 message"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// readers are a hub and queries over a real projection, some of whose topics are
// stored and some joined.
func readers(t *testing.T, store *memory.Store, keep projections.Retention) (*live.Hub, *queries.Queries) {
	t.Helper()
	url := postgres.Fresh(t)
	if err := projections.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	reads := queries.New(pool, queries.Options{})
	hub := &live.Hub{Source: store, History: reads.Snapshot, Start: func(ctx context.Context) (events.Position, error) {
		at, _, err := reads.Checkpoint(ctx)
		return at, err
	}}
	projector := &projections.Inbox{
		DatabaseURL: url, Source: store, StoreLimit: 2, Retention: keep,
		StoreID: func(context.Context) (uuid.UUID, error) { return storeID, nil },
	}
	run(t, projector.Run)
	run(t, hub.Run)
	run(t, reads.Run)
	return hub, reads
}

func follow(t *testing.T, hub *live.Hub, user events.User) *live.Follower {
	t.Helper()
	for {
		f, err := hub.Follow(t.Context(), live.FollowRequest{User: user, LastEventID: live.Earliest})
		if err == nil {
			t.Cleanup(f.Close)
			return f
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

// history is a log in the making.
type history struct {
	rand      *rand.Rand
	store     *memory.Store
	users     []events.User
	published []events.Retracted // what retracting each would record
	gone      map[uuid.UUID]bool // retracted
	active    map[events.StreamName]bool
}

func (h *history) append(t *testing.T, e events.Event, stream events.StreamName) events.Position {
	t.Helper()
	proposed, err := events.Encode(e, stream, 0, events.Metadata{Attempt: uuid.New()})
	if err != nil {
		t.Fatal(err)
	}
	at, err := h.store.Append(t.Context(), stream, events.Any(), proposed)
	if err != nil {
		t.Fatal(err)
	}
	return at.Position
}

// next is one thing that happens.
func (h *history) next(t *testing.T) {
	t.Helper()
	user := h.users[h.rand.IntN(len(h.users))]
	topic := events.Topic("t" + string(rune('0'+h.rand.IntN(3))))
	pair := events.SubscriptionStream(user, topic)
	switch h.rand.IntN(12) {
	case 0, 1:
		rules := h.rules()
		if h.active[pair] {
			h.append(t, events.SubscriptionChanged{User: user, Topic: topic, Rules: rules}, pair)
		} else {
			h.append(t, events.Subscribed{User: user, Topic: topic, Rules: rules}, pair)
		}
		h.active[pair] = true
	case 2:
		if h.active[pair] {
			h.append(t, events.Unsubscribed{User: user, Topic: topic}, pair)
		}
		h.active[pair] = false
	case 3:
		muted := []events.Topic{"t0", "t1", "t2"}[h.rand.IntN(3):]
		h.append(t, events.PreferencesSet{User: user, Preferences: events.Preferences{MutedTopics: muted[:h.rand.IntN(len(muted)+1)]}}, events.ContactStream(user))
	case 4:
		if n := len(h.published); n > 0 {
			if r := h.published[h.rand.IntN(n)]; !h.gone[r.NotificationID] {
				h.gone[r.NotificationID] = true
				h.append(t, r, events.NotificationStream(r.NotificationID))
			}
		}
	case 5:
		if n := len(h.published); n > 0 {
			items := events.Items{User: user, IDs: []uuid.UUID{h.published[h.rand.IntN(n)].NotificationID}}
			h.append(t, events.ItemsRead{Items: items}, events.InboxStream(user))
		}
	default:
		h.publish(t, user, topic)
	}
}

func (h *history) rules() events.Rules {
	filters := []string{"", "data.n < 3", "severity == 'high'", "topic == 't1' || data.map(k, k)[0] == 'a'", "data.missing"}
	return events.Rules{MinSeverity: events.Severity(h.rand.IntN(3)), Filter: filters[h.rand.IntN(len(filters))]}
}

func (h *history) publish(t *testing.T, user events.User, topic events.Topic) {
	t.Helper()
	to := [][]events.Target{{{Topic: topic}}, {{Topic: topic}, {Topic: "t2"}}, {{Topic: topic}, {User: user}}}[h.rand.IntN(3)]
	if len(to) == 2 && to[0] == to[1] {
		to = to[:1]
	}
	p := events.Published{
		NotificationID: uuid.New(), To: to, Severity: events.Severity(h.rand.IntN(4)),
		Content: events.Content{Title: "t", Data: json.RawMessage(fmt.Sprintf(`{"%c":0,"n":%d}`, 'a'+h.rand.IntN(3), h.rand.IntN(6)))},
	}
	at := h.append(t, p, events.NotificationStream(p.NotificationID))
	h.published = append(h.published, events.Retracted{
		NotificationID: p.NotificationID, PublishedPosition: at, To: p.To, Severity: p.Severity,
	})
}

// told is what a follower was told up to now, but for what is gone: whoever comes
// back is not told of that.
func (h *history) told(t *testing.T, f *live.Follower) (list []string) {
	t.Helper()
	for {
		frames, err := f.Next(t.Context(), 300*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if len(frames) == 0 {
			return list
		}
		for _, frame := range frames {
			gone := slices.ContainsFunc(h.published, func(r events.Retracted) bool {
				return h.gone[r.NotificationID] && strings.Contains(string(frame.Data), r.NotificationID.String())
			})
			if frame.Event != live.EventRetracted && (frame.Event != live.EventMessage || !gone) {
				list = append(list, fmt.Sprintf("%s %s", frame.Position, frame.Event))
			}
		}
	}
}
