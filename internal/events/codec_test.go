package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// add writes the stored form of types and versions that have no file yet; it
// never touches one that is there, because what is stored stays stored.
var add = flag.Bool("add-stored", false, "write missing files under testdata/stored")

var (
	exampleID = uuid.MustParse("018f2f6e-9a3b-7c4d-8e5f-60718293a4b5")
	exampleAt = time.Date(2030, 1, 2, 3, 4, 5, 678901000, time.UTC)
)

// examples are today's events, every field set.
var examples = []Event{
	Subscribed{"alice", "builds", Rules{SeverityHigh, "data.build > 41"}},
	SubscriptionChanged{"alice", "builds", Rules{SeverityCritical, "data.build > 41"}},
	Unsubscribed{"alice", "builds"},
	Published{
		NotificationID: exampleID, To: []Target{{Topic: "builds"}, {User: "alice"}}, Severity: SeverityNormal, Sender: "ci", ExpiresAt: &exampleAt,
		Content: Content{Title: "red", Body: "line 7", Data: json.RawMessage(`{"build":42}`), Link: "https://ci.example/42"},
	},
	Retracted{exampleID, 17, []Target{{Topic: "builds"}, {User: "alice"}}, SeverityNormal},
	ItemsSeen{Items{User: "alice", Through: 17}},
	ItemsRead{Items{User: "alice", IDs: []uuid.UUID{exampleID}}},
	ItemsUnread{Items{User: "alice", IDs: []uuid.UUID{exampleID}}},
	ItemsArchived{Items{User: "alice", IDs: []uuid.UUID{exampleID}}},
	ItemsUnarchived{Items{User: "alice", IDs: []uuid.UUID{exampleID}}},
	ItemsDeleted{Items{User: "alice", IDs: []uuid.UUID{exampleID}}},
	TopicDescribed{"builds", "of main"},
	PreferencesSet{"alice", Preferences{
		[]Topic{"builds"}, &QuietHours{"22:00", "07:00", "Asia/Seoul"}, map[string]ChannelPreference{"email": {SeverityHigh}},
	}},
	RebuildOrdered{exampleOrder, 2, true},
	VersionActivated{exampleOrder, 2},
	VersionDropped{exampleOrder, 1},
	ProjectionPaused{exampleOrder},
	ProjectionResumed{exampleOrder},
	EventSkipped{exampleOrder, 17},
	StoreNamed{exampleID},
	KeyCreated{"k7ab", "ci of builds", "00ff", "ci", []string{"publish"}, []string{"builds.*"}, &exampleAt},
	KeyRevoked{"k7ab", "lost"},
	TokensRevoked{"alice", "lost phone"},
}

var exampleOrder = Order{"inbox", "a new rule"}

// olderExamples are what the files of older versions say, where that is less.
var olderExamples = map[string]Event{
	"Subscribed.v1":          Subscribed{"alice", "builds", Rules{MinSeverity: SeverityHigh}},
	"SubscriptionChanged.v1": SubscriptionChanged{"alice", "builds", Rules{MinSeverity: SeverityCritical}},
}

type storedForm struct {
	Data     json.RawMessage `json:"data"`
	Metadata json.RawMessage `json:"metadata"`
}

func storedFile(typ string, version int) string {
	return filepath.Join("testdata", "stored", fmt.Sprintf("%s.v%d.json", typ, version))
}

func TestEveryStoredFormIsStillRead(t *testing.T) {
	t.Parallel()
	today := map[string]Event{}
	for _, e := range examples {
		today[e.Type()] = e
	}
	for typ, f := range forms {
		want, ok := today[typ]
		if !ok {
			t.Errorf("%s has no example", typ)
			continue
		}
		for v := 1; v <= f.version(); v++ {
			t.Run(fmt.Sprintf("%s version %d", typ, v), func(t *testing.T) {
				t.Parallel()
				if *add && v == f.version() {
					writeMissing(t, want)
				}
				want := want
				if older, ok := olderExamples[fmt.Sprintf("%s.v%d", typ, v)]; ok {
					want = older
				}
				s := readStored(t, typ, v)
				got, err := Decode(Stored{Type: typ, Data: json.RawMessage(compact(t, s.Data)), Metadata: s.Metadata})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got.Event); diff != "" {
					t.Errorf("event (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestTodaysFormIsWhatIsStored(t *testing.T) {
	t.Parallel()
	for _, e := range examples {
		s := readStored(t, e.Type(), forms[e.Type()].version())
		p, err := Encode(e, "some-stream", 0, exampleMetadata())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := compact(t, p.Data), compact(t, s.Data); got != want {
			t.Errorf("%s: encoded %s, stored %s: a changed form needs a new version", e.Type(), got, want)
		}
		if got, want := compact(t, p.Metadata), compact(t, s.Metadata); got != want {
			t.Errorf("%s: metadata %s, stored %s", e.Type(), got, want)
		}
	}
}

func TestFormsOfTheFutureAreRefused(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Stored{
		"a newer version": {Type: "Unsubscribed", Data: json.RawMessage(`{}`), Metadata: json.RawMessage(`{"schema_version":2}`)},
		"an unknown type": {Type: "UserVanished", Data: json.RawMessage(`{}`), Metadata: json.RawMessage(`{"schema_version":1}`)},
	} {
		if _, err := Decode(s); !errors.Is(err, ErrUnknownForm) {
			t.Errorf("%s: %v, want ErrUnknownForm", name, err)
		}
	}
	for name, metadata := range map[string]string{"no version": `{}`, "no metadata": ``, "no JSON": `x`} {
		if _, err := Decode(Stored{Type: "Unsubscribed", Data: json.RawMessage(`{}`), Metadata: json.RawMessage(metadata)}); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
}

func TestUpcastsLeadThroughEveryVersion(t *testing.T) {
	t.Parallel()
	rename := func(from, to string) upcast {
		return func(data json.RawMessage) (json.RawMessage, error) {
			return bytes.Replace(data, []byte(from), []byte(to), 1), nil
		}
	}
	f := of[Unsubscribed](rename("who", "person"), rename("person", "user"))
	for version, data := range map[int]string{1: `{"who":"alice"}`, 2: `{"person":"alice"}`, 3: `{"user":"alice"}`} {
		got, err := f.read(json.RawMessage(data), version)
		if want := (Unsubscribed{User: "alice"}); err != nil || got != want {
			t.Errorf("version %d: %v, %v, want %v", version, got, err, want)
		}
	}
}

func exampleMetadata() Metadata {
	return Metadata{
		CommandID: exampleID, BodyHash: "00ff", CorrelationID: "request-1", CausationID: exampleID.String(),
		Actor: "ci", TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
}

func readStored(t *testing.T, typ string, version int) storedForm {
	t.Helper()
	data, err := os.ReadFile(storedFile(typ, version))
	if err != nil {
		t.Fatalf("%v: a new version needs its stored form: go test ./internal/events -add-stored", err)
	}
	var s storedForm
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func writeMissing(t *testing.T, e Event) {
	t.Helper()
	p, err := Encode(e, "some-stream", 0, exampleMetadata())
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.MarshalIndent(storedForm{p.Data, p.Metadata}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(storedFile(e.Type(), forms[e.Type()].version()), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return
	}
	if err == nil {
		_, err = f.Write(append(data, '\n'))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func compact(t *testing.T, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
