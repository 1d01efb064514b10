package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

// File is what Export wrote, as a source of events.
type File struct {
	Path string
	// Pick says which of its events are meant. A file knows nothing of users and topics: their events are picked when
	// it is written.
	Pick Pick
	// Progress is told, when not nil, how many bytes of how many are read.
	Progress func(read, size int64)
}

// Read is the Source of what the pick means. A last line that a kill cut short is not an event.
func (f *File) Read(ctx context.Context, after uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if err := f.read(ctx, max(after, f.Pick.After), yield); err != nil {
			yield(Event{}, fmt.Errorf("read %s: %w", f.Path, err))
		}
	}
}

func (f *File) read(ctx context.Context, after uint64, yield func(Event, error) bool) error {
	file, err := os.Open(f.Path)
	if err != nil {
		return err //nolint:wrapcheck // it names the file
	}
	defer file.Close() //nolint:errcheck // it was only read
	var last uint64
	for text := newLines(file); ctx.Err() == nil; {
		line, err := text.next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		e, err := parse(line)
		switch {
		case err != nil:
			return err
		case e.Position <= last:
			return fmt.Errorf("position %d comes after %d: the file is not in the order of the log", e.Position, last)
		case f.Pick.Until > 0 && e.Position > f.Pick.Until:
			return nil
		case e.Position > after && f.Pick.match(&e) && !yield(e, nil):
			return nil
		}
		last = e.Position
	}
	return context.Cause(ctx)
}

// Name is what identifies the log that the file is of: the id of the event that named it, or, where the file begins
// later, of its own first event.
func (f *File) Name() (string, error) {
	for e, err := range (&File{Path: f.Path}).Read(context.Background(), 0) {
		if err != nil {
			return "", err
		}
		return e.ID.String(), nil
	}
	return "", fmt.Errorf("%s holds no events", f.Path)
}
