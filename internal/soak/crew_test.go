package soak

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// crewPause keeps a crew's inboxes small enough to be compared after every fault.
	crewPause = 120 * time.Millisecond
	// crewAgain is how soon a refused command is repeated; what Retry-After says would make the tests longer.
	crewAgain = 200 * time.Millisecond
)

// crewTopics are few, so that most publishes reach several.
var crewTopics = []string{"builds", "deploys", "charts"}

// crew are users who publish, subscribe and mark what they got, each command repeated until it is answered, and who
// remember what was acknowledged. Each changes only what is its own, so that what must be in every inbox follows from
// the positions of the answers alone: this memory is the oracle.
type crew struct {
	url     string
	members []*member
	beacons []published // to everybody

	refused, doubted, done atomic.Int64
	slowest                atomic.Int64 // of the answers, in nanoseconds, since it was set to 0
}

// member is one of a crew. Its memory is read only while it does not work.
type member struct {
	*crew

	user   string
	chance *rand.Rand
	serial int

	since   map[string]uint64 // open subscriptions
	periods []membership
	sent    []sent
	read    map[string]bool // ids marked as read
}

// membership is a subscription from its position to the position that ended it; 0: it goes on.
type membership struct {
	topic       string
	from, until uint64
}

// sent is a publish that was acknowledged.
type sent struct {
	published

	topic, user string
}

func newCrew(t *testing.T, url string, size int) *crew {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("the crew's seed is %d", seed)
	c := &crew{url: url}
	for n := range size {
		c.members = append(c.members, &member{
			crew: c, user: fmt.Sprintf("crew-%d", n), chance: rand.New(rand.NewPCG(seed, uint64(n))),
			since: map[string]uint64{}, read: map[string]bool{},
		})
	}
	return c
}

func (c *crew) users() []string {
	var all []string
	for _, m := range c.members {
		all = append(all, m.user)
	}
	return all
}

// work begins; rest ends it once everybody's last command is answered, and fails the test if an answer was wrong.
func (c *crew) work(ctx context.Context, t *testing.T) (rest func()) {
	t.Helper()
	enough := make(chan struct{})
	var working sync.WaitGroup
	for _, m := range c.members {
		working.Go(func() {
			for {
				if err := m.step(ctx); err != nil {
					if ctx.Err() == nil {
						t.Error(err)
					}
					return
				}
				select {
				case <-enough:
					return
				case <-ctx.Done():
					return
				case <-time.After(crewPause):
				}
			}
		})
	}
	rest = sync.OnceFunc(func() { close(enough); working.Wait() })
	t.Cleanup(rest)
	return rest
}

// step sends one command until it is done.
func (m *member) step(ctx context.Context) error {
	switch topic := crewTopics[m.chance.IntN(len(crewTopics))]; m.chance.IntN(8) {
	case 0, 1:
		return m.toggle(ctx, topic)
	case 2:
		return m.mark(ctx)
	default:
		return m.publish(ctx, topic)
	}
}

func (m *member) publish(ctx context.Context, topic string) error {
	m.serial++
	key := fmt.Sprintf("%s-%d", m.user, m.serial)
	a, err := m.insist(ctx, http.MethodPost, "/v1/notifications",
		fmt.Sprintf(`{"to":["topic:%s","user:%s"],"title":%q}`, topic, m.user, key), "Idempotency-Key", key)
	if err == nil {
		m.sent = append(m.sent, sent{a.published, topic, m.user})
	}
	return err
}

func (m *member) toggle(ctx context.Context, topic string) error {
	path := "/v1/users/" + m.user + "/subscriptions/" + topic
	if from := m.since[topic]; from > 0 {
		a, err := m.insist(ctx, http.MethodDelete, path, "")
		if err == nil {
			delete(m.since, topic)
			m.periods = append(m.periods, membership{topic, from, a.at()})
		}
		return err
	}
	a, err := m.insist(ctx, http.MethodPut, path, "")
	if err == nil {
		m.since[topic] = a.at() // nothing else changes it: where it was found is where it began
	}
	return err
}

// mark reads one of its own publishes: it is in the inbox, as it was acknowledged before.
func (m *member) mark(ctx context.Context) error {
	if len(m.sent) == 0 {
		return nil
	}
	id := m.sent[m.chance.IntN(len(m.sent))].ID
	_, err := m.insist(ctx, http.MethodPost, "/v1/users/"+m.user+"/inbox/read", `{"ids":["`+id+`"]}`)
	if err == nil {
		m.read[id] = true
	}
	return err
}

// insist sends a command until it is done, and holds each answer to coming in time and to being one that is promised.
func (c *crew) insist(ctx context.Context, method, path, body string, header ...string) (answer, error) {
	for promised := ""; ; {
		a, err := send(ctx, method, c.url+path, body, header...)
		atMost(&c.slowest, a.took)
		switch {
		case err != nil:
			return a, fmt.Errorf("%s %s: %w", method, path, err)
		case a.took > commandDeadline:
			return a, fmt.Errorf("%s %s was held for %s, want at most %s: %s", method, path, a.took, commandDeadline, a.text)
		case a.status < http.StatusMultipleChoices && promised != "" && a.ID != promised:
			return a, fmt.Errorf("%s %s became %s, and was to become %s", method, path, a.ID, promised)
		case a.status < http.StatusMultipleChoices:
			c.done.Add(1)
			return a, nil
		case a.is503("outcome_unknown"):
			c.doubted.Add(1)
			promised = cmp.Or(a.ID, promised)
		case a.is503("store_unavailable"):
			c.refused.Add(1)
		default:
			return a, fmt.Errorf("%s %s: got %d %s, want it done, refused or in doubt", method, path, a.status, a.text)
		}
		select {
		case <-ctx.Done():
			return a, context.Cause(ctx)
		case <-time.After(crewAgain):
		}
	}
}

// inbox is what a member's must be: everything that reached it, once, newest first.
func (c *crew) inbox(of *member) []published {
	all := slices.Clone(c.beacons)
	for _, m := range c.members {
		for _, s := range m.sent {
			if s.user == of.user || of.follows(s.topic, s.at()) {
				all = append(all, s.published)
			}
		}
	}
	slices.SortFunc(all, func(a, b published) int { return cmp.Compare(b.at(), a.at()) })
	return all
}

func (m *member) follows(topic string, at uint64) bool {
	if from := m.since[topic]; from > 0 && from < at {
		return true
	}
	return slices.ContainsFunc(m.periods, func(p membership) bool {
		return p.topic == topic && p.from < at && at < p.until
	})
}

// check holds every inbox, its counts and its reader to the oracle. Nobody may be working.
func (c *crew) check(ctx context.Context, t *testing.T, readers followers) {
	t.Helper()
	for i, m := range c.members {
		want := c.inbox(m)
		if len(want) == 0 {
			continue
		}
		var got []published
		eventually(ctx, t, recoveryLimit, "the inbox of "+m.user+" answers", func() (err error) {
			got, err = inboxOf(ctx, c.url, m.user, want[0].Position)
			return err
		})
		if !slices.Equal(got, want) {
			t.Errorf("the inbox of %s: got %d items, want %d; %s", m.user, len(got), len(want), firstDifference(got, want))
		}
		var counts struct{ Total, Unread int }
		if err := ask(ctx, http.MethodGet, c.url+"/v1/users/"+m.user+"/inbox/counts?wait_for="+c.last().Position, nil, &counts); err != nil {
			t.Errorf("the counts of %s: %v", m.user, err)
		} else if unread := len(want) - len(m.read); counts.Total != len(want) || counts.Unread != unread {
			t.Errorf("the counts of %s: got %d, %d unread, want %d, %d unread", m.user, counts.Total, counts.Unread, len(want), unread)
		}
		if i < len(readers) {
			followers{readers[i]}.mustReceive(ctx, t, want)
		}
	}
}

// last is the newest publish that was acknowledged.
func (c *crew) last() published {
	var last published
	if n := len(c.beacons); n > 0 {
		last = c.beacons[n-1]
	}
	for _, m := range c.members {
		if n := len(m.sent); n > 0 && (last.ID == "" || m.sent[n-1].at() > last.at()) {
			last = m.sent[n-1].published
		}
	}
	return last
}

func firstDifference(got, want []published) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("item %d is %v, want %v", i, got[i], want[i])
		}
	}
	return "one goes on where the other ends"
}
