// Package soak holds the whole system against its promises while it is tortured.
//
// Reader is a client of a user's live stream that reconnects for ever and remembers everything it was sent; it is also
// the oracle that says what was missing, repeated or out of order. The package's tests build the real programs, start
// them as processes, import a workload while readers are connected, and kill programs at random moments.
package soak
