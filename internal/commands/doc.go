// Package commands decides: it turns what somebody asks for into events, or
// into a Refusal.
//
// A command names its stream and decides over the state folded from it; Handle
// is the only part that does I/O. Everything else is pure: no clock, no
// randomness, no log. A command sent twice is harmless.
package commands
