package workload

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
)

// Outcome is what a system ends with after a workload: totals, and a hash over every item of every inbox.
type Outcome struct {
	Subscribes          int    `json:"subscribes"`   // lines, repeats included
	Unsubscribes        int    `json:"unsubscribes"` // lines, repeats included
	Publishes           int    `json:"publishes"`
	Topics              int    `json:"topics"`
	UsersWithItems      int    `json:"users_with_items"`
	InboxItems          int    `json:"inbox_items"`
	LargestFanout       int    `json:"largest_fanout"`       // recipients of the publish that had most
	ActiveSubscriptions int    `json:"active_subscriptions"` // at the end
	Hash                string `json:"sha256_of_sorted_user_id_lines"`
	// LargestInboxes ranks the five users with most items; equal ones by name.
	LargestInboxes Ranking `json:"largest_inboxes"`
}

const rankedInboxes = 5 // the published format has five

// Ranking is a JSON object whose members keep their order.
type Ranking []Ranked

// Ranked is a user and how many items their inbox holds.
type Ranked struct {
	User  string
	Items int
}

// MarshalJSON writes the members in the ranking's order.
func (r Ranking) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, ranked := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(ranked.User)
		if err != nil {
			return nil, fmt.Errorf("write ranking: %w", err)
		}
		fmt.Fprintf(&b, "%s:%d", name, ranked.Items)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads the members in any order and ranks them.
func (r *Ranking) UnmarshalJSON(text []byte) error {
	var members map[string]int
	if err := json.Unmarshal(text, &members); err != nil {
		return fmt.Errorf("read ranking: %w", err)
	}
	*r = ranked(members)
	return nil
}

func ranked(items map[string]int) Ranking {
	all := make(Ranking, 0, len(items))
	for user, n := range items {
		all = append(all, Ranked{user, n})
	}
	slices.SortFunc(all, func(a, b Ranked) int {
		return cmp.Or(cmp.Compare(b.Items, a.Items), cmp.Compare(a.User, b.User))
	})
	return all
}

// OpenOutcome reads an outcome from a file, strictly.
func OpenOutcome(path string) (*Outcome, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the path is the caller's to choose
	if err != nil {
		return nil, fmt.Errorf("open expected outcome: %w", err)
	}
	var o Outcome
	if err := strictly(text, &o); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &o, nil
}

// Write writes the outcome as JSON, the way published outcomes are laid out.
func (o *Outcome) Write(to io.Writer) error {
	text, err := json.MarshalIndent(o, "", " ")
	if err != nil {
		return fmt.Errorf("write outcome: %w", err)
	}
	if _, err := to.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("write outcome: %w", err)
	}
	return nil
}

// countItems fills in every member that follows from the inboxes: publish ids by user.
func (o *Outcome) countItems(inboxes map[string][]string) {
	sizes := make(map[string]int, len(inboxes))
	fanout := map[string]int{}
	for user, ids := range inboxes {
		if len(ids) == 0 {
			continue
		}
		sizes[user] = len(ids)
		o.UsersWithItems++
		o.InboxItems += len(ids)
		for _, id := range ids {
			fanout[id]++
			o.LargestFanout = max(o.LargestFanout, fanout[id])
		}
	}
	o.LargestInboxes = ranked(sizes)
	o.LargestInboxes = o.LargestInboxes[:min(rankedInboxes, len(o.LargestInboxes))]
	o.Hash = hashInboxes(inboxes)
}

// hashInboxes returns the SHA-256 over the lines "<user> <publish id>\n", sorted by user, then id, bytewise.
func hashInboxes(inboxes map[string][]string) string {
	users := make([]string, 0, len(inboxes))
	for user := range inboxes {
		users = append(users, user)
	}
	slices.Sort(users)
	hash := sha256.New()
	for _, user := range users {
		ids := slices.Sorted(slices.Values(inboxes[user]))
		for _, id := range ids {
			hash.Write([]byte(user + " " + id + "\n"))
		}
	}
	return hex.EncodeToString(hash.Sum(nil))
}
