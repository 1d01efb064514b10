package postgres

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// descriptorPaths: a directory can be named by an inherited descriptor.
const descriptorPaths = true

// attributes put a program into its own process group, so that Ctrl-C is ours to handle, and let
// the kernel end it when the thread that started it ends. SIGQUIT ends Postgres at once; the
// next start recovers, as after any crash.
func attributes(as *account) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT, Credential: as.credential()}
}

// isServerOf tells whether the process works in the cluster, as a server always does.
func isServerOf(pid int, cluster string) bool {
	cwd, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/cwd")
	if err != nil {
		return false
	}
	resolved, err := filepath.EvalSymlinks(cluster)
	return err == nil && cwd == resolved
}
