//go:build !linux

package postgres

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// descriptorPaths: there is no way to name a directory by a descriptor here.
const descriptorPaths = false

// attributes put a program into its own process group, so that Ctrl-C is ours to handle. A server
// whose starter was killed lives on here until the next Start ends it.
func attributes(as *account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: as.credential()}
}

// isServerOf tells whether the process is a Postgres server of the cluster.
func isServerOf(pid int, cluster string) bool {
	out, err := exec.Command("ps", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), cluster)
}
