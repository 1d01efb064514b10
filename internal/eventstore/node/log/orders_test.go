package eventlog_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// TestEveryOrderOfThreeIDs proposes every sequence of up to three ids, with every expectation, to a stream that holds any such
// sequence, in every state a stream can be in.
func TestEveryOrderOfThreeIDs(t *testing.T) {
	t.Parallel()
	states := map[string]func(stream string) []eventlog.Operation{
		"as it was written": func(string) []eventlog.Operation { return nil },
		"deleted": func(stream string) []eventlog.Operation {
			return []eventlog.Operation{{Stream: stream, Expected: eventlog.Any, Delete: true}}
		},
		"ended": func(stream string) []eventlog.Operation {
			return []eventlog.Operation{{Stream: stream, Expected: eventlog.Any, Tombstone: true}}
		},
		"with metadata": func(stream string) []eventlog.Operation {
			return []eventlog.Operation{metadataOf(stream, `{"$maxCount":2}`)}
		},
		"deleted with metadata": func(stream string) []eventlog.Operation {
			return []eventlog.Operation{metadataOf(stream, `{"a":1}`), {Stream: stream, Expected: eventlog.Any, Delete: true}}
		},
	}
	longest := 3
	if raceDetector || testing.Short() {
		longest = 2
	}
	sequences := sequencesOf([]uuid.UUID{uuid.New(), uuid.New(), uuid.New()}, longest)
	expectations := []eventlog.Expected{eventlog.Any, eventlog.NoStream, eventlog.StreamExists, 0, 1, 2, 3}
	for state, reach := range states {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			l := open(t, eventlog.Options{NoSync: true})
			for i, held := range sequences {
				for j, proposed := range sequences {
					m := newModel() // streams do not touch each other, so each round has a model of its own
					m.opened()
					var fill, propose []eventlog.Operation
					for _, expected := range expectations {
						stream := fmt.Sprintf("s-%d-%d-%d", i, j, expected)
						for n, id := range held {
							fill = append(fill, appendOf(stream, eventlog.Expected(n-1), id))
						}
						fill = append(fill, reach(stream)...)
						propose = append(propose, appendOf(stream, expected, proposed...))
					}
					before := l.Head()
					together(t, l, m, fill)
					together(t, l, m, propose)
					if got, want := l.Head()-before, len(m.events); int(got) != want {
						t.Fatalf("holding sequence %d, proposing sequence %d: wrote %d events, want %d", i, j, got, want)
					}
				}
			}
		})
	}
}

func appendOf(stream string, expected eventlog.Expected, ids ...uuid.UUID) eventlog.Operation {
	o := eventlog.Operation{Stream: stream, Expected: expected}
	for _, id := range ids {
		o.Events = append(o.Events, eventlog.Event{ID: id, Type: "t"})
	}
	return o
}

func metadataOf(stream, data string) eventlog.Operation {
	return eventlog.Operation{Stream: "$$" + stream, Expected: eventlog.Any, Events: []eventlog.Event{
		{ID: uuid.New(), Type: eventlog.TypeMetadata, JSON: true, Data: []byte(data)},
	}}
}

// together has the log and the model do the same.
func together(t *testing.T, l *eventlog.Log, m *model, operations []eventlog.Operation) {
	t.Helper()
	for i, answer := range l.Together(operations) {
		o := operations[i]
		if got, want := m.expect(o, answer); got != want {
			t.Fatalf("%s, %d events at %d: %s, want %s", o.Stream, len(o.Events), o.Expected, got, want)
		}
	}
}

func sequencesOf(ids []uuid.UUID, longest int) [][]uuid.UUID {
	all := [][]uuid.UUID{nil}
	for from := 0; longest > 0; longest-- {
		to := len(all)
		for _, shorter := range all[from:to] {
			for _, id := range ids {
				all = append(all, append(append([]uuid.UUID(nil), shorter...), id))
			}
		}
		from = to
	}
	return all
}
