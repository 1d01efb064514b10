package node

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// end is the status of a stream that failed; it also sets its trailers.
func (s *streamsService) end(call grpc.ServerStream, err error) error {
	f := failed(err)
	if len(f.trailers) > 0 {
		call.SetTrailer(f.trailers)
	}
	s.report(call.Context(), f)
	return f.status.Err()
}

// endUnary is end for calls with one answer.
func (s *streamsService) endUnary(ctx context.Context, err error) error {
	f := failed(err)
	if len(f.trailers) > 0 {
		if err := grpc.SetTrailer(ctx, f.trailers); err != nil {
			return err
		}
	}
	s.report(ctx, f)
	return f.status.Err()
}

// report logs the node's own faults: to their callers they are only a code.
func (s *streamsService) report(ctx context.Context, f *failure) {
	if code := f.status.Code(); code == codes.Internal || code == codes.Aborted {
		s.node.logger.ErrorContext(ctx, "event store call failed", "code", code.String(), "error", f.status.Message())
	}
}
