// Command api serves commands, queries and streams over HTTP. Any number of
// them can run side by side.
package main

import (
	"os"

	"github.com/tidings-io/tidings/internal/process"
)

func main() {
	os.Exit(process.Main(&process.APICommand{}, "api",
		"Serves Tidings' commands, queries and streams over HTTP. Any number of them can run side by side.",
		os.Args[1:], os.Stderr))
}
