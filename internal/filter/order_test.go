package filter_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/filter"
)

// TestMembersAreVisitedInOrder: Go visits a map in another order each time, and
// the projection, the hub and a rebuild must all come to the same verdict.
func TestMembersAreVisitedInOrder(t *testing.T) {
	t.Parallel()
	n := events.Published{Content: events.Content{
		Title: "t", Data: json.RawMessage(`{"d":0,"b":1,"a":2,"c":3,"e":{"z":1,"y":2,"x":3},"f":5,"g":["q","p"]}`),
	}}
	for text, want := range map[string]bool{
		`data.map(k, k)[0] == 'a'`:                                         true,
		`data.map(k, k) == ['a', 'b', 'c', 'd', 'e', 'f', 'g']`:            true,
		`data.filter(k, k != 'a')[0] == 'b'`:                               true,
		`data.map(k, k > 'b', k)[0] == 'c'`:                                true,
		`data.e.map(k, k)[0] == 'x'`:                                       true,
		`data['e'].map(k, data.e[k])[0] == 3`:                              true,
		`{'n':1,'m':2,'o':3,'l':4}.map(k, k)[0] == 'l'`:                    true,
		`{3:'a',1:'b',2:'c'}.map(k, k)[0] == 1`:                            true,
		`{3:'a',true:'b',2u:'c',title:'d'}.map(k, k)[0] == true`:           true,
		`[data][0].map(k, k)[0] == 'a'`:                                    true,
		`google.protobuf.Struct{fields:{'z':1,'y':2}}.map(k, k)[0] == 'y'`: true,
		`data.g.map(x, x) == ['q', 'p']`:                                   true, // lists as they are
		`data.all(k, k != 'a')`:                                            false,
		`data.exists(k, k == 'g')`:                                         true,
		`data.exists_one(k, data[k] == 0)`:                                 true,
		`has(data.e.x) && !has(data.e.w)`:                                  true,
	} {
		for range 40 {
			got, err := filter.Of(n).Explain(text, "t")
			if got != want || err != nil {
				t.Errorf("%s: %v, %v; want %v", text, got, err, want)
				break
			}
		}
	}
}

// TestOrderIsPaidFor: members are sorted for every walk over them.
func TestOrderIsPaidFor(t *testing.T) {
	t.Parallel()
	data := map[string]int{}
	for i := range 3000 {
		data[strings.Repeat("x", i%7)+string(rune('a'+i%26))+strings.Repeat("y", i%300)] = i
	}
	raw, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	n := events.Published{Content: events.Content{Data: raw}}
	const walk = `data.exists(k, true)`
	if got, err := filter.Of(n).Explain(walk, "t"); !got || err != nil {
		t.Errorf("once: %v, %v", got, err)
	}
	many := `[0,1,2,3,4,5,6,7,8,9].all(x, ` + walk + `)`
	if got, err := filter.Of(n).Explain(many, "t"); got || err == nil {
		t.Errorf("ten times, of %d members: %v, %v; want what it costs", len(data), got, err)
	}
}
