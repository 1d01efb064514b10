package workload

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// maxLineBytes bounds a line: a publish to 100 topics of 200 four-byte characters, escaped, is below it.
const maxLineBytes = 1 << 20

// Open reads the workload in a file; see Read.
func Open(path string) (*Workload, error) {
	f, err := os.Open(path) //nolint:gosec // the path is the caller's to choose
	if err != nil {
		return nil, fmt.Errorf("open workload: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	w, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

// Read reads a workload, plain or compressed with gzip; it goes by the content, not by a name. It is strict: anything
// that is not exactly the format is an error that names the line.
func Read(r io.Reader) (*Workload, error) {
	text, err := decompressed(r)
	if err != nil {
		return nil, err
	}
	digest := sha256.New()
	lines := bufio.NewScanner(io.TeeReader(text, digest))
	lines.Buffer(make([]byte, 0, 64<<10), maxLineBytes)
	w := &Workload{}
	ids := map[string]int{}
	for lines.Scan() {
		op, err := parse(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(w.Ops)+1, err)
		}
		op.Line = len(w.Ops) + 1
		if op.Kind == Publish {
			if first, ok := ids[op.ID]; ok {
				return nil, fmt.Errorf("line %d: publish id %q was used on line %d already", op.Line, op.ID, first)
			}
			ids[op.ID] = op.Line
		}
		w.Ops = append(w.Ops, op)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", len(w.Ops)+1, err)
	}
	if len(w.Ops) == 0 {
		return nil, errors.New("the workload is empty")
	}
	w.Digest = hex.EncodeToString(digest.Sum(nil))
	return w, nil
}

func decompressed(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	magic, err := buffered.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read workload: %w", err)
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return buffered, nil
	}
	text, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("decompress workload: %w", err)
	}
	return text, nil
}

// membershipLine and publishLine are the format, member by member in its order. Pointers tell absent from empty.
type membershipLine struct {
	At    *time.Time `json:"at"`
	Op    Kind       `json:"op"`
	User  string     `json:"user"`
	Topic string     `json:"topic"`
}

type publishLine struct {
	At       *time.Time `json:"at"`
	Op       Kind       `json:"op"`
	ID       string     `json:"id"`
	Topics   []string   `json:"topics"`
	Sender   string     `json:"sender"`
	Severity string     `json:"severity"`
	Title    string     `json:"title"`
}

func parse(line []byte) (Op, error) {
	if !utf8.Valid(line) {
		return Op{}, errors.New("not UTF-8")
	}
	if len(bytes.TrimSpace(line)) == 0 {
		return Op{}, errors.New("empty line")
	}
	var head struct {
		Op Kind `json:"op"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return Op{}, fmt.Errorf("not a JSON object: %w", err)
	}
	switch head.Op {
	case Subscribe, Unsubscribe:
		return parseMembership(line)
	case Publish:
		return parsePublish(line)
	case "":
		return Op{}, errors.New(`"op" is missing`)
	default:
		return Op{}, fmt.Errorf(`unknown op %q: it is "subscribe", "unsubscribe" or "publish"`, head.Op)
	}
}

func parseMembership(line []byte) (Op, error) {
	var l membershipLine
	if err := strictly(line, &l); err != nil {
		return Op{}, err
	}
	if err := present(map[string]bool{"at": l.At != nil, "user": l.User != "", "topic": l.Topic != ""}); err != nil {
		return Op{}, err
	}
	return Op{At: *l.At, Kind: l.Op, User: l.User, Topic: l.Topic}, nil
}

func parsePublish(line []byte) (Op, error) {
	var l publishLine
	if err := strictly(line, &l); err != nil {
		return Op{}, err
	}
	if err := present(map[string]bool{
		"at": l.At != nil, "id": l.ID != "", "topics": len(l.Topics) > 0,
		"sender": l.Sender != "", "severity": l.Severity != "", "title": l.Title != "",
	}); err != nil {
		return Op{}, err
	}
	seen := make(map[string]bool, len(l.Topics))
	for _, topic := range l.Topics {
		if topic == "" {
			return Op{}, errors.New(`"topics" holds an empty name`)
		}
		if seen[topic] {
			return Op{}, fmt.Errorf(`"topics" names %q twice`, topic)
		}
		seen[topic] = true
	}
	return Op{
		At: *l.At, Kind: Publish, ID: l.ID, Topics: l.Topics,
		Sender: l.Sender, Severity: l.Severity, Title: l.Title,
	}, nil
}

// strictly decodes one JSON value that fills the line and has no member into does not know.
func strictly(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// present returns an error that names the first member, by name, that is missing or empty.
func present(members map[string]bool) error {
	for _, name := range []string{"at", "id", "sender", "severity", "title", "topic", "topics", "user"} {
		if ok, asked := members[name]; asked && !ok {
			return fmt.Errorf("%q is missing or empty", name)
		}
	}
	return nil
}
