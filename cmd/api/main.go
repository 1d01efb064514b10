// Command api serves commands, queries and streams over HTTP. Any number of
// them can run side by side.
package main

import (
	"os"

	"github.com/tidings-io/tidings/internal/process"
)

func main() {
	os.Exit(process.Main(&process.APICommand{}, "api",
		"Serves Tidings' commands, queries and streams over HTTP. Any number of them can run side by side. It prints one line, ready and its address, once it serves; on SIGTERM or Ctrl-C it ends its streams, finishes what is under way and stops within 10 s. All settings: docs/settings.md.",
		os.Args[1:], os.Stderr))
}
