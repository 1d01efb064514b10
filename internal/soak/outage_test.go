package soak

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// promptly is how long an answer takes that needs nothing that is away, on a busy machine.
	promptly = 4 * time.Second
	// questionDeadline is how long a question is held while Postgres is away.
	questionDeadline = 6 * time.Second
	// commandDeadline is how long a command is held while the store is away.
	commandDeadline = 12 * time.Second
	// recovery is how long what was away may still seem so, on a busy machine.
	recovery = 10 * time.Second
	// storeOutage is longer than an append that is in doubt is tried again, so that some callers are told.
	storeOutage = 10500 * time.Millisecond
)

// TestBadDays runs every part as a process of its own and takes one after the other away. Only what is taken away is
// started again: the others must outlive it.
func TestBadDays(t *testing.T) { // not parallel: it starts a whole system
	if testing.Short() {
		t.Skip("starts a whole system")
	}
	binary(t, "tidings") // compiling is not part of what has a deadline
	ctx, cancel := context.WithTimeoutCause(t.Context(), 4*time.Minute, errors.New("the test took too long"))
	defer cancel()
	s := &system{data: t.TempDir(), storeListen: freeAddress(t), users: []string{"ann", "bob"}}
	began := time.Now()
	for _, day := range []struct {
		name string
		live func(context.Context, *testing.T)
	}{
		{"there is no read model yet", s.withoutReadModel},
		{"Postgres is away", s.withoutPostgres},
		{"the store is away", s.withoutStore},
	} {
		if day.live(ctx, t); t.Failed() {
			t.Fatalf("%s: see above", day.name)
		}
		t.Logf("%s: over after %s", day.name, time.Since(began).Round(time.Millisecond))
	}
	for _, p := range []*program{s.projector, s.api, s.node, s.postgres} {
		p.stop(t)
	}
}

// system is every part as a process of its own.
type system struct {
	parts
	data, storeListen              string
	node, postgres, api, projector *program
	url, projectorURL              string

	users   []string
	want    []published // what is in each of the users' inboxes
	readers followers   // of the users, connected throughout
}

func (s *system) startNode(t *testing.T) {
	t.Helper()
	s.node = start(t, "tidings", "node", "--data", filepath.Join(s.data, "store"), "--listen", s.storeListen)
	s.store = "esdb://" + s.node.says(t, "ready esdb://")
}

func (s *system) startPostgres(t *testing.T) {
	t.Helper()
	s.postgres = start(t, "tidings", "postgres", "--data", filepath.Join(s.data, "postgres"))
	s.database = "postgres" + s.postgres.says(t, "postgres")
}

// withoutReadModel starts an API before any projector has made a table.
func (s *system) withoutReadModel(ctx context.Context, t *testing.T) {
	t.Helper()
	s.startNode(t)
	s.startPostgres(t)
	s.api, s.url = s.program(t, "api")
	eventually(ctx, t, readyDeadline, "the API sees the event store", func() error {
		return s.check(ctx, s.url, "eventstore", "ready", "")
	})
	if err := s.check(ctx, s.url, "database", "away", "no projector has begun"); err != nil {
		t.Error(err)
	}
	s.publish(ctx, t, "user:ann", "user:bob")
	s.questionsAreRefused(ctx, t)
	s.newStreamsAreBusy(ctx, t)

	s.projector, s.projectorURL = s.program(t, "projector")
	untilReady(t, s.projector, s.projectorURL)
	untilReady(t, s.api, s.url)
	s.inboxesAreRight(ctx, t)
}

// withoutPostgres takes Postgres away for as long as it takes to see what still works.
func (s *system) withoutPostgres(ctx context.Context, t *testing.T) {
	t.Helper()
	s.readers = follow(ctx, t, s.url, s.users)
	for _, user := range s.users {
		s.command(ctx, t, http.MethodPut, "/v1/users/"+user+"/subscriptions/builds", "")
	}
	absent := &Reader{URL: s.url, User: "ann", From: "earliest"}
	leave := visit(ctx, t, absent)
	s.publish(ctx, t, "topic:builds")
	append(slices.Clone(s.readers), absent).mustReceive(ctx, t, s.want)
	leave()

	killed := time.Now()
	s.postgres.kill()
	for range 5 {
		s.publish(ctx, t, "topic:builds")
	}
	s.command(ctx, t, http.MethodPut, "/v1/users/carol/subscriptions/builds", "")
	s.command(ctx, t, http.MethodPost, "/v1/users/ann/inbox/read", `{"through":"`+s.want[0].Position+`"}`)
	s.waitsInVain(ctx, t)
	s.readers.mustReceive(ctx, t, s.want)
	t.Logf("live without Postgres: had everything %s after it was killed", time.Since(killed).Round(time.Millisecond))
	s.questionsAreRefused(ctx, t)
	s.newStreamsAreBusy(ctx, t)
	visit(ctx, t, absent) // it is told to come back later until it need not be
	for name, err := range map[string]error{
		"the API":      s.check(ctx, s.url, "database", "away", ""),
		"its log":      succeeds(ctx, s.url+"/v1/audit/events?limit=1"),
		"its liveness": succeeds(ctx, s.url+"/livez"),
	} {
		if err != nil {
			t.Errorf("%s without Postgres: %v", name, err)
		}
	}
	eventually(ctx, t, recovery, "the projector says that Postgres is away", func() error {
		return s.check(ctx, s.projectorURL, "inbox", "away", "database")
	})

	before := s.database
	s.startPostgres(t)
	back := time.Now()
	if s.database != before {
		t.Fatalf("the database is now at %s, and was at %s", s.database, before)
	}
	s.inboxesAreRight(ctx, t)
	t.Logf("caught up %s after Postgres was back", time.Since(back).Round(time.Millisecond))
	absent.mustHave(ctx, t, s.want)
	untilReady(t, s.api, s.url)
	untilReady(t, s.projector, s.projectorURL)
	s.nothingElseEnded(t)
}

// withoutStore kills the event store under many publishers, each of which repeats what was not done, with its key,
// until it is.
func (s *system) withoutStore(ctx context.Context, t *testing.T) {
	t.Helper()
	crowd := &crowd{url: s.url, enough: make(chan struct{})}
	group, publishing := errgroup.WithContext(ctx)
	for n := range publishers {
		group.Go(func() error { return crowd.publish(publishing, n) })
	}
	select {
	case <-crowd.enough:
	case <-publishing.Done():
		t.Fatal(group.Wait())
	}
	killed := time.Now()
	s.node.kill()
	outage := time.After(storeOutage)
	eventually(ctx, t, promptly, "the API says that the store is away", func() error {
		return s.check(ctx, s.url, "eventstore", "away", "")
	})
	eventually(ctx, t, promptly, "the projector says that the store is away", func() error {
		return s.check(ctx, s.projectorURL, "eventstore", "away", "")
	})
	s.commandsAreRefused(ctx, t)
	s.inboxAnswers(ctx, t)
	guest := &Reader{URL: s.url, User: "bob"}
	visit(ctx, t, guest)
	if err := guest.Connected(ctx); err != nil {
		t.Errorf("a new stream without the store: %v", err)
	}
	select {
	case <-outage:
	case <-publishing.Done():
		t.Fatal(group.Wait())
	}

	s.startNode(t)
	back := time.Now()
	eventually(ctx, t, recovery, "commands work again", func() error {
		return s.try(ctx, http.MethodPut, "/v1/users/dora/subscriptions/builds", "")
	})
	t.Logf("commands worked %s after the store was back, %s after it was killed",
		time.Since(back).Round(time.Millisecond), time.Since(killed).Round(time.Millisecond))
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("of %d publishes %d were refused and %d in doubt before they were done",
		len(crowd.done), crowd.refused.Load(), crowd.doubted.Load())
	if crowd.doubted.Load() == 0 {
		t.Error("no publisher was told outcome_unknown, though the store was away for longer than appends are tried")
	}
	s.want = append(s.want, crowd.done...)
	s.publish(ctx, t, "topic:builds")
	s.readers.mustReceive(ctx, t, s.want)
	s.inboxesAreRight(ctx, t)
	for _, r := range s.readers {
		if _, connections := r.Count(); connections != 1 {
			t.Errorf("the stream of %s had %d connections, want the one that it began with", r.User, connections)
		}
	}
	untilReady(t, s.api, s.url)
	untilReady(t, s.projector, s.projectorURL)
	s.nothingElseEnded(t)
}

const (
	publishers      = 16
	publishesOfEach = 8
	publishesFirst  = 40 // before the store is killed
)

// crowd are publishers, and what became of their publishes.
type crowd struct {
	url              string
	enough           chan struct{} // closed when publishesFirst are done
	refused, doubted atomic.Int64

	count atomic.Int64
	done  []published // by all, in no order; each has its part
	parts [publishers][]published
	left  atomic.Int64
}

// publish is one of them.
func (c *crowd) publish(ctx context.Context, n int) error {
	for i := range publishesOfEach {
		one, err := c.insist(ctx, fmt.Sprintf("bad-day-%d-%d", n, i))
		if err != nil {
			return err
		}
		c.parts[n] = append(c.parts[n], one)
		if c.count.Add(1) == publishesFirst {
			close(c.enough)
		}
	}
	if c.left.Add(1) == publishers { // the last one gathers
		for _, part := range c.parts {
			c.done = append(c.done, part...)
		}
	}
	return nil
}

// insist publishes with a key until it is told that it is done.
func (c *crowd) insist(ctx context.Context, key string) (published, error) {
	var promised string // the id that the notification has, if it was done
	for {
		a, err := send(ctx, http.MethodPost, c.url+"/v1/notifications", `{"to":["topic:builds"],"title":"`+key+`"}`, "Idempotency-Key", key)
		switch {
		case err != nil:
			return published{}, err
		case a.took > commandDeadline:
			return published{}, fmt.Errorf("%s was held for %s, want at most %s: %s", key, a.took, commandDeadline, a.text)
		case a.status == http.StatusAccepted && promised != "" && a.ID != promised:
			return published{}, fmt.Errorf("%s became %s, and was to become %s", key, a.ID, promised)
		case a.status == http.StatusAccepted:
			return a.published, nil
		case a.is503("outcome_unknown") && a.ID != "":
			c.doubted.Add(1)
			promised = a.ID
		case a.is503("store_unavailable"):
			c.refused.Add(1)
		default:
			return published{}, fmt.Errorf("%s: got %d %s, want it done, refused or in doubt", key, a.status, a.text)
		}
		select {
		case <-ctx.Done():
			return published{}, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond): // what Retry-After says would make the test longer
		}
	}
}

// publish sends a notification to the users, which must be taken at once.
func (s *system) publish(ctx context.Context, t *testing.T, to ...string) {
	t.Helper()
	began := time.Now()
	s.want = append(s.want, publish(ctx, t, s.url, to...))
	if took := time.Since(began); took > promptly {
		t.Errorf("a publish took %s, want at most %s", took, promptly)
	}
}

// command sends one that must be done at once.
func (s *system) command(ctx context.Context, t *testing.T, method, path, body string) {
	t.Helper()
	if err := s.try(ctx, method, path, body); err != nil {
		t.Error(err)
	}
}

func (s *system) try(ctx context.Context, method, path, body string) error {
	a, err := send(ctx, method, s.url+path, body)
	if err != nil {
		return err
	}
	if a.status >= http.StatusMultipleChoices || a.took > promptly {
		return fmt.Errorf("%s %s: got %d after %s, want it done within %s: %s", method, path, a.status, a.took, promptly, a.text)
	}
	return nil
}

// waitsInVain publishes with a preference that cannot be met: the command stands, and says no more than that.
func (s *system) waitsInVain(ctx context.Context, t *testing.T) {
	t.Helper()
	a, err := send(ctx, http.MethodPost, s.url+"/v1/notifications", `{"to":["topic:builds"],"title":"wait"}`, "Prefer", "wait=1")
	if err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusAccepted || a.header.Get("Preference-Applied") != "" || a.took > time.Second+promptly {
		t.Errorf("a publish that waits without Postgres: got %d %v after %s, want 202 after about a second: %s",
			a.status, a.header, a.took, a.text)
	}
	s.want = append(s.want, a.published)
}

// questionsAreRefused asks every kind of question while there is nothing to answer from.
func (s *system) questionsAreRefused(ctx context.Context, t *testing.T) {
	t.Helper()
	last := s.want[len(s.want)-1]
	group, ctx := errgroup.WithContext(ctx)
	for _, path := range []string{
		"/v1/users/ann/inbox", "/v1/users/ann/inbox?wait_for=" + last.Position, "/v1/users/ann/inbox/counts",
		"/v1/users/ann/subscriptions", "/v1/topics", "/v1/topics/builds", "/v1/topics/builds/subscribers", "/v1/notifications/" + last.ID,
	} {
		group.Go(func() error {
			a, err := send(ctx, http.MethodGet, s.url+path, "")
			if err == nil && (!a.is503("database_unavailable") || a.took > questionDeadline) {
				t.Errorf("%s: got %d after %s, want 503 database_unavailable with Retry-After within %s: %s",
					path, a.status, a.took, questionDeadline, a.text)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// commandsAreRefused sends every kind of command while the store is known to be away.
func (s *system) commandsAreRefused(ctx context.Context, t *testing.T) {
	t.Helper()
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range []struct{ method, path, body string }{
		{http.MethodPut, "/v1/users/ann/subscriptions/other", ""},
		{http.MethodDelete, "/v1/users/ann/subscriptions/builds", ""},
		{http.MethodPost, "/v1/notifications", `{"to":["topic:builds"],"title":"never"}`},
		{http.MethodPost, "/v1/notifications/batch", `{"notifications":[{"to":["topic:builds"],"title":"never"}]}`},
		{http.MethodDelete, "/v1/notifications/" + s.want[0].ID, ""},
		{http.MethodPost, "/v1/users/ann/inbox/delete", `{"ids":["` + s.want[0].ID + `"]}`},
		{http.MethodPost, "/v1/topics/builds/subscribers", `{"remove":["ann"]}`},
	} {
		group.Go(func() error {
			a, err := send(ctx, c.method, s.url+c.path, c.body)
			if err == nil && (!a.is503("store_unavailable") || a.took > promptly) {
				t.Errorf("%s %s: got %d after %s, want 503 store_unavailable with Retry-After within %s: %s",
					c.method, c.path, a.status, a.took, promptly, a.text)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// inboxAnswers asks for what is in the read model.
func (s *system) inboxAnswers(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, path := range []string{"/v1/users/ann/inbox", "/v1/users/ann/inbox/counts", "/v1/topics/builds/subscribers"} {
		if err := s.try(ctx, http.MethodGet, path, ""); err != nil {
			t.Error(err)
		}
	}
}

// newStreamsAreBusy opens a stream that cannot be served.
func (s *system) newStreamsAreBusy(ctx context.Context, t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, questionDeadline)
	defer cancel()
	for _, from := range []string{"", "?last_event_id=earliest", "?history=5"} {
		if err := busy(ctx, s.url+"/v1/users/ann/inbox/stream"+from); err != nil {
			t.Errorf("a new stream%s: %v", from, err)
		}
	}
}

// busy is nil if a stream is told to come back later, and ends.
func busy(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	stream := NewDecoder(response.Body)
	event, err := stream.Next()
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || event.Name != "busy" || event.ID != "" || stream.Retry == 0 {
		return fmt.Errorf("got %d %+v with retry %s, want busy with a time to retry", response.StatusCode, event, stream.Retry)
	}
	if event, err = stream.Next(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("got %+v, %w after busy, want the end", event, err)
	}
	return nil
}

// inboxesAreRight waits until the inbox of each user is what it must be: everything once, newest first.
func (s *system) inboxesAreRight(ctx context.Context, t *testing.T) {
	t.Helper()
	want := slices.Clone(s.want)
	slices.SortFunc(want, func(a, b published) int { return cmp.Compare(b.at(), a.at()) })
	for _, user := range s.users {
		var got []published
		eventually(ctx, t, 3*recovery, "the inbox of "+user+" answers", func() (err error) {
			got, err = inboxOf(ctx, s.url, user, want[0].Position)
			return err
		})
		if !slices.Equal(got, want) {
			t.Errorf("the inbox of %s: got %d items %v, want %d %v", user, len(got), got, len(want), want)
		}
	}
}

// at is the position as a number.
func (p published) at() uint64 {
	at, err := strconv.ParseUint(p.Position, 10, 64)
	if err != nil {
		panic(err) // the API's promise, broken
	}
	return at
}

// inboxOf walks a user's whole inbox as of a position or later.
func inboxOf(ctx context.Context, url, user, position string) ([]published, error) {
	var all []published
	for cursor := ""; ; {
		var page struct {
			Items      []published `json:"items"`
			NextCursor string      `json:"next_cursor"`
		}
		address := url + "/v1/users/" + user + "/inbox?limit=100&wait_for=" + position + "&cursor=" + cursor
		if err := ask(ctx, http.MethodGet, address, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// nothingElseEnded holds the others to having outlived it all.
func (s *system) nothingElseEnded(t *testing.T) {
	t.Helper()
	for _, p := range []*program{s.node, s.postgres, s.api, s.projector} {
		select {
		case <-p.ended:
			t.Errorf("%s has ended: %v\n%s", p.name, p.exit, p.err.String())
		default:
		}
	}
}

// check is nil if /readyz says that of a dependency, and of the whole what follows from it.
func (s *system) check(ctx context.Context, url, name, state, reason string) error {
	a, err := send(ctx, http.MethodGet, url+"/readyz", "")
	if err != nil {
		return err
	}
	var said struct {
		Checks map[string]struct {
			State  string `json:"state"`
			Reason string `json:"reason"`
		} `json:"checks"`
	}
	if err := json.Unmarshal([]byte(a.text), &said); err != nil {
		return err
	}
	got := said.Checks[name]
	if got.State != state || !strings.Contains(got.Reason, reason) || state == "away" && a.status != http.StatusServiceUnavailable {
		return fmt.Errorf("/readyz answers %d %s, want %s %s because of %q", a.status, a.text, name, state, reason)
	}
	return nil
}

// visit has a reader read until the test is over or the visit is ended, which waits for that.
func visit(ctx context.Context, t *testing.T, r *Reader) (leave func()) {
	t.Helper()
	ctx, stop := context.WithCancel(ctx)
	over := make(chan error, 1)
	go func() { over <- r.Run(ctx); close(over) }()
	leave = func() {
		stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(leave)
	return leave
}

// mustHave waits until a reader has every notification, and holds it to once and in order.
func (r *Reader) mustHave(ctx context.Context, t *testing.T, want []published) {
	t.Helper()
	followers{r}.mustReceive(ctx, t, want)
}

// answer is what the API said, and how long that took.
type answer struct {
	published

	status int
	header http.Header
	code   string // of a problem
	text   string
	took   time.Duration
}

// is503 says whether it is a refusal of this code that says when to try again.
func (a answer) is503(code string) bool {
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	return a.status == http.StatusServiceUnavailable && a.code == code && err == nil && seconds > 0
}

// send sends one request and takes any answer.
func send(ctx context.Context, method, url, body string, header ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for pair := range slices.Chunk(header, 2) {
		request.Header.Set(pair[0], pair[1])
	}
	began := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: response.StatusCode, header: response.Header, text: string(text), took: time.Since(began)}
	var said struct {
		published

		Code string `json:"code"`
	}
	if strings.Contains(response.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(text, &said); err != nil {
			return answer{}, fmt.Errorf("%s %s: %w: %s", method, url, err, text)
		}
	}
	a.published, a.code = said.published, said.Code
	return a, nil
}

// succeeds is nil if a question is answered.
func succeeds(ctx context.Context, url string) error {
	a, err := send(ctx, http.MethodGet, url, "")
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("got %d %s", a.status, a.text)
	}
	return err
}

// eventually asks again and again until the answer is nil.
func eventually(ctx context.Context, t *testing.T, within time.Duration, what string, ask func() error) {
	t.Helper()
	late := time.After(within)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for err := ask(); err != nil; err = ask() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("not within %s: %s: %v", within, what, err)
		case <-ctx.Done():
			t.Fatalf("%s: %v: %v", what, context.Cause(ctx), err)
		}
	}
}
