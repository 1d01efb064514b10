package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidings-io/tidings/internal/workload"
)

var long = flag.Bool("soak", false, "run TestSoak: a real history, several minutes")

// The published workload and outcome lie beside the repository, not in it.
const (
	publishedWorkload = "../../../shared/data/charts.ndjson.gz"
	publishedOutcome  = "../../../shared/data/charts.expected.json"
)

// TestSoak imports six years of a real history with 200 readers, undisturbed within 90 s and killed three times.
func TestSoak(t *testing.T) { // not parallel: it measures the whole machine
	if !*long {
		t.Skip("takes minutes: make soak runs it")
	}
	history := torture{file: publishedWorkload, expected: publishedOutcome, readers: 200}
	if _, err := os.Stat(history.file); errors.Is(err, fs.ErrNotExist) {
		t.Log("the published workload is not beside this repository; a generated one of its size stands for it")
		history.generate(t, workload.DefaultPublishes, workload.DefaultUsers, workload.DefaultTopics)
	}
	t.Run("undisturbed within 90 s", func(t *testing.T) {
		undisturbed := history
		undisturbed.limit = 90 * time.Second
		undisturbed.run(t)
	})
	t.Run("killed three times", func(t *testing.T) {
		killed := history
		killed.kills = 3
		killed.run(t)
	})
}

// TestShortSoak does the same with a small generated workload.
func TestShortSoak(t *testing.T) { // not parallel: it starts whole systems, one after the other
	if testing.Short() {
		t.Skip("starts whole systems")
	}
	var small torture
	small.readers = 60
	small.generate(t, 2000, 300, 50)
	t.Run("undisturbed", func(t *testing.T) { small.run(t) })
	t.Run("killed three times", func(t *testing.T) {
		killed := small
		killed.kills = 3
		killed.run(t)
	})
}

// torture is one run of a workload against `tidings dev`.
type torture struct {
	file     string // the workload
	expected string // its outcome
	readers  int    // how many of the users with the largest inboxes read along
	kills    int    // how often the process is killed during the import
	limit    time.Duration
}

// generate makes the workload with the program that does.
func (s *torture) generate(t *testing.T, publishes, users, topics int) {
	t.Helper()
	seed := rand.Uint64()
	s.file = filepath.Join(t.TempDir(), "workload.ndjson.gz")
	s.expected = s.file + ".expected.json"
	t.Log(run(t, "tidings", "workload", "--seed", strconv.FormatUint(seed, 10), "--publishes", strconv.Itoa(publishes),
		"--users", strconv.Itoa(users), "--topics", strconv.Itoa(topics), "--out", s.file), "seed ", seed)
}

// deadline ends a run that hangs, with room for a slow machine.
const deadline = 10 * time.Minute

func (s *torture) run(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), deadline, errors.New("the run took too long"))
	defer cancel()
	w, err := workload.Open(s.file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := workload.OpenOutcome(s.expected)
	if err != nil {
		t.Fatal(err)
	}
	house := newHouse(t)
	readers := follow(ctx, t, house.url, largest(w, s.readers))

	began := time.Now()
	report := s.load(ctx, t, house, w, want)
	took := time.Since(began)
	t.Logf("import and verification took %s; %d attempts were repeated", took.Round(time.Millisecond), report.Retries)
	if s.limit > 0 && took > s.limit {
		t.Errorf("import and verification took %s, want at most %s", took, s.limit)
	}
	t.Log(run(t, "tidings", "import", s.file, "--url", house.url, "--verify", s.expected)) // nothing is left to do

	readers.check(ctx, t, house.url, w, report.Notifications)
	house.dev.stop(t)
}

// house is a `tidings dev` with its directory and addresses, which outlive the process.
type house struct {
	t                  *testing.T
	data, listen, node string
	url                string
	dev                *program
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, data: t.TempDir(), listen: freeAddress(t), node: freeAddress(t)}
	h.up()
	return h
}

func (h *house) up() {
	h.t.Helper()
	began := time.Now()
	h.dev = start(h.t, "tidings", "dev", "--data", h.data, "--listen", h.listen, "--store-listen", h.node)
	h.url = h.dev.says(h.t, "ready ")
	h.t.Logf("ready at %s after %s", h.url, time.Since(began).Round(time.Millisecond))
}

// load imports and verifies, killing the process on the way if it is to.
func (s *torture) load(ctx context.Context, t *testing.T, h *house, w *workload.Workload, want *workload.Outcome) *workload.Report {
	t.Helper()
	server := &workload.Server{URL: h.url, Client: workload.NewClient()}
	plan := s.plan(t, len(w.Ops))
	moments := make(chan int, len(plan)+1)
	imported := make(chan struct{})
	var report *workload.Report
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(imported)
		work := workload.Import{Workload: w, Server: server, Progress: func(done, _ int) {
			for len(plan) > 0 && done >= plan[0] {
				moments <- done
				plan = plan[1:]
			}
		}}
		var err error
		report, err = work.Run(ctx)
		return err
	})
	h.killAt(moments, imported)
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	verify(ctx, t, &workload.Verification{
		Workload: w, Server: server, Want: want, Notifications: report.Notifications, Last: report.Last,
	})
	return report
}

// killAt kills the process and starts it again at each moment, until the import is done and none is left.
func (h *house) killAt(moments <-chan int, imported <-chan struct{}) {
	h.t.Helper()
	for {
		select {
		case line := <-moments:
			h.t.Logf("killed with %d lines done", line)
			h.dev.kill()
			h.up()
		case <-imported:
			if len(moments) == 0 {
				return
			}
		}
	}
}

// plan chooses after how many lines the process is killed.
func (s *torture) plan(t *testing.T, lines int) []int {
	t.Helper()
	if s.kills == 0 {
		return nil
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	var plan []int
	for range s.kills {
		plan = append(plan, lines/50+random.IntN(lines*9/10))
	}
	slices.Sort(plan)
	t.Logf("seed %d: killed after %v of %d lines", seed, plan, lines)
	return plan
}

func verify(ctx context.Context, t *testing.T, v *workload.Verification) {
	t.Helper()
	verdict, err := v.Run(context.WithoutCancel(ctx)) // the group that imported has ended its context
	if err != nil {
		t.Fatal(err)
	}
	for _, difference := range verdict.Differences {
		t.Error(difference)
	}
	if verdict.Omitted > 0 {
		t.Errorf("and %d differences more", verdict.Omitted)
	}
	t.Logf("%d items read in %s, sha256 %s", verdict.Items, verdict.Took.Round(time.Millisecond), verdict.Got.Hash)
}

// largest returns the users with the largest inboxes.
func largest(w *workload.Workload, n int) []string {
	inboxes := workload.Expect(w.Ops).Inboxes
	var users []string
	for user := range inboxes {
		users = append(users, user)
	}
	slices.SortFunc(users, func(a, b string) int {
		if more := len(inboxes[b]) - len(inboxes[a]); more != 0 {
			return more
		}
		return strings.Compare(a, b)
	})
	return users[:min(n, len(users))]
}

// followers are readers of one run.
type followers []*Reader

// follow connects a reader for each user, from the beginning of its history, and waits until all are.
func follow(ctx context.Context, t *testing.T, url string, users []string) followers {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 2 * len(users), ResponseHeaderTimeout: 15 * time.Second,
	}}
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	t.Cleanup(func() {
		stop()
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
		client.CloseIdleConnections()
	})
	var all followers
	for _, user := range users {
		r := &Reader{URL: url, User: user, From: "earliest", Client: client}
		all = append(all, r)
		group.Go(func() error { return r.Run(ctx) })
	}
	for _, r := range all {
		if err := r.Connected(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// check ends the history with one notification to every reader. When that has come, nothing that should not be there
// can still be on its way; then each must have its items once, in order.
func (f followers) check(ctx context.Context, t *testing.T, url string, w *workload.Workload, notifications map[string]string) {
	t.Helper()
	byPublish := make(map[string]string, len(notifications))
	for id, publish := range notifications {
		byPublish[publish] = id
	}
	last := map[string]string{} // by user
	for some := range slices.Chunk(f, 100) {
		id := announce(ctx, t, url, some)
		for _, r := range some {
			last[r.User] = id
		}
	}
	inboxes := workload.Expect(w.Ops).Inboxes
	var items, connections int
	var told atomic.Int64
	for _, r := range f {
		if err := r.Received(ctx, last[r.User]); err != nil {
			t.Error(err)
		}
		want := []string{last[r.User]}
		for _, publish := range inboxes[r.User] {
			want = append(want, byPublish[publish])
		}
		for _, wrong := range r.Wrong(want) {
			if told.Add(1) <= 40 {
				t.Error(wrong)
			}
		}
		n, c := r.Count()
		items, connections = items+n, connections+c
	}
	t.Logf("%d readers got %d items over %d connections; %d things were wrong", len(f), items, connections, told.Load())
}

// announce sends one notification to up to 100 readers and returns its id.
func announce(ctx context.Context, t *testing.T, url string, readers []*Reader) string {
	t.Helper()
	to := make([]string, len(readers))
	for i, r := range readers {
		to[i] = "user:" + r.User
	}
	return publish(ctx, t, url, to...).ID
}

// published is what the API says of a notification.
type published struct {
	ID       string `json:"id"`
	Position string `json:"position"`
}

// publish sends a notification.
func publish(ctx context.Context, t *testing.T, url string, to ...string) published {
	t.Helper()
	body, err := json.Marshal(map[string]any{"to": to, "title": "the end"})
	if err != nil {
		t.Fatal(err)
	}
	var answer published
	call(ctx, t, http.MethodPost, url+"/v1/notifications", body, &answer)
	return answer
}

// call sends one request that must succeed and decodes its answer.
func call(ctx context.Context, t *testing.T, method, url string, body []byte, into any) {
	t.Helper()
	if err := ask(ctx, method, url, body, into); err != nil {
		t.Fatal(err)
	}
}

func ask(ctx context.Context, method, url string, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: got %d %s", method, url, response.StatusCode, text)
	}
	return json.Unmarshal(text, into)
}
