package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxLineBytes bounds a line: an append has at most 1 MiB, which JSON may write longer.
const maxLineBytes = 8 << 20

var errLongLine = fmt.Errorf("a line is longer than %d MiB", maxLineBytes>>20)

// lines takes a text apart.
type lines struct {
	from *bufio.Reader
	long []byte // the beginning of a line that is longer than the reader's buffer
}

func newLines(from io.Reader) *lines {
	return &lines{from: bufio.NewReaderSize(from, 64<<10)} // most events are below 1 KiB: few reads, little memory
}

// next returns the next line without its end, valid until the next call. The error is io.EOF only where the text ends
// after a whole line, and io.ErrUnexpectedEOF where it ends within one.
func (l *lines) next() ([]byte, error) {
	l.long = l.long[:0]
	for {
		part, err := l.from.ReadSlice('\n')
		switch {
		case err == nil && len(l.long) == 0:
			return bytes.TrimSuffix(part, []byte("\n")), nil
		case len(l.long)+len(part) > maxLineBytes:
			return nil, errLongLine
		}
		l.long = append(l.long, part...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(l.long, []byte("\n")), nil
		case errors.Is(err, io.EOF) && len(l.long) > 0:
			return nil, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err // the reader's own
		}
	}
}
