package live

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tidings-io/tidings/internal/events"
)

// FuzzLastEventID: any text a client comes back with is a position to go on from,
// the log's beginning, or answered with a reset. It never keeps a reader away, and
// never has one go on from above the log's head. What failed once, and what led to
// new code, is kept in testdata/fuzz.
func FuzzLastEventID(f *testing.F) {
	for _, id := range []string{
		"", "0", "2", "5", "6", "9223372036854775806", "9223372036854775807", "18446744073709551615", "18446744073709551616", "-1", "+2", " 2", "2 ", "02", "2,3", "2.0",
		Earliest, "Earliest", "earliest ", "latest", "\x00", "\xff", "２", "0x2", strings.Repeat("9", 999),
	} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		bubble(t, Limits{}, func(t *testing.T, w *world, h *Hub) {
			const head = 5
			for id := range head - 1 {
				w.all(published(id, 0, "user:ann"))
			}
			w.append(published(head, 0, "user:ann"), 0) // which the read model has not seen
			synctest.Wait()
			reader := follow(t, h, FollowRequest{User: "ann", LastEventID: id})
			at, err := events.ParsePosition(id)
			want, reset := events.Position(head), ""
			switch {
			case id == "":
			case id == Earliest:
				want = 0
			case err != nil:
				reset = ResetNoPosition
			case at > head:
				reset = ResetAboveHead
			default:
				want = at
			}
			if reader.Position != want || reader.Reset != reset {
				t.Fatalf("%q goes on from %s with reset %q, want %s and %q", id, reader.Position, reader.Reset, want, reset)
			}
			w.append(published(head+1, 0, "user:ann"), 0)
			if told := next(t, reader); len(told) != head+1-int(want) {
				t.Errorf("%q is told %q after %s", id, told, want)
			}
		})
	})
}
