package workload

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
)

const (
	someChange  = `{"at":"2015-11-24T17:05:28Z","op":"subscribe","user":"u","topic":"t"}`
	somePublish = `{"at":"2015-11-24T17:05:28Z","op":"publish","id":"1","topics":["t"],"sender":"u","severity":"low","title":"x"}`
)

func TestReadIsStrictAndNamesTheLine(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		text string
		want string // of the error; "" means none
	}{
		"what the format says is read":           {someChange + "\n" + somePublish + "\n", ""},
		"the last line may lack its end":         {someChange, ""},
		"nothing is no workload":                 {"", "the workload is empty"},
		"an empty line is not skipped":           {someChange + "\n\n" + somePublish, "line 2: empty line"},
		"a line is an object":                    {"[]", "line 1: not a JSON object"},
		"a line is whole":                        {someChange + "\n" + `{"at":`, "line 2: not a JSON object"},
		"a line is one object":                   {someChange + someChange, "line 1: not a JSON object"},
		"an unknown member is refused":           {change(`"topic"`, `"x":1,"topic"`), `line 1: unknown field "x"`},
		"a publish has no user":                  {publish(`"topics"`, `"user":"u","topics"`), `line 1: unknown field "user"`},
		"a change has no id":                     {change(`"user"`, `"id":"1","user"`), `line 1: unknown field "id"`},
		"an unknown op is named":                 {change("subscribe", "follow"), `line 1: unknown op "follow"`},
		"op is needed":                           {`{"user":"u"}`, `line 1: "op" is missing`},
		"at is needed":                           {`{"op":"subscribe","user":"u","topic":"t"}`, `line 1: "at" is missing`},
		"at is a time":                           {change("2015-11-24T17:05:28Z", "yesterday"), "line 1: "},
		"user is needed":                         {change(`"u"`, `""`), `line 1: "user" is missing or empty`},
		"topic is needed":                        {change(`"t"`, `""`), `line 1: "topic" is missing or empty`},
		"id is needed":                           {publish(`"1"`, `""`), `line 1: "id" is missing or empty`},
		"topics are needed":                      {publish(`["t"]`, `[]`), `line 1: "topics" is missing or empty`},
		"no topic is empty":                      {publish(`["t"]`, `["t",""]`), `line 1: "topics" holds an empty name`},
		"no topic is named twice":                {publish(`["t"]`, `["t","t"]`), `line 1: "topics" names "t" twice`},
		"sender is needed":                       {publish(`"u"`, `""`), `line 1: "sender" is missing or empty`},
		"severity is needed":                     {publish(`"low"`, `""`), `line 1: "severity" is missing or empty`},
		"title is needed":                        {publish(`"x"`, `""`), `line 1: "title" is missing or empty`},
		"an id is used once":                     {somePublish + "\n" + someChange + "\n" + somePublish, `line 3: publish id "1" was used on line 1 already`},
		"bytes that are not UTF-8 are not eaten": {change(`"u"`, "\"\xff\""), "line 1: not UTF-8"},
		"a line is not endless":                  {someChange + "\n" + strings.Repeat("x", maxLineBytes+1), "line 2: "},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			for name, text := range map[string][]byte{"plain": []byte(c.text), "compressed": compressed(t, c.text)} {
				_, err := Read(bytes.NewReader(text))
				switch {
				case c.want == "" && err != nil:
					t.Errorf("%s: got error %v, want none", name, err)
				case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
					t.Errorf("%s: got error %v, want one that begins %q", name, err, c.want)
				}
			}
		})
	}
}

func TestReadSaysThatACompressedFileIsCutShort(t *testing.T) {
	t.Parallel()
	whole := compressed(t, someChange+"\n")
	if _, err := Read(bytes.NewReader(whole[:len(whole)-9])); err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("got error %v, want unexpected EOF", err)
	}
}

func TestCompressionDoesNotChangeTheDigest(t *testing.T) {
	t.Parallel()
	plain, err := Read(strings.NewReader(someChange + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := Read(bytes.NewReader(compressed(t, someChange+"\n")))
	if err != nil {
		t.Fatal(err)
	}
	if packed.Digest != plain.Digest {
		t.Errorf("got digest %s of the compressed text, want %s", packed.Digest, plain.Digest)
	}
}

// The published workload and outcome lie beside the repository, not in it.
const (
	publishedWorkload = "../../../shared/data/charts.ndjson.gz"
	publishedOutcome  = "../../../shared/data/charts.expected.json"
)

func TestThePublishedWorkloadLeadsToThePublishedOutcome(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(publishedWorkload); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the published workload is not beside this repository")
	}
	w, err := Open(publishedWorkload)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(publishedOutcome)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := Expect(w.Ops).Outcome.Write(&got); err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got outcome\n%swant\n%s", got.String(), want)
	}
	if text := written(t, w); !bytes.Equal(text, uncompressed(t, publishedWorkload)) {
		t.Error("the published workload, read and written again, is another text")
	}
}

func change(old, replacement string) string { return strings.Replace(someChange, old, replacement, 1) }

func publish(old, replacement string) string {
	return strings.Replace(somePublish, old, replacement, 1)
}

func compressed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func uncompressed(t *testing.T, path string) []byte {
	t.Helper()
	packed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func written(t *testing.T, w *Workload) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := w.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
