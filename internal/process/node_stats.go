package process

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// NodeStatsCommand is `tidings node stats`.
type NodeStatsCommand struct {
	NodeDataFlag
	Quick bool `help:"Leave out the counts of events and streams, which take about a second for a million events."`
	JSON  bool `name:"json" help:"Print them as JSON."`
}

// Run prints them: from the process that has the log open, or from the directory when none has.
func (c *NodeStatsCommand) Run(ctx context.Context) error {
	shown := newTaskProgress(os.Stderr)
	var stats *eventlog.Stats
	line, err := viaNode(ctx, c.Data, "stats", controlRequest{Count: !c.Quick}, shown.show, func() error {
		var err error
		stats, err = eventlog.StatsDirectory(ctx, c.Data, eventlog.StatsOptions{Count: !c.Quick, Progress: shown.show})
		return err
	})
	shown.done()
	if err != nil {
		return interrupted(ctx, "stats", err)
	}
	if line.Stats != nil {
		stats = line.Stats
	}
	if c.JSON {
		return printJSON(os.Stdout, stats)
	}
	return tellStats(os.Stdout, stats)
}

func tellStats(out io.Writer, s *eventlog.Stats) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name string, form string, args ...any) {
		fmt.Fprintf(table, "%s\t"+form+"\n", append([]any{name}, args...)...)
	}
	row("format", "%s", s.Format)
	row("head", "%d", s.Head)
	if c := s.Counted; c != nil {
		row("events", "%d", c.Events)
		row("streams", "%d", c.Streams)
		row("tombstoned", "%d", c.Tombstoned)
		row("with metadata", "%d", c.WithMetadata)
	}
	if !s.LastEvent.IsZero() {
		row("last event", "%s", s.LastEvent.Format(time.RFC3339))
	}
	if s.OpenSince.IsZero() {
		row("open", "no")
	} else {
		row("open since", "%s", s.OpenSince.Format(time.RFC3339))
	}
	row("tables", "%s", inMiB(s.Bytes.Tables))
	row("write-ahead log", "%s", inMiB(s.Bytes.WAL))
	row("other files", "%s", inMiB(s.Bytes.Other))
	if s.FreeBytes >= 0 {
		row("free", "%s", inMiB(s.FreeBytes))
	}
	if s.MinFreeBytes > 0 {
		row("must stay free", "%s", inMiB(s.MinFreeBytes))
	}
	if s.Failure != "" {
		row("appends refused", "%s", s.Failure)
	}
	return table.Flush()
}
