package process

import (
	"context"
	"fmt"
	"os"
	"time"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// NodeRestoreCommand is `tidings node restore`.
type NodeRestoreCommand struct {
	From string `help:"Directory that tidings node backup made. It is not changed." required:"" placeholder:"DIR"`
	NodeDataFlag
}

// Run restores into a directory that does not exist, or is empty.
func (c *NodeRestoreCommand) Run(ctx context.Context) error {
	shown := newTaskProgress(os.Stderr)
	began := time.Now()
	restored, err := eventlog.Restore(ctx, c.From, c.Data, eventlog.RestoreOptions{Progress: shown.show})
	shown.done()
	if err != nil {
		return interrupted(ctx, "restore", err)
	}
	m := restored.Manifest
	fmt.Printf("restored the backup of %s: everything up to position %d, %s, %s\n",
		m.Created.Format(time.RFC3339), m.Head, inMiB(m.Bytes()), time.Since(began).Round(time.Millisecond))
	fmt.Printf("new events get positions above %d: none is used twice\n", restored.Above)
	return nil
}
