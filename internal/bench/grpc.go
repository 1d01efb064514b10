package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// calling has writers append through the official client to the real node.
func (b *bench) calling(ctx context.Context, binary string, r *report) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var ours, floors []float64
	for n := range b.Runs { // interleaved, so that both see the same machine
		fmt.Fprintf(os.Stderr, "grpc: run %d of %d\n", n+1, b.Runs)
		floor, err := b.callOnce(ctx, self, "floor-node")
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		one, err := b.callOnce(ctx, binary, nodeArguments("data")...)
		if err != nil {
			return err
		}
		ours, floors = append(ours, one), append(floors, floor)
	}
	r.section(fmt.Sprintf("Append through the official client, %d writers", b.Store.Writers),
		"One event a call, to `tidings node`, durable before it is answered; one client, one connection. "+
			"Floor: the same client to a server of the same protocol that puts events into a map.",
		"", "appends/s", "of the floor", "aim")
	r.row("`tidings node`", median(ours, same).String("%.0f"), ratio(ours, floors), "≥ 70 %")
	r.row("floor", median(floors, same).String("%.0f"), "", "")
	return nil
}

// nodeArguments start a node on a port of its own.
func nodeArguments(dir string) []string {
	return []string{"node", "--data", dir, "--listen", "127.0.0.1:0"}
}

func (b *bench) callOnce(ctx context.Context, program string, args ...string) (perSecond float64, err error) {
	err = withServer(ctx, func(s *server) error {
		return withClient(s.URL, func(client *esdb.Client) error {
			var err error
			perSecond, err = write(ctx, b.Store.Writers, b.Store.Span, appendByCall(client))
			return err
		})
	}, program, args...)
	return perSecond, err
}

// withServer has f use a server that is stopped afterwards.
func withServer(ctx context.Context, f func(*server) error, program string, args ...string) error {
	s, err := start(ctx, program, args...)
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.stop())
}
