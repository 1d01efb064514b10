package node_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

func byType(prefixes ...string) *esdb.SubscriptionFilter {
	return &esdb.SubscriptionFilter{Type: esdb.EventFilterType, Prefixes: prefixes}
}

func byStream(prefixes ...string) *esdb.SubscriptionFilter {
	return &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: prefixes}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		filter *esdb.SubscriptionFilter
		want   string
	}{
		"a prefix of the type":             {byType("alp"), "a@0 b@0"},
		"any of some prefixes":             {byType("alp", "be"), "a@0 a@1 b@0"},
		"a prefix of the stream":           {byStream("b"), "b@0 b@1"},
		"prefixes respect upper and lower": {byType("Alp"), ""},
		"a pattern of the type":            {&esdb.SubscriptionFilter{Type: esdb.EventFilterType, Regex: "^(beta|gamma)$"}, "a@1 b@1"},
		"a pattern is not anchored":        {&esdb.SubscriptionFilter{Type: esdb.EventFilterType, Regex: "mm"}, "b@1"},
		"a pattern of the stream":          {&esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Regex: "^[ax]$"}, "a@0 a@1"},
		"no system events":                 {esdb.ExcludeSystemEventsFilter(), "a@0 a@1 b@0 b@1"},
		"system events are seen otherwise": {byStream("$$"), "$$a@0"},
	}
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			s.append(t, "a", "alpha", "beta")
			s.append(t, "$$a", "$metadata")
			s.append(t, "$persistentsubscription-$all::g-checkpoint", "alpha")
			s.append(t, "b", "alpha", "gamma")
			subscription, err := s.client.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.Start{}, Filter: c.filter})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = subscription.Close() }()
			want := strings.TrimSpace(c.want + " checkpoint:6 caught-up")
			if got := hear(t, subscription, "caught-up"); got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		})
	}
}

func TestUnusableFiltersAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, filter := range []*esdb.SubscriptionFilter{
		{Type: esdb.EventFilterType, Regex: "(?=look-ahead)"},
		{Type: esdb.StreamFilterType, Regex: "("},
	} {
		subscription, err := s.client.SubscribeToAll(t.Context(), esdb.SubscribeToAllOptions{From: esdb.Start{}, Filter: filter})
		if err == nil {
			_ = subscription.Close()
			t.Errorf("%q was accepted", filter.Regex)
		}
	}
}

// TestCheckpoints goes on from every checkpoint of a filtered subscription, in history and live, and misses nothing.
func TestCheckpoints(t *testing.T) {
	t.Parallel()
	s := start(t)
	const history, live, window, interval = 104, 56, 4, 2 // both ends fall on a checkpoint, which must not be repeated
	kind := func(i int) string {
		if i%7 == 0 {
			return "wanted"
		}
		return "other"
	}
	for i := range history {
		s.append(t, fmt.Sprint("s", i%3), kind(i))
	}
	options := esdb.SubscribeToAllOptions{
		From: esdb.Start{}, Filter: byType("wanted"), MaxSearchWindow: window, CheckpointInterval: interval,
	}
	subscription, err := s.client.SubscribeToAll(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = subscription.Close() }()
	var words []string
	words = append(words, strings.Fields(hear(t, subscription, "caught-up"))...)
	for i := range live {
		s.append(t, fmt.Sprint("s", i%3), kind(i))
	}
	words = append(words, strings.Fields(hear(t, subscription, fmt.Sprintf("checkpoint:%d", history+live)))...)

	checkpoints, last := 0, uint64(0)
	for i, word := range words {
		var position uint64
		if _, err := fmt.Sscanf(word, "checkpoint:%d", &position); err != nil {
			continue
		}
		checkpoints++
		if position <= last && last != 0 || position == math.MaxUint64 || position > history+live {
			t.Errorf("checkpoint %d after %d", position, last)
		}
		if position > last+window*interval {
			t.Errorf("checkpoint %d after %d: more than %d records apart", position, last, window*interval)
		}
		last = position
		s.resume(t, options, position, words[i+1:])
	}
	if least := (history + live) / (window * interval); checkpoints < least {
		t.Errorf("%d checkpoints, want at least %d", checkpoints, least)
	}
}

// resume expects the events that followed a checkpoint.
func (s *server) resume(t *testing.T, options esdb.SubscribeToAllOptions, from uint64, following []string) {
	t.Helper()
	events := func(words []string) string {
		var only []string
		for _, word := range words {
			if strings.Contains(word, "@") {
				only = append(only, word)
			}
		}
		return strings.Join(only, " ")
	}
	options.From = esdb.Position{Commit: from, Prepare: from}
	subscription, err := s.client.SubscribeToAll(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = subscription.Close() }()
	got, want := events(strings.Fields(hear(t, subscription, "caught-up"))), events(following)
	if got != want {
		t.Errorf("from checkpoint %d: heard %q, want %q", from, got, want)
	}
}

func TestACheckpointOfAnEmptyLogIsTheStart(t *testing.T) {
	t.Parallel()
	s := start(t)
	subscription, err := s.client.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.Start{}, Filter: byType("x")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = subscription.Close() }()
	if got, want := hear(t, subscription, "caught-up"), "checkpoint:0 caught-up"; got != want {
		t.Errorf("heard %q, want %q", got, want)
	}
}

func TestUnfilteredSubscriptionsHaveNoCheckpoints(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 100 {
		s.append(t, "a", "x")
	}
	subscription, err := s.client.SubscribeToAll(context.Background(), esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = subscription.Close() }()
	if got := hear(t, subscription, "caught-up"); strings.Contains(got, "checkpoint") {
		t.Errorf("heard %q", got)
	}
}
