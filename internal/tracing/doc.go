// Package tracing knows W3C trace contexts as events carry them, and what a program
// that exports traces is made of.
//
// A notification is one trace: its request, its append, its folding and its delivery,
// whichever processes they happen in. What joins them is the traceparent in the event's
// metadata. Nothing is traced, and nothing of it costs anything, until Open has made a
// provider; whoever makes spans takes a trace.Tracer that is nil until then.
package tracing
