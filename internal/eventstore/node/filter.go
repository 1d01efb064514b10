package node

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// defaultWindow is how many records a real node considers in one step when the request does not say.
const defaultWindow = 32

// maxPatternBytes: a compiled pattern takes some hundred times its text's memory.
const maxPatternBytes = 16 << 10

// filter chooses records of the whole log. nil lets everything through.
type filter struct {
	byStream bool
	prefixes []string
	pattern  *regexp.Regexp
	interval uint64 // records considered between checkpoints
}

func parseFilter(options *streams.ReadReq_Options_FilterOptions) (*filter, error) {
	if options == nil {
		return nil, nil // nil is the filter that lets everything through
	}
	f := &filter{byStream: options.GetStreamIdentifier() != nil}
	expression := options.GetEventType()
	if f.byStream {
		expression = options.GetStreamIdentifier()
	}
	if expression == nil {
		return nil, refuse(codes.InvalidArgument, "the filter has no expression")
	}
	f.prefixes = expression.GetPrefix()
	if text := expression.GetRegex(); text != "" {
		if len(text) > maxPatternBytes {
			return nil, refuse(codes.InvalidArgument,
				fmt.Sprintf("the filter's pattern has %d bytes, at most %d are allowed", len(text), maxPatternBytes))
		}
		pattern, err := regexp.Compile(text)
		if err != nil {
			return nil, refuse(codes.InvalidArgument, "the filter's "+err.Error())
		}
		f.pattern = pattern
	}
	window := uint64(options.GetMax())
	if window == 0 {
		window = defaultWindow
	}
	f.interval = window * uint64(options.GetCheckpointIntervalMultiplier())
	return f, nil
}

func (f *filter) matches(r *eventlog.Record) bool {
	if f == nil {
		return true
	}
	if hidden(r.Stream) {
		return false
	}
	text := r.Type
	if f.byStream {
		text = r.Stream
	}
	if f.pattern != nil {
		return f.pattern.MatchString(text)
	}
	return slices.ContainsFunc(f.prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}

// hidden streams would make filtered subscriptions feed themselves; a real node leaves them out of every filtered read.
func hidden(stream string) bool {
	if stream == "$epoch-information" {
		return true
	}
	const groups = "$persistentsubscription-$all::"
	return strings.HasPrefix(stream, groups) && (strings.HasSuffix(stream, "-checkpoint") || strings.HasSuffix(stream, "-parked"))
}
