package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// tableSpan is the part of the keys that a table file has.
type tableSpan struct {
	file        string
	first, last []byte
	bytes       int64
}

// checkTables checks the checksums of all blocks of all tables, those that no walk reads included, and says which file is damaged.
func (c *checker) checkTables(ctx context.Context, db *pebble.DB, disk vfs.FS, dir string) error {
	levels, err := db.SSTables()
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	seen := map[string]bool{}
	var total int64
	for _, level := range levels {
		for i := range level {
			t := &level[i]
			span := tableSpan{
				file: fmt.Sprintf("%s.sst", t.BackingSSTNum), bytes: int64(t.Size),
				first: t.Smallest.UserKey, last: t.Largest.UserKey,
			}
			c.tables = append(c.tables, span)
			total += span.bytes
		}
	}
	slices.SortFunc(c.tables, func(a, b tableSpan) int { return bytes.Compare(a.last, b.last) })
	c.begin(StepTables, total)
	for _, t := range c.tables {
		if !seen[t.file] {
			seen[t.file] = true
			if err := c.checkTable(ctx, disk, dir, t); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) checkTable(ctx context.Context, disk vfs.FS, dir string, t tableSpan) error {
	var entries uint64
	var damage error
	err := c.guarded(t.file, func() error {
		entries, damage = checkBlocks(ctx, disk, disk.PathJoin(dir, t.file))
		return nil
	})
	switch {
	case err != nil:
		return err
	case errors.Is(damage, fs.ErrNotExist) && c.online():
		// It was merged with others since; the walks read those.
	case damage != nil:
		c.fault(Fault{Kind: FaultFile, File: t.file, Text: fmt.Sprintf("%s is damaged: %v", t.file, damage)})
	default:
		c.found.Tables++
	}
	c.entries += int64(entries)
	return c.advance(ctx, t.bytes)
}

// online tells that the log is in use meanwhile.
func (c *checker) online() bool {
	_, snapshot := c.db.(*pebble.Snapshot)
	return snapshot
}

func checkBlocks(ctx context.Context, disk vfs.FS, path string) (entries uint64, err error) {
	file, err := disk.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return 0, err
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return 0, errors.Join(err, file.Close())
	}
	options := &pebble.Options{}
	options.EnsureDefaults()
	options.Levels[0].FilterPolicy = bloom.FilterPolicy(filterBits)
	reader, err := sstable.NewReader(ctx, readable, options.MakeReaderOptions())
	if err != nil {
		return 0, errors.Join(err, file.Close())
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	if err := reader.ValidateBlockChecksums(); err != nil {
		return 0, err
	}
	properties, err := reader.ReadPropertiesBlock(ctx, nil)
	return properties.NumEntries, err
}

// behindDamage is the lowest key behind the table that a walk cannot read any further at a key; nil: there is none.
func (c *checker) behindDamage(key []byte) []byte {
	for _, t := range c.tables {
		if bytes.Compare(t.last, key) >= 0 {
			return append(slices.Clone(t.last), 0)
		}
	}
	return nil
}

// cannotRead keeps the first and the last key of what is damaged, so that nobody looks there once more.
func (c *checker) cannotRead(first, last []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unreadable = append(c.unreadable, tableSpan{first: first, last: last})
}

// canRead tells whether a key is outside of what is damaged.
func (c *checker) canRead(key []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, span := range c.unreadable {
		if bytes.Compare(span.first, key) <= 0 && bytes.Compare(key, span.last) <= 0 {
			return false
		}
	}
	return true
}
