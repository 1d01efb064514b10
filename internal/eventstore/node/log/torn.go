package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

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

// findTornTail looks at a directory that is not open. Damage that is more than a torn tail is left for the storage engine to report.
func findTornTail(disk vfs.FS, dir string) (*TornTail, error) {
	logs, err := wal.Scan(wal.Dir{FS: disk, Dirname: dir})
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(logs) == 0 {
		return nil, nil //nolint:nilnil // nothing is torn where nothing is
	}
	if err != nil {
		return nil, fmt.Errorf("look for a torn tail: %w", err)
	}
	newest := logs[len(logs)-1]
	offset, whole, err := endOfWhole(newest)
	if err != nil || whole {
		return nil, err
	}
	_, path := newest.SegmentLocation(newest.NumSegments() - 1)
	rest, err := readFrom(disk, path, offset)
	if err != nil {
		return nil, fmt.Errorf("look for a torn tail in %s: %w", path, err)
	}
	if unwritten(rest, uint32(newest.Num)) {
		return nil, nil //nolint:nilnil // as above
	}
	return &TornTail{File: path, Offset: offset, Bytes: int64(len(rest))}, nil
}

// endOfWhole is where a write-ahead log's last whole append ends; whole: nothing follows it.
func endOfWhole(log wal.LogicalLog) (offset int64, whole bool, err error) {
	reader := log.OpenForRead()
	defer reader.Close() //nolint:errcheck // it was only read
	for {
		_, at, err := reader.NextRecord() // it has read the record when it returns
		offset = at.Physical
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return offset, true, nil
		case record.IsInvalidRecord(err):
			return offset, false, nil
		case errors.Is(err, fs.ErrNotExist):
			return 0, true, nil
		default:
			return 0, true, nil //nolint:nilerr // the storage engine meets it too, and reports it as corruption
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
