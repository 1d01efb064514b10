package workload

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Verification compares what a server answers after an import with what it must.
type Verification struct {
	Workload *Workload
	Server   *Server
	Want     *Outcome
	// Notifications and Last are those of the import's Report.
	Notifications map[string]string
	Last          uint64
	// Concurrency is how many users are read at once; 0 means 64.
	Concurrency int
	// Progress is told, when not nil, how many users are read. It is called concurrently.
	Progress func(done, total int)
}

// Verdict is what a verification found.
type Verdict struct {
	Got         Outcome
	Items       int      // read from inboxes
	Differences []string // the first, most general before most particular; none means that all is as it must be
	Omitted     int      // differences beyond those
	Took        time.Duration
}

const toldDifferences = 20 // a screenful

// Run waits until the inboxes have passed the import's last position, reads every inbox and every user's subscriptions
// to their end, and compares each member of the outcome. Each inbox must also be in position order without repeats. A
// topic count is the file's: the API has no way to tell this workload's topics from others.
func (v *Verification) Run(ctx context.Context) (*Verdict, error) {
	began := time.Now()
	names := users(v.Workload.Ops)
	if len(names) > 0 { // wait once, so that not every reader stands in the queue for it
		if _, err := v.Server.subscriptions(ctx, names[0], v.Last); err != nil {
			return nil, err
		}
	}
	read, err := v.readAll(ctx, names)
	if err != nil {
		return nil, err
	}
	verdict := v.judge(names, read)
	verdict.Took = time.Since(began)
	return verdict, nil
}

// userState is what the server says of one user.
type userState struct {
	items  []inboxItem // newest first
	topics int
}

func (v *Verification) readAll(ctx context.Context, names []string) ([]userState, error) {
	read := make([]userState, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cmp.Or(v.Concurrency, defaultConcurrency))
	var done atomic.Int64
	for i, name := range names {
		group.Go(func() error {
			items, err := v.Server.inbox(ctx, name, v.Last)
			if err != nil {
				return err
			}
			topics, err := v.Server.subscriptions(ctx, name, v.Last)
			if err != nil {
				return err
			}
			read[i] = userState{items, topics}
			if n := int(done.Add(1)); v.Progress != nil {
				v.Progress(n, len(names))
			}
			return nil
		})
	}
	return read, group.Wait() // the goroutines' errors say whose inbox it was
}

// judge makes the verdict from what was read.
func (v *Verification) judge(names []string, read []userState) *Verdict {
	must := Expect(v.Workload.Ops)
	got := Outcome{
		Subscribes: must.Outcome.Subscribes, Unsubscribes: must.Outcome.Unsubscribes,
		Publishes: must.Outcome.Publishes, Topics: must.Outcome.Topics,
	}
	verdict := &Verdict{}
	inboxes := map[string][]string{}
	for i, name := range names {
		got.ActiveSubscriptions += read[i].topics
		verdict.Items += len(read[i].items)
		for _, item := range read[i].items {
			inboxes[name] = append(inboxes[name], v.publishOf(item.ID))
		}
	}
	got.countItems(inboxes)
	verdict.Got = got
	verdict.compare(&got, v.Want)
	verdict.compareFile(&must.Outcome, v.Want)
	lines := v.Workload.publishLines()
	for i, name := range names {
		verdict.compareInbox(name, inboxes[name], must.Inboxes[name], lines)
		verdict.checkOrder(name, read[i].items)
	}
	return verdict
}

// publishOf translates a notification's id; one that is not of this workload keeps its own, marked.
func (v *Verification) publishOf(notification string) string {
	if id, ok := v.Notifications[notification]; ok {
		return id
	}
	return foreign + notification
}

// foreign marks notifications that no line of the workload published. Publish ids of generated and published
// workloads have no blanks.
const foreign = "notification "

func (d *Verdict) differ(format string, args ...any) {
	if len(d.Differences) == toldDifferences {
		d.Omitted++
		return
	}
	d.Differences = append(d.Differences, fmt.Sprintf(format, args...))
}

// compare tells each member of the outcome that differs.
func (d *Verdict) compare(got, want *Outcome) {
	g, w := reflect.ValueOf(got).Elem(), reflect.ValueOf(want).Elem()
	for i := range g.NumField() {
		if gi, wi := g.Field(i).Interface(), w.Field(i).Interface(); !reflect.DeepEqual(gi, wi) {
			d.differ("%s: got %v, want %v", g.Type().Field(i).Tag.Get("json"), gi, wi)
		}
	}
}

// compareFile says when the expected outcome is not that of this workload at all.
func (d *Verdict) compareFile(file, want *Outcome) {
	if file.Hash != want.Hash {
		d.differ("the expected outcome is not this workload's: its hash is %s, the workload's is %s", want.Hash, file.Hash)
	}
}

// compareInbox tells which publishes a user lacks, has too often, or should not have.
func (d *Verdict) compareInbox(user string, got, want []string, lines map[string]int) {
	times := make(map[string]int, len(want))
	for _, id := range got {
		times[id]++
	}
	for _, id := range want {
		switch n := times[id]; n {
		case 0:
			d.differ("user %s: got no item for publish %s (line %d), want one", user, id, lines[id])
		case 1:
		default:
			d.differ("user %s: got %d items for publish %s (line %d), want one", user, n, id, lines[id])
		}
		delete(times, id)
	}
	for _, id := range slices.Sorted(maps.Keys(times)) {
		d.differ("user %s: got %d items for publish %s (line %d), want none", user, times[id], id, lines[id])
	}
}

// checkOrder tells an inbox that is not newest first.
func (d *Verdict) checkOrder(user string, items []inboxItem) {
	var above uint64
	for i, item := range items {
		position, err := strconv.ParseUint(item.Position, 10, 64)
		if err != nil {
			d.differ("user %s: got position %q of item %s, want a decimal number", user, item.Position, item.ID)
			return
		}
		if i > 0 && position >= above {
			d.differ("user %s: got item %s at %d after one at %d, want newest first", user, item.ID, position, above)
			return
		}
		above = position
	}
}

// publishLines returns the line of each publish by its id.
func (w *Workload) publishLines() map[string]int {
	lines := map[string]int{}
	for i := range w.Ops {
		if w.Ops[i].Kind == Publish {
			lines[w.Ops[i].ID] = w.Ops[i].Line
		}
	}
	return lines
}
