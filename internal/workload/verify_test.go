package workload

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func TestVerificationTellsWhatDiffers(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		tamper func(f *fake, want *Outcome)
		want   []string // a part of each difference, in order
	}{
		"nothing when all is right": {func(*fake, *Outcome) {}, nil},
		"an item that is missing": {
			func(f *fake, _ *Outcome) { f.inboxes["b"] = f.inboxes["b"][1:] },
			[]string{
				"inbox_items: got 4, want 5", "largest_fanout: got 1, want 2", "sha256_of_sorted_user_id_lines: got", "largest_inboxes: got",
				"user b: got no item for publish p1 (line 4), want one",
			},
		},
		"an item that is there twice": {
			func(f *fake, _ *Outcome) {
				f.inboxes["a"] = append(f.inboxes["a"], fakeItem{f.inboxes["a"][0].ID, "999"})
			},
			[]string{
				"inbox_items: got 6, want 5", "largest_fanout: got 3, want 2", "sha256_of_sorted_user_id_lines: got", "largest_inboxes: got",
				"user a: got 2 items for publish p1 (line 4), want one",
			},
		},
		"an item of somebody else": {
			func(f *fake, _ *Outcome) {
				f.inboxes["a"] = append(f.inboxes["a"], fakeItem{"n-p4", "999"})
				f.inboxes["b"] = slices.Delete(f.inboxes["b"], 2, 3)
			},
			[]string{
				"sha256_of_sorted_user_id_lines: got", "largest_inboxes: got",
				"user a: got 1 items for publish p4 (line 8), want none", "user b: got no item for publish p4 (line 8), want one",
			},
		},
		"an item that no line published": {
			func(f *fake, _ *Outcome) { f.inboxes["a"] = append(f.inboxes["a"], fakeItem{"stranger", "999"}) },
			[]string{
				"inbox_items: got 6, want 5", "sha256_of_sorted_user_id_lines: got", "largest_inboxes: got",
				"user a: got 1 items for publish notification stranger (line 0), want none",
			},
		},
		"an inbox out of order": {
			func(f *fake, _ *Outcome) { slices.Reverse(f.inboxes["b"]) },
			[]string{"user b: got item n-p2 at 50 after one at 40, want newest first"},
		},
		"a subscription too many": {
			func(f *fake, _ *Outcome) { f.member[pair{"b", "z"}] = true },
			[]string{"active_subscriptions: got 2, want 1"},
		},
		"an expected outcome of something else": {
			func(_ *fake, want *Outcome) { want.Hash = "0"; want.Subscribes++ },
			[]string{"subscribes: got 3, want 4", "sha256_of_sorted_user_id_lines: got", "the expected outcome is not this workload's"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, v := imported(t)
				c.tamper(f, v.Want)
				verdict, err := v.Run(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if len(verdict.Differences) != len(c.want) {
					t.Fatalf("got differences\n%s\nwant %d like\n%s", strings.Join(verdict.Differences, "\n"), len(c.want), strings.Join(c.want, "\n"))
				}
				for i, want := range c.want {
					if got := verdict.Differences[i]; !strings.Contains(got, want) {
						t.Errorf("got difference %q, want it to say %q", got, want)
					}
				}
			})
		})
	}
}

// imported returns a server that has taken a small workload, ready to be verified.
func imported(t *testing.T) (*fake, *Verification) {
	t.Helper()
	pub := func(id string, topics ...string) Op {
		return Op{Kind: Publish, ID: id, Topics: topics, Sender: "s", Severity: "low", Title: id}
	}
	w, err := sealed([]Op{
		{Kind: Subscribe, User: "a", Topic: "x"},
		{Kind: Subscribe, User: "b", Topic: "x"},
		{Kind: Subscribe, User: "b", Topic: "y"},
		pub("p1", "x", "y"),
		pub("p2", "y"),
		{Kind: Unsubscribe, User: "a", Topic: "x"},
		{Kind: Unsubscribe, User: "b", Topic: "y"},
		pub("p4", "x"),
		pub("p5", "y"),
		pub("p3", "x"),
	})
	if err != nil {
		t.Fatal(err)
	}
	f := newFake(1)
	f.pageMax = 2
	server := f.server()
	report, err := (&Import{Workload: w, Server: server, Concurrency: 1}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Expect(w.Ops).Outcome
	return f, &Verification{Workload: w, Server: server, Want: &want, Notifications: report.Notifications, Last: report.Last}
}

func TestVerificationTellsTheFirstDifferencesAndCountsTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := generated(t, 1, Shape{Publishes: 100, Users: 20, Topics: 5})
		want := Expect(w.Ops).Outcome
		verdict, err := (&Verification{Workload: w, Server: newFake(1).server(), Want: &want}).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := len(verdict.Differences); got != toldDifferences {
			t.Errorf("got %d differences told, want %d", got, toldDifferences)
		}
		if got := len(verdict.Differences) + verdict.Omitted; got <= want.InboxItems {
			t.Errorf("got %d differences, want more than the %d items that are missing", got, want.InboxItems)
		}
	})
}

func TestAnOutcomeIsWrittenAndReadBack(t *testing.T) {
	t.Parallel()
	want := Expect(generated(t, 9, Shape{Publishes: 100, Users: 20, Topics: 5}).Ops).Outcome
	var text strings.Builder
	if err := want.Write(&text); err != nil {
		t.Fatal(err)
	}
	var got Outcome
	if err := strictly([]byte(text.String()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("outcome (-got +want):\n%s", diff)
	}
}
