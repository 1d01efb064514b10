// Package process is what a process is made of: an API, a projector, a node, a
// private Postgres, or all of them in one.
//
// Each is a struct of settings with a Run that blocks until its context ends,
// so that main has only flags to add. It alone knows how the parts are joined.
package process
