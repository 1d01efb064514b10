package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/tidings-io/tidings/internal/process"
	"github.com/tidings-io/tidings/internal/replay"
)

// replayCmd is `tidings replay`: it copies a log into a file, or into another instance.
type replayCmd struct {
	process.TokenFlags
	process.TargetTokenFlags
	pickFlags

	Until  uint64    `help:"End with this position; unless given, with the log's end as of then." placeholder:"POS" unit:"position"`
	To     string    `help:"Play the events into the instance whose API this is, as commands." placeholder:"URL"`
	Before time.Time `help:"Only what was recorded before this time." format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME"`

	URL      string `name:"url" help:"Where the API is whose log is read." default:"http://127.0.0.1:8080" env:"TIDINGS_URL"`
	FromFile string `help:"Read what an earlier --output wrote instead." placeholder:"FILE" type:"existingfile"`
	Output   string `short:"o" help:"Write the events to this file, a line of JSON each, or go on with it; - is standard output." placeholder:"FILE"`
	DryRun   bool   `help:"Count what would be done."`

	Checkpoint  string        `help:"File that remembers how far it came. Unless given: tidings-replay-<source>-<target>.checkpoint here." placeholder:"FILE"`
	Speed       float64       `help:"How many times as fast as it was recorded; 0 is as fast as possible." default:"0" unit:"times"`
	Strict      bool          `help:"Fail at the first event that the other instance refuses for good."`
	Concurrency int           `help:"Commands under way at once." default:"64" unit:"commands"`
	Patience    time.Duration `help:"How long a server that is away is waited for." default:"3m"`
}

// Help shows how it is used.
func (c *replayCmd) Help() string {
	return `Reads the log of one instance, whole or in part, and writes it to a file or plays it into another instance. It may be stopped at any time and run again: it goes on where it stopped. For example:

  tidings replay --output log.ndjson
  tidings replay --user alice --output -
  tidings replay --to http://other:8080 --dry-run
  tidings replay --to http://other:8080
  tidings replay --from-file log.ndjson --to http://other:8080 --speed 10

A token for the API at --url comes from --token-file or TIDINGS_TOKEN, one for the API at --to from --to-token-file or TIDINGS_TO_TOKEN.`
}

// Validate makes wrong values a matter of usage, before anything is opened.
func (c *replayCmd) Validate() error {
	given := 0
	for _, is := range []bool{c.Output != "", c.To != "" || c.DryRun} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return errors.New("give one of --output FILE, --to URL and --dry-run")
	case c.FromFile != "" && (c.User != "" || c.Topic != ""):
		return errors.New("--user and --topic pick from an API: give them when the file is written")
	case c.FromFile != "" && c.Output != "":
		return errors.New("--from-file and --output: the file is there already")
	case c.Concurrency < 1 || c.Concurrency > 1024:
		return errors.New("--concurrency must be between 1 and 1024")
	case c.Speed < 0:
		return errors.New("--speed must not be negative")
	case c.Patience < 0:
		return errors.New("--patience must not be negative")
	}
	if c.To != "" {
		if err := checkURL("--to", c.To); err != nil {
			return err
		}
	}
	return checkURL("--url", c.URL)
}

func checkURL(flag, text string) error {
	at, err := url.Parse(text)
	if err != nil || at.Host == "" || (at.Scheme != "http" && at.Scheme != "https") {
		return fmt.Errorf("%s must be like http://127.0.0.1:8080, not %q", flag, text)
	}
	return nil
}

// Run does what was asked. It may be stopped at any time and run again.
func (c *replayCmd) Run(ctx context.Context) error {
	server, err := c.Server(c.URL, c.Patience)
	if err != nil {
		return err
	}
	bar := progress("replay")
	work := replaying{replayCmd: c, bar: bar, pick: c.pick()}
	work.pick.Until, work.pick.To = c.Until, c.Before
	server.Away = work.waits("the source")
	work.log = &replay.Log{Server: server, Pick: work.pick, Broken: func(why error) { bar.Notice(why.Error()) }}
	work.file = &replay.File{Path: c.FromFile, Pick: work.pick}
	switch {
	case c.Output != "":
		err = work.export(ctx)
	case c.DryRun:
		err = work.count(ctx)
	default:
		err = work.play(ctx)
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("replay: %w; run it again to go on from there", err)
	}
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	return nil
}
