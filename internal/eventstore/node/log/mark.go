package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// mark is what the log keeps of itself outside of the storage engine, so that a log that lost its end can be told from one that never
// had it, and so that no position is used twice even then.
//
// It is written in place after each commit is durable and before its appends are answered, without a sync: after the death of the
// process it is exact, after the death of the machine at worst too low, which finds less and claims nothing wrong.
type mark struct {
	acknowledged Position // appends up to here were answered
	floor        Position // no event is written at or below, though none may be there
}

// next is the lowest position for the next event of a log that ends at head.
func (m mark) next(head Position) Position { return max(head, m.acknowledged, m.floor) + 1 }

const (
	markFile  = "ACKNOWLEDGED"
	markMagic = "tidings1"
	markBytes = len(markMagic) + 8 + 8 + 4
	// fileCategory is how the storage engine's files are counted; ours are too few to have their own.
	fileCategory = vfs.WriteCategoryUnspecified
)

func (m mark) append(buf []byte) []byte {
	start := len(buf)
	buf = append(buf, markMagic...)
	buf = binary.BigEndian.AppendUint64(buf, uint64(m.acknowledged))
	buf = binary.BigEndian.AppendUint64(buf, uint64(m.floor))
	return binary.BigEndian.AppendUint32(buf, crc32.Checksum(buf[start:], castagnoli))
}

func parseMark(text []byte) (mark, error) {
	if len(text) != markBytes || string(text[:len(markMagic)]) != markMagic ||
		crc32.Checksum(text[:markBytes-4], castagnoli) != binary.BigEndian.Uint32(text[markBytes-4:]) {
		return mark{}, fmt.Errorf("the file %s is damaged: %w", markFile, ErrCorrupt)
	}
	rest := text[len(markMagic):]
	return mark{
		acknowledged: Position(binary.BigEndian.Uint64(rest)),
		floor:        Position(binary.BigEndian.Uint64(rest[8:])),
	}, nil
}

// readMark reads a directory's mark; found is false when there is none.
func readMark(disk vfs.FS, dir string) (m mark, found bool, err error) {
	file, err := disk.Open(disk.PathJoin(dir, markFile))
	if errors.Is(err, fs.ErrNotExist) {
		return mark{}, false, nil
	}
	if err != nil {
		return mark{}, false, fmt.Errorf("read the mark: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(file, int64(markBytes)+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return mark{}, false, fmt.Errorf("read the mark: %w", err)
	}
	m, err = parseMark(text)
	return m, err == nil, err
}

// writeMark gives a directory a mark, durably, in place of the one it has.
func writeMark(disk vfs.FS, dir string, m mark) error {
	write := func() error {
		path := disk.PathJoin(dir, markFile)
		file, err := disk.Create(path+".new", fileCategory)
		if err != nil {
			return err
		}
		_, err = file.Write(m.append(nil))
		if err == nil {
			err = file.Sync()
		}
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
		if err := disk.Rename(path+".new", path); err != nil {
			return err
		}
		return syncDir(disk, dir)
	}
	if err := write(); err != nil {
		return fmt.Errorf("write the mark: %w", err)
	}
	return nil
}

func syncDir(disk vfs.FS, dir string) error {
	handle, err := disk.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}

// marker keeps the mark of an open log. It belongs to the committer.
type marker struct {
	file vfs.File
	mark mark
	buf  []byte

	failed bool
}

func openMarker(disk vfs.FS, dir string, m mark) (*marker, error) {
	if err := writeMark(disk, dir, m); err != nil {
		return nil, err
	}
	file, err := disk.OpenReadWrite(disk.PathJoin(dir, markFile), fileCategory)
	if err != nil {
		return nil, fmt.Errorf("open the mark: %w", err)
	}
	return &marker{file: file, mark: m}, nil
}

// acknowledge says that everything up to a position is about to be answered. Where that cannot be written the old mark stays, which
// claims less: said once, and no reason to stop.
func (m *marker) acknowledge(p Position, logger *slog.Logger) {
	m.mark.acknowledged = p
	m.buf = m.mark.append(m.buf[:0])
	if _, err := m.file.WriteAt(m.buf, 0); err != nil && !m.failed {
		m.failed = true
		logger.Error("cannot write down what is acknowledged", "file", markFile, "error", err)
	}
}

func (m *marker) close() error {
	err := errors.Join(m.file.Sync(), m.file.Close())
	if err != nil {
		return fmt.Errorf("close the mark: %w", err)
	}
	return nil
}
