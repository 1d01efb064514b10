package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/uuid"
)

// Pair is what a checkpoint belongs to: two logs, each by the id of the event that named it, and what is picked of the
// first.
type Pair struct {
	Source string `json:"source"`
	Target string `json:"target"`
	Pick   string `json:"pick"`
}

// Checkpoint is a file that remembers how far a replay came and where each notification went. It is only ever appended
// to, a line at a time:
//
//	{"source":"…","target":"…","pick":"…"}   whose it is
//	n <position> <id> <id there> <position there>   a notification that was replayed
//	d <position>   everything at or below it is done
//
// What a kill left of a last line is cut off, and so is everything after a line that cannot be read, as a power cut
// may leave it: replaying it again does no harm.
type Checkpoint struct {
	file    *os.File
	places  places
	reached uint64
}

// OpenCheckpoint opens or makes a file, and refuses one that belongs to another pair. Two replays must not share one.
func OpenCheckpoint(path string, of Pair) (*Checkpoint, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the path is the caller's to choose
	if err != nil {
		return nil, fmt.Errorf("open the checkpoint: %w", err)
	}
	c := &Checkpoint{file: file}
	if err := c.load(of); err != nil {
		return nil, errors.Join(fmt.Errorf("checkpoint %s: %w", path, err), file.Close())
	}
	return c, nil
}

// Reached is the position up to which everything is done; 0 at the beginning.
func (c *Checkpoint) Reached() uint64 { return c.reached }

// Close closes the file.
func (c *Checkpoint) Close() error {
	if err := errors.Join(c.file.Sync(), c.file.Close()); err != nil {
		return fmt.Errorf("close the checkpoint: %w", err)
	}
	return nil
}

func (c *Checkpoint) load(of Pair) error {
	text := newLines(c.file)
	head, err := text.next()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return c.begin(of)
	}
	if err != nil {
		return err
	}
	if err := belongs(head, of); err != nil {
		return err
	}
	whole := int64(len(head) + 1)
	for {
		line, err := text.next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || err == nil && !c.take(line) {
			return c.cut(whole)
		}
		if err != nil {
			return err
		}
		whole += int64(len(line) + 1)
	}
}

func (c *Checkpoint) begin(of Pair) error {
	head, err := json.Marshal(of)
	if err != nil {
		return fmt.Errorf("write whose it is: %w", err)
	}
	if err := c.cut(0); err != nil {
		return err
	}
	return c.write("%s\n", head)
}

// belongs refuses a file that is another pair's.
func belongs(head []byte, of Pair) error {
	var is Pair
	decoder := json.NewDecoder(bytes.NewReader(head))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&is); err != nil || is.Source == "" {
		return errors.New("the file is no checkpoint of a replay: name another one")
	}
	const other = "name another --checkpoint, or remove it to begin from the start"
	switch {
	case is.Source != of.Source:
		return fmt.Errorf("it belongs to a replay of the log %s, not of %s: %s", is.Source, of.Source, other)
	case is.Target != of.Target:
		return fmt.Errorf("it belongs to a replay into the log %s, not into %s: %s", is.Target, of.Target, other)
	case is.Pick != of.Pick:
		return fmt.Errorf("it belongs to a replay of the events %q, not of %q: %s", is.Pick, of.Pick, other)
	}
	return nil
}

// take reads one line, and says whether it is one.
func (c *Checkpoint) take(line []byte) bool {
	var from, to uint64
	var id, there string
	text := string(line)
	if n, err := fmt.Sscanf(text, "d %d", &from); n == 1 && err == nil && text == doneLine(from) {
		c.reached = max(c.reached, from)
		return true
	}
	if n, err := fmt.Sscanf(text, "n %d %s %s %d", &from, &id, &there, &to); n != 4 || err != nil { //nolint:mnd // all four
		return false
	}
	a, errA := uuid.Parse(id)
	b, errB := uuid.Parse(there)
	if errA != nil || errB != nil || text != placeLine(from, a, b, to) {
		return false
	}
	c.places.add(a, from, b, to)
	return true
}

func doneLine(position uint64) string { return fmt.Sprintf("d %d", position) }

func placeLine(from uint64, id, there uuid.UUID, to uint64) string {
	return fmt.Sprintf("n %d %s %s %d", from, id, there, to)
}

// published remembers where a notification went.
func (c *Checkpoint) published(id uuid.UUID, from uint64, there uuid.UUID, to uint64) error {
	c.places.add(id, from, there, to)
	return c.write("%s\n", placeLine(from, id, there, to))
}

// done remembers that everything at or below a position is.
func (c *Checkpoint) done(position uint64) error {
	c.reached = position
	return c.write("%s\n", doneLine(position))
}

// cut drops what follows, and goes on writing there.
func (c *Checkpoint) cut(at int64) error {
	if err := c.file.Truncate(at); err != nil {
		return fmt.Errorf("cut the end off: %w", err)
	}
	if _, err := c.file.Seek(at, io.SeekStart); err != nil {
		return fmt.Errorf("go to the end: %w", err)
	}
	return nil
}

func (c *Checkpoint) write(format string, args ...any) error {
	if _, err := fmt.Fprintf(c.file, format, args...); err != nil {
		return fmt.Errorf("write the checkpoint: %w", err)
	}
	return nil
}
