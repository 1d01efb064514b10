package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// checkBackup compares the files of a backup with its manifest; a directory that is a log's has none.
func (c *checker) checkBackup(ctx context.Context, dir string, disk vfs.FS) error {
	if _, err := disk.Stat(disk.PathJoin(dir, incompleteFile)); err == nil {
		c.fault(Fault{Kind: FaultFile, File: incompleteFile, Text: "this is what an interrupted backup or restore left"})
		return nil
	}
	if _, err := disk.Stat(disk.PathJoin(dir, manifestFile)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	manifest, err := readManifest(disk, dir)
	if errors.Is(err, errOtherFormat) {
		return err
	}
	if err != nil {
		c.fault(Fault{Kind: FaultFile, File: manifestFile, Text: err.Error()})
		return nil //nolint:nilerr // it is found, and told in the answer
	}
	c.found.Backup = manifest
	progress := &copyProgress{tell: c.progress, step: StepFiles, total: manifest.Bytes()}
	for _, file := range manifest.Files {
		read, err := digestFile(ctx, disk, disk.PathJoin(dir, file.Name), progress)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = file.compare(read, "of the backup")
		}
		if err != nil {
			c.fault(Fault{Kind: FaultFile, File: file.Name, Text: err.Error()})
		}
	}
	return nil
}

// checkBackupHead compares the log with what its backup's manifest says.
func (c *checker) checkBackupHead() {
	if m := c.found.Backup; m != nil && m.Head != c.found.Head {
		c.fault(Fault{Kind: FaultFile, File: manifestFile, Position: m.Head, Text: fmt.Sprintf(
			"the log ends at position %d, the backup says %d", c.found.Head, m.Head)})
	}
}
