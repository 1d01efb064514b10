package eventlog

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	bytes := rapid.SliceOfN(rapid.Byte(), 0, 300)
	rapid.Check(t, func(t *rapid.T) {
		want := Record{
			Event: Event{
				ID:       uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")),
				Type:     rapid.String().Draw(t, "type"),
				JSON:     rapid.Bool().Draw(t, "json"),
				Data:     bytes.Draw(t, "data"),
				Metadata: bytes.Draw(t, "metadata"),
			},
			Stream:   string(bytes.Draw(t, "stream")),
			Revision: Revision(rapid.Int64Min(0).Draw(t, "revision")),
			Position: Position(rapid.Uint64Min(1).Draw(t, "position")),
			Created:  Ticks(rapid.Int64().Draw(t, "created")),
		}
		stored := appendRecord([]byte("before"), &want)[len("before"):]
		var got Record
		if err := parseRecord(&got, want.Position, stored); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}

		damaged := append([]byte(nil), stored...)
		damaged[rapid.IntRange(0, len(damaged)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if err := parseRecord(&got, want.Position, damaged); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("a damaged record: %v, want ErrCorrupt", err)
		}
		if err := parseRecord(&got, want.Position, stored[:rapid.IntRange(0, len(stored)-1).Draw(t, "cut")]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("a record cut short: %v, want ErrCorrupt", err)
		}
		if err := parseRecord(&got, want.Position+1, stored); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("a record at another position: %v, want ErrCorrupt", err)
		}
	})
}
