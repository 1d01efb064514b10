// Command projector keeps the read model: it folds the log into Postgres. One
// works; further ones stand by.
package main

import (
	"os"

	"github.com/tidings-io/tidings/internal/process"
)

func main() {
	os.Exit(process.Main(&process.ProjectorCommand{}, "projector",
		"Folds Tidings' log into the read model in PostgreSQL. One works; further ones stand by and take over. On SIGTERM or Ctrl-C it stops within 10 s, and goes on where it was when it starts again. All settings: docs/settings.md.",
		os.Args[1:], os.Stderr))
}
