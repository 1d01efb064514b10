package replay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Export writes events as they are in the audit trail, one a line.
type Export struct {
	Source Source
	// First is the first event that the source has; nil where there is none. A file that begins with another one is
	// refused.
	First func(ctx context.Context) (*Event, error)
	// Progress is told, when not nil, up to where everything is written, and when that was recorded.
	Progress func(position uint64, at time.Time)
}

// Exported says what an export did.
type Exported struct {
	Events  int    // written now
	After   uint64 // the position it went on after; 0 at the beginning
	Last    uint64 // the last position written, now or before
	Dropped int64  // bytes of a line that was half written
	Took    time.Duration
}

// exportBuffer makes writes few without holding much back.
const exportBuffer = 256 << 10

// To writes everything to a writer that is not gone on with.
func (x *Export) To(ctx context.Context, w io.Writer) (Exported, error) {
	began := time.Now()
	var done Exported
	err := x.write(ctx, w, &done)
	done.Took = time.Since(began)
	return done, err
}

// ToFile writes to a file, which is durable when it returns. A file that an earlier export wrote is gone on with: a
// half-written last line is cut off, and what follows its last event is added. What was written stands, whatever the
// error.
func (x *Export) ToFile(ctx context.Context, path string) (done Exported, err error) {
	began := time.Now()
	defer func() { done.Took = time.Since(began) }()
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the path is the caller's to choose
	if err != nil {
		return done, fmt.Errorf("open the file to write to: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if done, err = x.resume(ctx, file); err != nil {
		return done, fmt.Errorf("go on with %s: %w", path, err)
	}
	err = x.write(ctx, file, &done)
	return done, errors.Join(err, file.Sync())
}

// resume finds where a file ends, leaves it there, and makes sure that it is of this log.
func (x *Export) resume(ctx context.Context, file *os.File) (Exported, error) {
	var done Exported
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return done, err //nolint:wrapcheck // the caller does
	}
	whole, err := lastLineEnd(file, size)
	if err != nil {
		return done, err
	}
	if whole > 0 {
		if done.Last, err = x.check(ctx, file, whole); err != nil {
			return done, err
		}
	}
	done.After, done.Dropped = done.Last, size-whole
	if err := file.Truncate(whole); err != nil {
		return done, err //nolint:wrapcheck // the caller does
	}
	_, err = file.Seek(whole, io.SeekStart)
	return done, err //nolint:wrapcheck // the caller does
}

// check holds a file against the source, and returns its last position.
func (x *Export) check(ctx context.Context, file *os.File, whole int64) (uint64, error) {
	const not = "the file holds something else than an earlier output: name another one"
	head, err := newLines(io.NewSectionReader(file, 0, whole)).next()
	if err != nil {
		return 0, err
	}
	oldest, err := parse(head)
	if err != nil {
		return 0, fmt.Errorf("%s (%w)", not, err)
	}
	begin, err := lastLineEnd(file, whole-1)
	if err != nil {
		return 0, err
	}
	end, err := newLines(io.NewSectionReader(file, begin, whole-begin)).next()
	if err != nil {
		return 0, err
	}
	newest, err := parse(end)
	if err != nil {
		return 0, fmt.Errorf("%s (its last line: %w)", not, err)
	}
	first, err := x.First(ctx)
	if err != nil {
		return 0, err
	}
	if first == nil || first.ID != oldest.ID {
		return 0, errors.New("the file is of another log, or was written with other filters: name another one, or remove it to begin from the start")
	}
	return newest.Position, nil
}

// lastLineEnd is the offset after the last line's end before an offset; 0 where there is none.
func lastLineEnd(file io.ReaderAt, before int64) (int64, error) {
	buffer := make([]byte, exportBuffer)
	for before > 0 {
		from := max(0, before-int64(len(buffer)))
		part := buffer[:before-from]
		if _, err := file.ReadAt(part, from); err != nil {
			return 0, err //nolint:wrapcheck // the caller does
		}
		if at := bytes.LastIndexByte(part, '\n'); at >= 0 {
			return from + int64(at) + 1, nil
		}
		before = from
	}
	return 0, nil
}

func (x *Export) write(ctx context.Context, to io.Writer, done *Exported) error {
	w := bufio.NewWriterSize(to, exportBuffer)
	for e, err := range x.Source(ctx, done.After) {
		if err != nil {
			return errors.Join(err, w.Flush())
		}
		_, err := w.Write(e.Text)
		if err = errors.Join(err, w.WriteByte('\n')); err != nil {
			return fmt.Errorf("write the event at %d: %w", e.Position, err)
		}
		done.Events++
		done.Last = e.Position
		if x.Progress != nil {
			x.Progress(e.Position, e.At)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the last events: %w", err)
	}
	return nil
}
