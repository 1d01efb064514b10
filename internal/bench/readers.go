package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// arrivals collects when each message came; a message is known by its title.
type arrivals struct {
	mu    sync.Mutex
	at    map[string][]time.Time
	total int
}

func (a *arrivals) add(title string) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at[title] = append(a.at[title], now)
	a.total++
}

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total
}

// connect opens the stream of each user over a plain connection and returns when
// all have been told connected. They read until ctx ends.
func connect(ctx context.Context, url string, users []string) (*arrivals, error) {
	a := &arrivals{at: map[string][]time.Time{}}
	opened := make(chan error, len(users))
	slots := make(chan struct{}, 32)
	for _, user := range users {
		go func() {
			slots <- struct{}{}
			if err := read(ctx, strings.TrimPrefix(url, "http://"), user, a, func() { <-slots; opened <- nil }); err != nil {
				select {
				case opened <- err:
				default: // after the run
				}
			}
		}()
	}
	for range users {
		select {
		case err := <-opened:
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return a, nil
}

// read is one reader: the least that can tell the messages of a stream apart.
func read(ctx context.Context, host, user string, a *arrivals, connected func()) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // its reading ends
	if _, err := fmt.Fprintf(conn, "GET /v1/users/%s/inbox/stream HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n", user); err != nil {
		return err
	}
	lines := bufio.NewReaderSize(conn, 2048)
	told := false
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return err
		}
		if !told && bytes.HasPrefix(line, []byte("event: connected")) {
			told = true
			connected()
		}
		if _, rest, ok := bytes.Cut(line, []byte(`"title":"`)); ok {
			title, _, _ := bytes.Cut(rest, []byte(`"`))
			a.add(string(title))
		}
	}
}

// publisher posts notifications over few kept connections.
type publisher struct {
	url    string
	client *http.Client
}

func newPublisher(url string) *publisher {
	return &publisher{url, &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
}

func (p *publisher) publish(ctx context.Context, to, title string) error {
	body, err := json.Marshal(map[string]any{"to": []string{to}, "title": title, "body": strings.Repeat("x", 100)})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/v1/notifications", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // read for its status alone
	if answer.StatusCode != http.StatusAccepted {
		return fmt.Errorf("publish: %s", answer.Status)
	}
	return nil
}
