package node

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
)

// Delete hides a stream until something is appended to it.
func (s *streamsService) Delete(ctx context.Context, request *streams.DeleteReq) (*streams.DeleteResp, error) {
	_, isRevision := request.GetOptions().GetExpectedStreamRevision().(*streams.DeleteReq_Options_Revision)
	stream, expected, err := parseExpected(request.GetOptions(), isRevision)
	if err != nil {
		return nil, s.endUnary(ctx, err)
	}
	position, err := s.node.log.Delete(ctx, stream, expected)
	if err != nil {
		return nil, s.endUnary(ctx, err)
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: &streams.DeleteResp_Position{
		CommitPosition: uint64(position), PreparePosition: uint64(position),
	}}}, nil
}

// Tombstone ends a stream for ever.
func (s *streamsService) Tombstone(ctx context.Context, request *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	_, isRevision := request.GetOptions().GetExpectedStreamRevision().(*streams.TombstoneReq_Options_Revision)
	stream, expected, err := parseExpected(request.GetOptions(), isRevision)
	if err != nil {
		return nil, s.endUnary(ctx, err)
	}
	position, err := s.node.log.Tombstone(ctx, stream, expected)
	if err != nil {
		return nil, s.endUnary(ctx, err)
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{
		CommitPosition: uint64(position), PreparePosition: uint64(position),
	}}}, nil
}
