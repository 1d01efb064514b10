package tracing

import (
	"go.opentelemetry.io/otel/trace"
)

// Where the parts of a traceparent are: 00-<trace id>-<parent id>-<flags>.
const (
	traceAt  = 3
	parentAt = 36
	flagsAt  = 53
	wholeLen = 55
)

// Valid says whether text is a W3C trace context that can be passed on: version 00, in
// lower case, with ids that are not zero.
func Valid(text string) bool {
	return len(text) == wholeLen && text[:traceAt] == "00-" && text[parentAt-1] == '-' && text[flagsAt-1] == '-' &&
		isID(text[traceAt:parentAt-1]) && isID(text[parentAt:flagsAt-1]) && isHex(text[flagsAt:])
}

// SampledID is the trace's id where the context says that the trace is kept, and ""
// otherwise. It allocates nothing.
func SampledID(traceparent string) string {
	if !Valid(traceparent) || digit(traceparent[wholeLen-1])&byte(trace.FlagsSampled) == 0 {
		return ""
	}
	return traceparent[traceAt : parentAt-1]
}

// Parse is the span that a traceparent names, as one of another process; not valid
// where the text is not.
func Parse(traceparent string) trace.SpanContext {
	if !Valid(traceparent) {
		return trace.SpanContext{}
	}
	var c trace.SpanContextConfig
	for i := range c.TraceID {
		c.TraceID[i] = pair(traceparent[traceAt+2*i:])
	}
	for i := range c.SpanID {
		c.SpanID[i] = pair(traceparent[parentAt+2*i:])
	}
	c.TraceFlags = trace.TraceFlags(pair(traceparent[flagsAt:])) & trace.FlagsSampled
	c.Remote = true
	return trace.NewSpanContext(c)
}

// Format is the traceparent that names a span.
func Format(c trace.SpanContext) string {
	return "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-" + (c.TraceFlags() & trace.FlagsSampled).String()
}

func isID(s string) bool {
	zero := true
	for i := range len(s) {
		zero = zero && s[i] == '0'
	}
	return !zero && isHex(s)
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func pair(s string) byte { return digit(s[0])<<4 | digit(s[1]) }

// digit is a hexadecimal digit's value; it is known to be one.
func digit(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

// Sampled is the trace's id where the trace is kept, and "" otherwise.
func Sampled(c trace.SpanContext) string {
	if !c.IsSampled() {
		return ""
	}
	return c.TraceID().String()
}
