package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"
)

// TornTail is the end of the newest write-ahead log where it holds no whole append: what a crash in the middle of a write leaves. Opening
// the log cuts it off.
type TornTail struct {
	File   string
	Offset int64 // of the last whole append's end
	Bytes  int64 // from there to the end of the file
}

func (t *TornTail) String() string {
	return fmt.Sprintf("%s has %d bytes after offset %d that are no whole append", t.File, t.Bytes, t.Offset)
}

// walEnd is where the newest write-ahead log of a directory ends. The zero value: there is none.
type walEnd struct {
	path   string
	offset int64     // of the last whole append's end
	last   Position  // of the last event in it, 0 without events
	torn   *TornTail // what follows, if it is a torn tail
}

// findTornTail looks at a directory that is not open.
func findTornTail(disk vfs.FS, dir string) (*TornTail, error) {
	end, err := findEnd(disk, dir)
	return end.torn, err
}

// findEnd looks at a directory that is not open. Damage that is more than a torn tail is left for the storage engine to report.
func findEnd(disk vfs.FS, dir string) (walEnd, error) {
	logs, err := wal.Scan(wal.Dir{FS: disk, Dirname: dir})
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(logs) == 0 {
		return walEnd{}, nil
	}
	if err != nil {
		return walEnd{}, fmt.Errorf("look for a torn tail: %w", err)
	}
	newest := logs[len(logs)-1]
	end, whole := endOfWhole(newest)
	_, end.path = newest.SegmentLocation(newest.NumSegments() - 1)
	if whole {
		return end, nil
	}
	rest, err := readFrom(disk, end.path, end.offset)
	if err != nil {
		return walEnd{}, fmt.Errorf("look for a torn tail in %s: %w", end.path, err)
	}
	if !unwritten(rest, uint32(newest.Num)) {
		end.torn = &TornTail{File: end.path, Offset: end.offset, Bytes: int64(len(rest))}
	}
	return end, nil
}

// endOfWhole is where a write-ahead log's last whole append ends; whole: nothing follows it.
func endOfWhole(log wal.LogicalLog) (end walEnd, whole bool) {
	reader := log.OpenForRead()
	defer reader.Close() //nolint:errcheck // it was only read
	for {
		batch, at, err := reader.NextRecord() // it has read the record when it returns
		end.offset = at.Physical
		switch {
		case err == nil:
			end.last = max(end.last, lastPosition(batch))
		case record.IsInvalidRecord(err):
			return end, false
		default:
			// The end; or what the storage engine meets, too, and reports as corruption.
			return end, true
		}
	}
}

// lastPosition is the highest position in a commit, 0 when it has no events.
func lastPosition(batch io.Reader) Position {
	text, err := io.ReadAll(batch)
	if err != nil {
		return 0 // the storage engine meets it, too
	}
	var last Position
	for entries := batchrepr.Read(text); ; {
		_, key, _, ok, err := entries.Next()
		if !ok || err != nil {
			return last
		}
		if len(key) > 0 && key[0] == spaceLog {
			p, err := positionOfKey(key)
			if err == nil {
				last = max(last, p)
			}
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
