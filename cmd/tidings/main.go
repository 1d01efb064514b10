// Command tidings runs everything in one process (tidings dev) and is the
// operator's tool.
package main

import (
	"os"

	"github.com/tidings-io/tidings/internal/process"
)

//go:generate go test -count=1 -run ^TestSettingsAreWrittenDown$ . -update

type cli struct {
	ConfigFile process.ConfigFlag `name:"config" help:"JSON file of settings, by the flags' names without --; flags and environment win. tidings config check judges one." placeholder:"FILE"`

	Dev         process.DevCommand         `cmd:"" help:"Run everything in one process, for development: event store, PostgreSQL, API, projector, page."`
	Node        process.NodeCommand        `cmd:"" help:"Run the embedded event store as a process of its own; without a command it serves."`
	Projections process.ProjectionsCommand `cmd:"" help:"Say how far the read model is; rebuild, switch or pause it, skip an event that halts it."`
	Postgres    process.PostgresCommand    `cmd:"" help:"Run a private PostgreSQL for development, and print its address for --database-url."`
	Token       process.TokenCommand       `cmd:"" help:"Make a token that an API with access control takes, for development."`
	Keys        process.KeysCommand        `cmd:"" help:"Make, list and revoke API keys."`
	Config      process.ConfigCommand      `cmd:"" help:"Check a file of settings, or show those in force."`
	Tail        tailCmd                    `cmd:"" help:"Print what the log records, as it is recorded."`
	Replay      replayCmd                  `cmd:"" help:"Copy the log to a file, or play it into another instance."`
	Import      importCmd                  `cmd:"" help:"Replay a workload through the HTTP API, and verify what came of it."`
	Workload    workloadCmd                `cmd:"" help:"Write a made-up workload for tidings import, with its expected outcome."`
}

func main() {
	os.Exit(process.Main(&cli{}, "tidings", "Tidings, an event-sourced notification backend: all of it in one process, and its operator's tool. Begin with tidings dev, and open the address that it prints.", os.Args[1:], os.Stderr))
}
