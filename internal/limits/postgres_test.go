package limits

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidings-io/tidings/internal/postgres"
)

// patience is far above what anything here takes on a busy machine.
const patience = 30 * time.Second

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for until := time.Now().Add(patience); !ok(); <-ticker.C {
		if time.Now().After(until) {
			t.Fatalf("it does not come about: %s", what)
		}
	}
}

func pool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	p, err := pgxpool.New(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// ask is the one text that a statement answers.
func ask(t *testing.T, p *pgxpool.Pool, sql string) (answer string) {
	t.Helper()
	if err := p.QueryRow(context.Background(), sql).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return answer
}

// start runs an instance until the test ends, or stop is called.
func start(t *testing.T, o Options) instance {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	i := instance{Limiter: New(o)}
	done := make(chan error)
	go func() { done <- i.Run(ctx) }()
	i.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(i.stop)
	return i
}

func swap(t *testing.T, e Exchange, r Report) News {
	t.Helper()
	news, err := e.Swap(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return news
}

func TestPostgresKeepsThePromisesOfAnExchange(t *testing.T) {
	t.Parallel()
	p := pool(t, postgres.Fresh(t))
	e := Postgres(p)
	ann, today := nameOf("user-commands", "ann"), dayOf(time.Now())
	spender := Spender{ann, today}

	first := swap(t, e, Report{Instance: "a", Busy: map[Name]float64{ann: 12.5}, Cut: 0.5, Spent: []Spending{{spender, 3}, {Spender{ann, today - 1}, 0}}})
	if len(first.Others) != 0 || len(first.Spent) != 2 || first.Spent[0] != 3 || first.Spent[1] != 0 {
		t.Errorf("alone: got %+v, want no others, and 3 and 0 spent", first)
	}
	second := swap(t, e, Report{Instance: "b", Spent: []Spending{{spender, 4}}, Busy: map[Name]float64{}})
	if len(second.Others) != 1 || second.Others[0].Busy[ann] != 12.5 || second.Others[0].Cut != 0.5 || second.Spent[0] != 7 {
		t.Errorf("the second: got %+v, want what the first told, and 7 spent", second)
	}
	if !second.Others[0].At.Before(first.At) {
		t.Errorf("got a beat at %v and readable at %v: want it to have begun before", second.Others[0].At, first.At)
	}
	if got, err := e.Spent(t.Context(), spender); got != 7 || err != nil {
		t.Errorf("spent: got %d, %v, want 7", got, err)
	}
	if got, err := e.Spent(t.Context(), Spender{ann, today + 1}); got != 0 || err != nil {
		t.Errorf("spent tomorrow: got %d, %v, want 0", got, err)
	}
	// An old one is gone, and one that left.
	ask(t, p, "with old as (update limits.instances set beat = beat - interval '4 seconds' where instance = 'a' returning 1) select count(*)::text from old")
	if news := swap(t, e, Report{Instance: "c", Busy: map[Name]float64{}}); len(news.Others) != 1 {
		t.Errorf("when one is old: got %d others, want 1", len(news.Others))
	}
	if err := e.Leave(t.Context(), "b"); err != nil {
		t.Error(err)
	}
	if news := swap(t, e, Report{Instance: "c", Busy: map[Name]float64{}}); len(news.Others) != 0 {
		t.Errorf("when one has left: got %d others, want none", len(news.Others))
	}
	if got := ask(t, p, "select string_agg(relname || relpersistence::text, ' ' order by relname) from pg_class where relnamespace = 'limits'::regnamespace and relkind = 'r'"); got != "instancesu quotasp" {
		t.Errorf("got tables %s, want instances unlogged and quotas not", got)
	}
}

func TestPostgresIsCleaned(t *testing.T) {
	t.Parallel()
	p := pool(t, postgres.Fresh(t))
	today := dayOf(time.Now())
	for day := today - 4; day <= today; day++ {
		swap(t, Postgres(p), Report{Instance: "a", Busy: map[Name]float64{}, Spent: []Spending{{Spender{Name{}, day}, 1}}})
	}
	ask(t, p, "with old as (update limits.instances set beat = beat - interval '61 seconds' returning 1) select count(*)::text from old")
	swap(t, Postgres(p), Report{Instance: "b", Busy: map[Name]float64{}}) // a fresh one cleans at once
	if got, want := ask(t, p, "select string_agg(instance, ' ') from limits.instances"), "b"; got != want {
		t.Errorf("got instances %s, want %s", got, want)
	}
	if got, want := ask(t, p, "select count(*)::text from limits.quotas"), "3"; got != want {
		t.Errorf("got %s days kept, want %s", got, want)
	}
}

func TestTablesAreMadeOnceHoweverManyBegin(t *testing.T) {
	t.Parallel()
	url := postgres.Fresh(t)
	var wg sync.WaitGroup
	for i := range 12 {
		e := Postgres(pool(t, url))
		wg.Go(func() {
			r := Report{Instance: string(rune('a' + i)), Busy: map[Name]float64{}, Spent: []Spending{{Spender{Name{byte(i % 2)}, 1}, 1}, {Spender{Name{byte(1 - i%2)}, 1}, 1}}}
			if _, err := e.Swap(context.Background(), r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	p := pool(t, url)
	if got, want := ask(t, p, "select count(*)::text from limits.instances"), "12"; got != want {
		t.Errorf("got %s instances, want %s", got, want)
	}
	// Made again when they are gone, after the one fault that shows it.
	e := Postgres(p)
	swap(t, e, Report{Instance: "z", Busy: map[Name]float64{}})
	if _, err := p.Exec(t.Context(), "drop schema limits cascade"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the tables are made again", func() bool {
		_, err := e.Spent(t.Context(), Spender{})
		return err == nil
	})
}

func TestInstancesMeetInPostgres(t *testing.T) {
	t.Parallel()
	url := postgres.Fresh(t)
	o := commands(perSecond)
	o.DailyQuota = 10
	o.Exchange = Postgres(pool(t, url))
	a := start(t, o)
	o.Exchange = Postgres(pool(t, url))
	b := start(t, o)
	part := func(i instance) int64 { return int64(i.floorShare() * 100) }
	eventually(t, "each knows of the other", func() bool { return part(a) == 50 && part(b) == 50 })

	a.Spend("ci", 10)
	eventually(t, "the other hears what was spent", func() bool { return !b.Spend("ci", 1).OK })
	// One-sided: a flood takes the whole limit once the other has read of it.
	eventually(t, "all of the limit is where the flood is", func() bool {
		a.Take(User, "ann@example.org", Commands)
		for i := range a.shards {
			s := &a.shards[i]
			s.mu.Lock()
			for _, at := range s.index {
				if s.all[at].share > 0.9 {
					s.mu.Unlock()
					return true
				}
			}
			s.mu.Unlock()
		}
		return false
	})
	p := pool(t, url)
	eventually(t, "it is told", func() bool { return ask(t, p, "select count(*)::text from limits.instances where busy <> '{}'") != "0" })
	if got := ask(t, p, "select coalesce(string_agg(i::text, ' '), '') || (select coalesce(string_agg(q::text, ' '), '') from limits.quotas q) from limits.instances i"); strings.Contains(got, "ann") || strings.Contains(got, "example") {
		t.Errorf("a name is in the tables in clear: %s", got)
	}
	b.stop()
	if got, want := ask(t, p, "select count(*)::text from limits.instances"), "1"; got != want {
		t.Errorf("after a clean stop: got %s instances, want %s", got, want)
	}
	eventually(t, "the other knows that it is alone", func() bool { return part(a) == 100 })
}

func TestItGoesOnWithoutPostgresAndWithItAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := postgres.Start(t.Context(), postgres.Options{Dir: dir, TCP: true})
	if err != nil {
		t.Fatal(err)
	}
	o := commands(perSecond)
	o.DailyQuota = 100
	var both [2]instance
	for i := range both {
		o.Exchange = Postgres(pool(t, server.URL()))
		both[i] = start(t, o)
	}
	known := func(i instance) bool { return i.floorShare() == 0.5 }
	eventually(t, "each knows of the other", func() bool { return known(both[0]) && known(both[1]) })
	both[0].Spend("ci", 40)
	eventually(t, "the other hears what was spent", func() bool { return both[1].Spend("ci", 0).Remaining == 60 })

	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	away := func(i instance) bool {
		i.quotas.mu.Lock()
		defer i.quotas.mu.Unlock()
		return i.quotas.away
	}
	eventually(t, "each sees that it is away", func() bool { return away(both[0]) && away(both[1]) })
	for n, i := range both {
		if !known(i) {
			t.Errorf("%d: got a part of %v, want the half last known", n, i.floorShare())
		}
		if got, want := i.Spend("ci", 0).Remaining, int64(30); got != want {
			t.Errorf("%d: got %d left of the quota, want %d", n, got, want)
		}
	}
	if got, want := spent(both[0], "ci"), 30; got != want {
		t.Errorf("got %d let through, want %d", got, want)
	}

	again, err := postgres.Start(t.Context(), postgres.Options{Dir: dir, TCP: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		both[0].stop()
		both[1].stop()
		if err := again.Stop(); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the quota is exchanged again", func() bool { return both[1].Spend("ci", 0).Remaining == 30 && !away(both[0]) })
}
