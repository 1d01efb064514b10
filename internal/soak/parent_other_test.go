//go:build !linux

package soak

import "os/exec"

// dieWithParent does nothing: only Linux can. A test that is killed leaves its processes behind.
func dieWithParent(*exec.Cmd) {}
