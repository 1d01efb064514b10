package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// broadcasting publishes to topics of very different sizes, and takes the time from the answer, which is after the append, until
// an inbox that is asked for that position has the notification.
func (b *bench) broadcasting(ctx context.Context, binary string, r *report) (err error) {
	s, err := start(ctx, binary, "dev", "--data", "data", "--listen", "127.0.0.1:0", "--store-listen", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	sizes := []int{1, 1000, b.Members}
	for i, members := range sizes {
		fmt.Fprintf(os.Stderr, "broadcast: subscribing %d users to a topic\n", members)
		if err := subscribeAll(ctx, s.URL, fmt.Sprintf("topic%d", i), members); err != nil {
			return err
		}
	}
	r.section("From the append to the inbox, by the size of the topic",
		"`tidings dev`, one publish after the other. The publish is timed by its client; from its answer, which is after the append, until the inbox of a subscriber at random, asked as of that position at the least, has it. "+
			"Up to 1,000 subscribers it is stored, above that it is joined when read. Recipients are not counted.",
		"subscribers", "publish", "in the inbox, p50", "max", "aim")
	for i, members := range sizes {
		var publishes, visible latencies
		for range broadcasts * b.Runs {
			publish, inbox, err := broadcast(ctx, s.URL, fmt.Sprintf("topic%d", i), members)
			if err != nil {
				return err
			}
			publishes, visible = append(publishes, publish), append(visible, inbox)
		}
		slices.Sort(publishes)
		slices.Sort(visible)
		ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1e3) }
		r.row(fmt.Sprint(members), ms(publishes.at(.5)), ms(visible.at(.5)), ms(visible.at(1)), "≤ 50 ms")
	}
	return nil
}

// broadcasts to one topic, in each run.
const broadcasts = 50

// subscribeAll subscribes users to a topic, a thousand at a time, and waits until the read model has them.
func subscribeAll(ctx context.Context, url, topic string, members int) error {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for first := 0; first < members; first += 1000 {
		group.Go(func() error {
			users := make([]string, 0, 1000)
			for n := first; n < min(members, first+1000); n++ {
				users = append(users, fmt.Sprintf("u%d", n))
			}
			return request(within, http.MethodPost, url+"/v1/topics/"+topic+"/subscribers", map[string]any{"add": users}, &struct{}{})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for {
		var topicNow struct {
			Subscribers int `json:"subscribers"`
		}
		err := request(ctx, http.MethodGet, url+"/v1/topics/"+topic, nil, &topicNow)
		if err == nil && topicNow.Subscribers == members {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func broadcast(ctx context.Context, url, topic string, members int) (publish, visible time.Duration, err error) {
	var sent struct {
		ID       string `json:"id"`
		Position string `json:"position"`
	}
	began := time.Now()
	err = request(ctx, http.MethodPost, url+"/v1/notifications", map[string]any{"to": []string{"topic:" + topic}, "title": "to everybody"}, &sent)
	if err != nil {
		return 0, 0, err
	}
	answered := time.Now()
	var page struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	address := fmt.Sprintf("%s/v1/users/u%d/inbox?limit=1&wait_for=%s", url, rand.IntN(members), sent.Position)
	if err := request(ctx, http.MethodGet, address, nil, &page); err != nil {
		return 0, 0, err
	}
	if len(page.Items) != 1 || page.Items[0].ID != sent.ID {
		return 0, 0, fmt.Errorf("%s is not in the inbox: got %v", sent.ID, page.Items)
	}
	return answered.Sub(began), time.Since(answered), nil
}

// request sends JSON and reads JSON.
func request(ctx context.Context, method, url string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	if body == nil {
		req.Body = http.NoBody
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // read to its end below
	text, err = io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: got %d %s", method, url, answer.StatusCode, text)
	}
	return json.Unmarshal(text, into)
}
