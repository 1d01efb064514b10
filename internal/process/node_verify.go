package process

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// NodeVerifyCommand is `tidings node verify`.
type NodeVerifyCommand struct {
	Data string `help:"Directory of the log, or of a backup." default:"./data/eventstore" env:"TIDINGS_NODE_DATA"`
	JSON bool   `name:"json" help:"Print what was found as JSON."`
}

// Run checks everything: through the process that has the log open, or by itself when none has. It fails when anything is wrong.
func (c *NodeVerifyCommand) Run(ctx context.Context) error {
	shown := newTaskProgress(os.Stderr)
	var found *eventlog.Verification
	line, err := viaNode(ctx, c.Data, "verify", controlRequest{}, shown.show, func() error {
		var err error
		found, err = eventlog.VerifyDirectory(ctx, c.Data, eventlog.VerifyOptions{Progress: shown.show})
		return err
	})
	shown.done()
	if err != nil {
		return interrupted(ctx, "verify", err)
	}
	if line.Verified != nil {
		found = line.Verified
	}
	if c.JSON {
		err = printJSON(os.Stdout, found)
	} else {
		tellVerification(os.Stdout, found)
	}
	if err == nil && !found.Whole() {
		err = fmt.Errorf("verify %s: %d faults; docs/operations/node.md says what to do", c.Data, len(found.Faults)+found.Omitted)
	}
	return err
}

func tellVerification(to io.Writer, v *eventlog.Verification) {
	fmt.Fprintf(to, "checked %d events in %d streams up to position %d, and %d table files: %s, %.0f events/s\n",
		v.Events, v.Streams, v.Head, v.Tables, v.Took.Round(time.Millisecond), float64(v.Events)/v.Took.Seconds())
	if v.Gaps > 0 {
		fmt.Fprintf(to, "positions have %d gaps, as after a restore or an accepted loss\n", v.Gaps)
	}
	switch {
	case v.Torn == nil:
	case v.Whole():
		fmt.Fprintf(to, "torn tail, never acknowledged, cut off by the next start: %s\n", v.Torn)
	default:
		fmt.Fprintf(to, "the newest write-ahead log ends early: %s\n", v.Torn)
	}
	if v.Unmarked {
		fmt.Fprintln(to, "what was acknowledged is not known: the file ACKNOWLEDGED is missing, so a loss at the end could not be seen")
	}
	for _, fault := range v.Faults {
		fmt.Fprintf(to, "%s: %s\n", fault.Kind, fault.Text)
	}
	if v.Omitted > 0 {
		fmt.Fprintf(to, "and %d more\n", v.Omitted)
	}
	if v.Whole() {
		fmt.Fprintln(to, "everything is as it was written")
	}
}

func printJSON(to io.Writer, what any) error {
	encoder := json.NewEncoder(to)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(what)
}
