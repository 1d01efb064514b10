package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tidings-io/tidings/internal/workload"
)

// workloadCmd is `tidings workload`: it writes a workload to import, and what a correct system ends with after it.
type workloadCmd struct {
	Seed      uint64 `required:"" help:"Any number: the same seed gives the same workload." placeholder:"N" unit:"any"`
	Publishes int    `help:"How many notifications are published." default:"13401" unit:"publishes"`
	Users     int    `help:"How many users." default:"3986" unit:"users"`
	Topics    int    `help:"How many topics, besides announcements." default:"364" unit:"topics"`
	Out       string `help:"File to write, compressed if its name ends in .gz; the expected outcome goes to FILE.expected.json. Default: standard output, without an expected outcome." placeholder:"FILE"`
}

// Validate makes wrong values a matter of usage, before anything is written.
func (c *workloadCmd) Validate() error {
	if c.Publishes < 1 || c.Users < 1 || c.Topics < 1 {
		return errors.New("--publishes, --users and --topics must be at least 1")
	}
	return nil
}

// Run writes the workload.
func (c *workloadCmd) Run(_ context.Context) error {
	w, err := workload.Generate(c.Seed, workload.Shape{Publishes: c.Publishes, Users: c.Users, Topics: c.Topics})
	if err != nil {
		return fmt.Errorf("generate workload: %w", err)
	}
	if c.Out == "" || c.Out == "-" {
		return w.Write(os.Stdout)
	}
	if err := toFile(c.Out, func(to io.Writer) error { return writeText(w, to, c.Out) }); err != nil {
		return err
	}
	expected := workload.Expect(w.Ops).Outcome
	if err := toFile(c.Out+".expected.json", expected.Write); err != nil {
		return err
	}
	fmt.Printf("%s: %d lines; %s.expected.json: %d items in %d inboxes\n",
		c.Out, len(w.Ops), c.Out, expected.InboxItems, expected.UsersWithItems)
	return nil
}

// writeText writes the workload's text, compressed if the name says so.
func writeText(w *workload.Workload, to io.Writer, name string) error {
	if !strings.HasSuffix(name, ".gz") {
		return w.Write(to)
	}
	compressed := gzip.NewWriter(to)
	if err := w.Write(compressed); err != nil {
		return err
	}
	if err := compressed.Close(); err != nil {
		return fmt.Errorf("compress workload: %w", err)
	}
	return nil
}

// toFile creates or replaces a file with what write writes.
func toFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path) //nolint:gosec // the path is the caller's to choose
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
