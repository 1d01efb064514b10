package events

import (
	"encoding/json"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
)

// What failed once, and what led to new code, is kept in testdata/fuzz.

// longName is about as much text as a name's parser is given at most.
const longName = 4 << 10

// FuzzUser: a name is accepted exactly where the documented rule has it, and comes
// back from the path it is put into.
func FuzzUser(f *testing.F) {
	for _, name := range []string{
		"alice", "_", "+1555", "Alice.B-c_d@example.org:7", "..", ".a", "-a", "a/b", "a b", "é", "a\x00", "a\n", "a~", "a\xff", "%2e", "a%2Fb",
		strings.Repeat("u", 128), strings.Repeat("u", 129), "",
	} {
		f.Add(name)
	}
	rule := regexp.MustCompile(`\A[A-Za-z0-9_+][A-Za-z0-9._@:+-]{0,127}\z`)
	f.Fuzz(func(t *testing.T, name string) {
		user, err := ParseUser(name)
		if (err == nil) != rule.MatchString(name) {
			t.Fatalf("%q: %v, and the rule says %v", name, err, rule.MatchString(name))
		}
		if err != nil {
			quiet(t, err, name)
			return
		}
		if string(user) != name {
			t.Errorf("%q became %q", name, user)
		}
		throughPath(t, name)
	})
}

// FuzzTopic: as FuzzUser, for the NFC of a name; and what was accepted once is
// accepted again as it is.
func FuzzTopic(f *testing.F) {
	for _, name := range []string{
		"builds", "charts/stable/redis", "빌드", "Ünïcode/٣", "a..b", "cafe\u0301", "a/./b", "a/../b", "a//b", "/a", "a/", "..", "\u0301a", "a~b", "🎉", "a\u200bb", "a%2Fb",
		"a" + strings.Repeat("\u0301", 31), "a" + strings.Repeat("\u0323\u0301", 99), "\u1112\u1161\u11ab", "\u0958", "\u2126", "K", "a\x00", "a\xff", "ⅷ", "a²",
		strings.Repeat("é", 200), strings.Repeat("e\u0301", 201), strings.Repeat("\u03b1\u0313\u0300\u0345", 200), "",
	} {
		f.Add(name)
	}
	rule := regexp.MustCompile(`\A[\p{L}\p{Nd}][\p{L}\p{M}\p{Nd}._:/@+-]{0,199}\z`)
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > longName {
			t.Skip("refused by its length alone")
		}
		composed := norm.NFC.String(name)
		segments := strings.Split(composed, "/")
		want := utf8.ValidString(name) && rule.MatchString(composed) &&
			!slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." })
		topic, err := ParseTopic(name)
		if (err == nil) != want {
			t.Fatalf("%q: %v, and the rule says %v", name, err, want)
		}
		if err != nil {
			quiet(t, err, name)
			return
		}
		if again, err := ParseTopic(string(topic)); err != nil || again != topic {
			t.Errorf("%q became %q, and that %q, %v", name, topic, again, err)
		}
		if !norm.NFC.IsNormalString(string(topic)) {
			t.Errorf("%q became %q, which is not NFC", name, topic)
		}
		throughPath(t, string(topic))
	})
}

// throughPath puts a name into a path as clients do and takes it out as the edge
// does.
func throughPath(t *testing.T, name string) {
	t.Helper()
	u, err := url.Parse("http://tidings.example/v1/users/" + url.PathEscape(name) + "/inbox")
	if err != nil {
		t.Fatalf("%q in a path: %v", name, err)
	}
	parts := strings.Split(u.EscapedPath(), "/")
	if len(parts) != 5 {
		t.Fatalf("%q in a path makes %q", name, parts)
	}
	if back, err := url.PathUnescape(parts[3]); err != nil || back != name {
		t.Errorf("%q came out of the path as %q, %v", name, back, err)
	}
}

// quiet holds that an error is short, whatever was given.
func quiet(t *testing.T, err error, given string) {
	t.Helper()
	const most = 64*len(`\U0010ffff`) + 100 // so many characters of input, each escaped, and what we say ourselves
	if len(err.Error()) > most {
		t.Errorf("an error of %d bytes for a text of %d: %.80s…", len(err.Error()), len(given), err)
	}
}

// FuzzTarget: a target that is accepted is one of the two kinds, and is the same
// when it is written and read again.
func FuzzTarget(f *testing.F) {
	for _, text := range []string{"topic:builds", "user:alice", "topic:", "user:", "topic:user:a", "user:topic:a", "Topic:a", "topic:cafe\u0301", "builds", "", "topic: a", "user:a\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := ParseTarget(text)
		if err != nil {
			quiet(t, err, text)
			return
		}
		if (target.Topic == "") == (target.User == "") {
			t.Fatalf("%q is %+v", text, target)
		}
		written, err := json.Marshal(target)
		if err != nil {
			t.Fatalf("write %q: %v", text, err)
		}
		var again Target
		if err := json.Unmarshal(written, &again); err != nil || again != target {
			t.Errorf("%q became %+v, and %s that %+v, %v", text, target, written, again, err)
		}
	})
}

// FuzzPosition: a position has one spelling, and no text is two of them.
func FuzzPosition(f *testing.F) {
	for _, text := range []string{"0", "1", "9223372036854775806", "9223372036854775807", "18446744073709551616", "-1", "+1", " 1", "01", "1.0", "1e3", "0x1", "1_0", "١", "", strings.Repeat("9", 999)} {
		f.Add(text)
	}
	rule := regexp.MustCompile(`\A(0|[1-9][0-9]*)\z`)
	f.Fuzz(func(t *testing.T, text string) {
		n, _ := new(big.Int).SetString(text, 10)
		want := rule.MatchString(text) && n.Cmp(new(big.Int).SetUint64(uint64(MaxPosition))) <= 0
		at, err := ParsePosition(text)
		if (err == nil) != want {
			t.Fatalf("%q: %v, and the rule says %v", text, err, want)
		}
		if err != nil {
			quiet(t, err, text)
			return
		}
		written, err := json.Marshal(at)
		var again Position
		if err != nil || at.String() != text || json.Unmarshal(written, &again) != nil || again != at {
			t.Errorf("%q became %s, and %s that %s, %v", text, at, written, again, err)
		}
	})
}

// FuzzSeverity: the four names are severities, and nothing else is.
func FuzzSeverity(f *testing.F) {
	for _, name := range append([]string{"", "LOW", "lo", "lowest", "0", "severity(4)", "high ", strings.Repeat("x", 999)}, SeverityNames...) {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s, err := ParseSeverity(name)
		if (err == nil) != slices.Contains(SeverityNames, name) || err == nil && s.String() != name {
			t.Fatalf("%q: %s, %v", name, s, err)
		}
		if err != nil {
			quiet(t, err, name)
		}
	})
}

// FuzzBatchID: whatever ids are made of and clients name, an entry's place and birth
// stream come out of its id, and no other id of that form leads into the stream.
func FuzzBatchID(f *testing.F) {
	for _, seed := range []uuid.UUID{{}, exampleID, {6: 0x80, 8: 0x80, 14: 0x0f, 15: 0xff}, {6: 0x8f, 8: 0xff, 14: 0xff}} {
		f.Add(seed[:], uint16(0))
		f.Add(seed[:], uint16(MaxBatch-1))
	}
	f.Fuzz(func(t *testing.T, seed []byte, at uint16) {
		id, err := uuid.FromBytes(seed)
		if err != nil {
			t.Skip("not as long as an id")
		}
		index := int(at) % MaxBatch
		batch := BatchID(id)
		entry := BatchEntryID(batch, index)
		if BatchID(batch) != batch || BatchID(entry) != batch || BatchEntryIndex(entry) != index || BirthStream(entry) != BatchStream(batch) {
			t.Errorf("entry %d of %s is %s: batch %s, index %d, born in %s", index, batch, entry, BatchID(entry), BatchEntryIndex(entry), BirthStream(entry))
		}
		if entry.Version() != 8 || entry.Variant() != uuid.RFC4122 {
			t.Errorf("%s is no version-8 UUID", entry)
		}
		if id.Version() != 8 && BirthStream(id) != NotificationStream(id) {
			t.Errorf("%s is born in %s", id, BirthStream(id))
		}
	})
}
