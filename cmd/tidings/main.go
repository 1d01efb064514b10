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

	Dev         process.DevCommand         `cmd:"" help:"Run everything in one process: event store, Postgres, API, projector, page."`
	Node        process.NodeCommand        `cmd:"" help:"Run the embedded event store as a process of its own; without a command it serves."`
	Projections process.ProjectionsCommand `cmd:"" help:"Say how far the read model is; rebuild, switch, pause it, skip an event."`
	Postgres    process.PostgresCommand    `cmd:"" help:"Run a private Postgres and print its address."`
	Token       process.TokenCommand       `cmd:"" help:"Make a token for development."`
	Keys        process.KeysCommand        `cmd:"" help:"Make, list and revoke API keys."`
	Config      process.ConfigCommand      `cmd:"" help:"Check a file of settings, or show those in force."`
	Tail        tailCmd                    `cmd:"" help:"Print what the log records, as it is recorded."`
	Replay      replayCmd                  `cmd:"" help:"Copy the log to a file, or play it into another instance."`
	Import      importCmd                  `cmd:"" help:"Replay a workload through the HTTP API, and verify what came of it."`
	Workload    workloadCmd                `cmd:"" help:"Write a generated workload with its expected outcome."`
}

func main() {
	os.Exit(process.Main(&cli{}, "tidings", "An event-sourced notification backend.", os.Args[1:], os.Stderr))
}
