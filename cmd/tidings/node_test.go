package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestTheHelpOfTheNode: it serves without a command, so its help shows the flags of serving beside the commands.
func TestTheHelpOfTheNode(t *testing.T) {
	t.Parallel()
	cmd, said := program(t, "node", "--help")
	var shown bytes.Buffer
	cmd.Stdout = &shown
	if got := status(t, cmd.Run()); got != 0 {
		t.Fatalf("got status %d, want 0: %s", got, said)
	}
	for _, want := range []string{"Usage: tidings node <command>", "--listen=", "--data=", "--monitor-listen=", "node serve [flags]"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("got\n%s\nwant it to mention %q", shown.String(), want)
		}
	}
}
