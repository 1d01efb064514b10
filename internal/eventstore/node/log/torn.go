package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// TornTail is the end of the newest write-ahead log where it holds no whole append: what a crash in the middle of a write leaves. Opening
// the log cuts it off.
type TornTail struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"` // of the last whole append's end
	Bytes  int64  `json:"bytes"`  // from there to the end of the file
}

func (t *TornTail) String() string {
	return fmt.Sprintf("%s has %d bytes after offset %d that are no whole append", t.File, t.Bytes, t.Offset)
}

// walEnd is where a write-ahead log ends. The zero value: there is none.
type walEnd struct {
	path   string
	number uint32
	offset int64     // of the last whole append's end
	whole  bool      // nothing follows
	torn   *TornTail // what follows, if it is a torn tail
}

// findTornTail looks at a directory that is not open. Damage that is more than a torn tail is left for the storage engine to report.
func findTornTail(disk vfs.FS, dir string) (*TornTail, error) {
	logs, err := wal.Scan(wal.Dir{FS: disk, Dirname: dir})
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(logs) == 0 {
		return nil, nil //nolint:nilnil // nothing is torn where nothing is
	}
	if err != nil {
		return nil, fmt.Errorf("look for a torn tail: %w", err)
	}
	end, err := readWAL(logs[len(logs)-1], func([]byte) error { return nil })
	if err == nil {
		err = end.judge(disk)
	}
	return end.torn, err
}

// judge tells a torn tail from what was there before the log was begun.
func (e *walEnd) judge(disk vfs.FS) error {
	if e.whole || e.path == "" {
		return nil
	}
	rest, err := readFrom(disk, e.path, e.offset)
	if err != nil {
		return fmt.Errorf("look for a torn tail in %s: %w", e.path, err)
	}
	if !unwritten(rest, e.number) {
		e.torn = &TornTail{File: e.path, Offset: e.offset, Bytes: int64(len(rest))}
	}
	return nil
}

// readWAL visits each commit of a write-ahead log, up to the first that is not whole.
func readWAL(log wal.LogicalLog, visit func(commit []byte) error) (walEnd, error) {
	end := walEnd{number: uint32(log.Num)}
	_, end.path = log.SegmentLocation(log.NumSegments() - 1)
	reader := log.OpenForRead()
	defer reader.Close() //nolint:errcheck // it was only read
	var buf bytes.Buffer
	for {
		commit, at, err := reader.NextRecord() // it has read the record when it returns
		end.offset = at.Physical
		switch {
		case errors.Is(err, io.EOF):
			end.whole = true
			return end, nil
		case err != nil:
			return end, nil
		}
		buf.Reset()
		if _, err := buf.ReadFrom(commit); err != nil {
			return end, nil
		}
		if err := visit(buf.Bytes()); err != nil {
			return end, err
		}
	}
}

func readFrom(disk vfs.FS, path string, offset int64) ([]byte, error) {
	file, err := disk.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	info, err := file.Stat()
	if err != nil || info.Size() <= offset {
		return nil, err
	}
	rest := make([]byte, info.Size()-offset)
	_, err = file.ReadAt(rest, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return rest, err
}

// unwritten tells whether bytes after the last whole record were there before this log began: zeros, or the rest of an older log whose
// file is used again. A chunk has its checksum (4 bytes), length (2) and type (1), then the number of its log (4).
func unwritten(rest []byte, log uint32) bool {
	zeros := true
	for _, b := range rest {
		zeros = zeros && b == 0
	}
	const numberAt, headBytes = 7, 11
	if zeros || len(rest) < headBytes {
		return zeros
	}
	number := binary.LittleEndian.Uint32(rest[numberAt:])
	return number != log && number != 0
}
