package events

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestUserNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "_", "+1555", "Alice.B-c_d@example.org:7", strings.Repeat("u", 128), "0"} {
		if _, err := ParseUser(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".a", "-a", "@a", ":a", "a b", "a/b", "é", "a\x00", "a\n", "a~", strings.Repeat("u", 129), "a\xff"} {
		if _, err := ParseUser(name); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}

func TestTopicNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "charts/stable/redis", "빌드", "Ünïcode/٣", "a.b", "a..b", "...a"[3:], "7", strings.Repeat("é", 200), "v1.2+x@y:z_-"} {
		if _, err := ParseTopic(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", "/a", "a/", "a//b", "a/.", "a/../b", ".", "-a", "\u0301a", "a b", "a~b", "a\x00b", "a\xffb", "a\u200bb", "🎉", "a%2Fb",
		strings.Repeat("é", 201), strings.Repeat("x", 1<<20),
	} {
		if _, err := ParseTopic(name); err == nil {
			t.Errorf("%.40q was accepted", name)
		}
	}
	decomposed, err := ParseTopic("cafe\u0301")
	if err != nil || decomposed != "caf\u00e9" {
		t.Errorf("NFC: %q, %v", decomposed, err)
	}
}

func TestNamesThatPassOnceStayTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		topic, err := ParseTopic(rapid.String().Draw(t, "topic"))
		if err != nil {
			return
		}
		if again, err := ParseTopic(string(topic)); err != nil || again != topic {
			t.Fatalf("%q became %q, %v", topic, again, err)
		}
		target, err := ParseTarget("topic:" + string(topic))
		if err != nil || target.String() != "topic:"+string(topic) {
			t.Fatalf("target of %q: %v, %v", topic, target, err)
		}
	})
}

func TestPositions(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"0", "1", "9223372036854775806"} {
		if p, err := ParsePosition(s); err != nil || p.String() != s {
			t.Errorf("%q: %s, %v", s, p, err)
		}
	}
	for _, s := range []string{"", "-1", "+1", " 1", "01", "1.0", "0x1", "9223372036854775807", "18446744073709551615", "99999999999999999999"} {
		if _, err := ParsePosition(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}

func TestBatchEntryIDs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var seed uuid.UUID
		copy(seed[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "seed"))
		index := rapid.IntRange(0, MaxBatch-1).Draw(t, "index")
		batch := BatchID(seed)
		id := BatchEntryID(batch, index)
		if got := BatchEntryIndex(id); got != index {
			t.Fatalf("index %d came back as %d", index, got)
		}
		if got := BirthStream(id); got != BatchStream(batch) {
			t.Fatalf("born in %s, want %s", got, BatchStream(batch))
		}
		if id.Variant() != uuid.RFC4122 || id.Version() != 8 {
			t.Fatalf("%s is no version-8 UUID", id)
		}
	})
	single := KeyedID("dev", "POST /v1/notifications", "k")
	if got := BirthStream(single); got != NotificationStream(single) {
		t.Errorf("a single notification is born in %s", got)
	}
}

func TestKeyedIDsDoNotRunIntoEachOther(t *testing.T) {
	t.Parallel()
	if KeyedID("a", "b c", "d") == KeyedID("a b", "c", "d") || KeyedID("a", "b", `c" "d`) == KeyedID("a", `b" "c`, "d") {
		t.Error("two requests share a command id")
	}
}
