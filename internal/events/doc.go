// Package events is the language of the log: what can be recorded, how it is
// named, and how it is stored.
//
// It owns the envelope (Recorded, Metadata), the names of streams, users and
// topics, one file per kind of stream with its events, and the codec between
// today's Go types and every form ever stored. It does no I/O and knows no
// clock, so that everything above it can be replayed.
//
// Stored type names and fields never change their meaning. A new shape is a new
// version with an upcast from the one before; see codec.go.
package events
