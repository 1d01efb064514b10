package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// traffic is clients that do everything a client can, each to users of its own, so that what one does can contradict
// nothing that another does.
type traffic struct {
	url  string
	seed uint64

	done    atomic.Int64 // commands that were taken
	refused atomic.Int64 // commands that were not, or are in doubt, because something was away
	clients sync.WaitGroup
	stop    context.CancelFunc
}

const (
	trafficClients = 8
	trafficUsers   = 5 // of each client
)

// trafficTopics are few, so that everybody shares them, and some have more subscribers than a small store limit.
var trafficTopics = []string{"builds", "deploys", "charts/redis", "été", "quiet"}

var trafficFilters = []string{"", "", "severity == 'high' || severity == 'critical'", "data.n > 4", "sender == 'ci' && data.region == 'eu'"}

// startTraffic begins; end ends it and waits.
func startTraffic(ctx context.Context, t *testing.T, url string) *traffic {
	t.Helper()
	ctx, stop := context.WithCancel(ctx)
	w := &traffic{url: url, seed: rand.Uint64(), stop: stop}
	t.Logf("the traffic's seed is %d", w.seed)
	for n := range trafficClients {
		c := client{traffic: w, n: n, chance: rand.New(rand.NewPCG(w.seed, uint64(n)))}
		w.clients.Go(func() {
			for ctx.Err() == nil {
				if err := c.step(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	t.Cleanup(w.end)
	return w
}

func (w *traffic) end() {
	w.stop()
	w.clients.Wait()
}

// client is one of them.
type client struct {
	*traffic

	n      int
	chance *rand.Rand
	ids    []string // of what it has published
	last   string   // the position it came to
}

// step sends one command.
func (c *client) step(ctx context.Context) error {
	user := trafficUser(c.n, c.chance.IntN(trafficUsers))
	topic := url.PathEscape(c.topic())
	switch c.chance.IntN(12) {
	case 0, 1:
		return c.send(ctx, http.MethodPut, "/v1/users/"+user+"/subscriptions/"+topic,
			fmt.Sprintf(`{"min_severity":%q,"filter":%q}`, c.severity(), trafficFilters[c.chance.IntN(len(trafficFilters))]))
	case 2:
		return c.send(ctx, http.MethodDelete, "/v1/users/"+user+"/subscriptions/"+topic, "")
	case 3:
		return c.send(ctx, http.MethodPut, "/v1/users/"+user+"/preferences", fmt.Sprintf(`{"muted_topics":[%q]}`, c.topic()))
	case 4:
		if len(c.ids) > 0 {
			return c.send(ctx, http.MethodDelete, "/v1/notifications/"+c.id(), "")
		}
		fallthrough
	case 5, 6, 7, 8:
		return c.publish(ctx, user)
	default:
		return c.change(ctx, user)
	}
}

func (c *client) publish(ctx context.Context, user string) error {
	topic := c.topic()
	to := fmt.Sprintf(`"topic:%s"`, topic)
	if other := c.topic(); other != topic && c.chance.IntN(2) == 0 {
		to += fmt.Sprintf(`,"user:%s","topic:%s"`, user, other)
	}
	expires := ""
	if c.chance.IntN(6) == 0 {
		expires = fmt.Sprintf(`,"expires_at":%q`, time.Now().Add(time.Duration(1+c.chance.IntN(5))*time.Second).UTC().Format(time.RFC3339))
	}
	return c.send(ctx, http.MethodPost, "/v1/notifications", fmt.Sprintf(
		`{"to":[%s],"title":"n","severity":%q,"sender":"ci","data":{"n":%d,"region":%q}%s}`,
		to, c.severity(), c.chance.IntN(10), []string{"eu", "us"}[c.chance.IntN(2)], expires))
}

func (c *client) change(ctx context.Context, user string) error {
	change := []string{"read", "read", "unread", "seen", "archive", "unarchive", "delete"}[c.chance.IntN(7)]
	items := fmt.Sprintf(`{"through":%q}`, c.last)
	if c.last == "" || c.chance.IntN(4) > 0 && len(c.ids) > 0 {
		if len(c.ids) == 0 {
			return nil
		}
		items = fmt.Sprintf(`{"ids":[%q]}`, c.id())
	}
	return c.send(ctx, http.MethodPost, "/v1/users/"+user+"/inbox/"+change, items)
}

// send takes "done", and that something is away; anything else is wrong.
func (c *client) send(ctx context.Context, method, path, body string) error {
	a, err := send(ctx, method, c.url+path, body)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, path, err)
	case a.status == http.StatusServiceUnavailable:
		c.refused.Add(1)
		select { // what is away is not asked as fast as possible
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
		return nil
	case a.status >= http.StatusMultipleChoices:
		return fmt.Errorf("%s %s %s: got %d %s", method, path, body, a.status, a.text)
	}
	c.done.Add(1)
	if a.Position != "" {
		c.last = a.Position
	}
	if path == "/v1/notifications" {
		c.ids = append(c.ids, a.ID)
	}
	return nil
}

func trafficUser(client, n int) string { return fmt.Sprintf("u%d-%d", client, n) }

func (c *client) topic() string { return trafficTopics[c.chance.IntN(len(trafficTopics))] }

func (c *client) severity() string {
	return []string{"low", "normal", "high", "critical"}[c.chance.IntN(4)]
}

func (c *client) id() string { return c.ids[c.chance.IntN(len(c.ids))] }
