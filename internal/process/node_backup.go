package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// NodeBackupCommand is `tidings node backup`.
type NodeBackupCommand struct {
	LogFlags
	NodeDataFlag
	To   string `help:"Directory to make. It must not exist, or be empty; its parent must exist. The node writes it, as the user it runs as." required:"" placeholder:"DIR"`
	Link bool   `help:"Share the table files with the log instead of copying them: instantly, and without room. Damage to such a file damages both, so copy the backup elsewhere."`
}

// NodeDataFlag says where a log is.
type NodeDataFlag struct {
	Data string `help:"Directory of the log, as tidings node has it; that of tidings dev is its data directory's eventstore." default:"./data/eventstore" env:"TIDINGS_NODE_DATA"`
}

// Run backs up: through the process that has the log open, or by itself when none has.
func (c *NodeBackupCommand) Run(ctx context.Context) error {
	to, err := filepath.Abs(c.To)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	shown := newTaskProgress(os.Stderr)
	began := time.Now()
	var result *backupResult
	line, err := viaNode(ctx, c.Data, "backup", controlRequest{To: to, Link: c.Link}, shown.show, func() error {
		result, err = c.backup(ctx, to, shown.show)
		return err
	})
	shown.done()
	if err != nil {
		return interrupted(ctx, "backup", err)
	}
	if line.Backup != nil {
		result = line.Backup
	}
	fmt.Printf("backed up everything up to position %d: %d files, %s, %s\n", result.Head, result.Files, inMiB(result.Bytes), time.Since(began).Round(time.Millisecond))
	return nil
}

// backup is for a log that no process has open.
func (c *NodeBackupCommand) backup(ctx context.Context, to string, progress eventlog.Progress) (_ *backupResult, err error) {
	if _, err := eventlog.StatsDirectory(ctx, c.Data, eventlog.StatsOptions{}); err != nil {
		return nil, fmt.Errorf("back up: %w", err) // to open what is not there would make it
	}
	log, err := eventlog.Open(c.Data, eventlog.Options{Logger: c.Logger()})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	manifest, err := log.Backup(ctx, to, eventlog.BackupOptions{Link: c.Link, Progress: progress})
	if err != nil {
		return nil, err
	}
	return resultOf(manifest), nil
}

// interrupted says of a task that was told to stop that it left nothing, in place of the many ways in which it ended.
func interrupted(ctx context.Context, task string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: stopped before it was done; nothing is left of it", task)
	}
	return err
}

func inMiB(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
