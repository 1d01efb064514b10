package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/tidings-io/tidings/internal/process"
	"github.com/tidings-io/tidings/internal/replay"
	"github.com/tidings-io/tidings/internal/workload"
)

// tailCmd is `tidings tail`: it prints what the log records, as it is recorded.
type tailCmd struct {
	process.TokenFlags
	pickFlags

	URL  string `name:"url" help:"Where the API is." default:"http://127.0.0.1:8080" env:"TIDINGS_URL"`
	JSON bool   `name:"json" help:"Print each event as the audit trail has it, a line of JSON each."`
}

// pickFlags say which events are meant.
type pickFlags struct {
	After         *uint64   `help:"Begin after this position; 0 is the beginning of the log." placeholder:"POS" unit:"position"`
	From          time.Time `help:"Begin with what was recorded at this time, such as 2026-05-03T00:00:00Z." format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME"`
	User          string    `help:"Only what concerns this user." placeholder:"NAME"`
	Topic         string    `help:"Only what concerns this topic." placeholder:"NAME"`
	Category      string    `help:"Only streams of this category, such as subscription or notification." placeholder:"NAME"`
	Type          string    `help:"Only events of this type, such as Published." placeholder:"NAME"`
	Stream        string    `help:"Only this stream." placeholder:"NAME"`
	CorrelationID string    `name:"correlation-id" help:"Only what this request caused." placeholder:"ID"`
}

func (f *pickFlags) pick() replay.Pick {
	return replay.Pick{
		After: f.after(), From: f.From, User: f.User, Topic: f.Topic, Category: f.Category, Type: f.Type, Stream: f.Stream,
		CorrelationID: f.CorrelationID,
	}
}

func (f *pickFlags) after() uint64 {
	if f.After == nil {
		return 0
	}
	return *f.After
}

// foreverPatience is for what goes on until it is told to stop.
const foreverPatience = 365 * 24 * time.Hour

// Help shows how it is used.
func (c *tailCmd) Help() string {
	return `Prints events from now on, or from --after or --from, until Ctrl-C, which ends it with status 0. A server that is away is waited for; nothing is missed or printed twice. For example:

  tidings tail
  tidings tail --user alice
  tidings tail --from 2026-05-03T00:00:00Z --type Published --json | jq .data.to`
}

// Validate makes wrong values a matter of usage.
func (c *tailCmd) Validate() error { return checkURL("--url", c.URL) }

// Run follows the log until it is told to stop, which is its end and no failure.
func (c *tailCmd) Run(ctx context.Context) error {
	server, err := c.Server(c.URL, foreverPatience)
	if err != nil {
		return err
	}
	say := func(why error) { fmt.Fprintln(os.Stderr, "tail:", replay.Seen(why.Error())) }
	server.Away = say
	log := &replay.Log{Server: server, Pick: c.pick(), Broken: say}
	// A line is written when its event has come, not when a buffer is full.
	out, colours := bufio.NewWriter(os.Stdout), workload.IsTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""
	cursor := ""
	if c.After != nil {
		cursor = strconv.FormatUint(*c.After, 10)
	}
	for e, err := range log.Follow(ctx, cursor) {
		if ctx.Err() != nil {
			return nil // it was told to stop
		}
		if err != nil {
			return fmt.Errorf("tail: %w", err)
		}
		if c.JSON {
			_, _ = out.Write(replay.Escaped(e.Text)) // Flush says what went wrong
		} else {
			_, _ = out.WriteString(replay.Line(&e, colours)) // as above
		}
		if err := errors.Join(out.WriteByte('\n'), out.Flush()); err != nil {
			return fmt.Errorf("tail: print: %w", err)
		}
	}
	return nil
}
