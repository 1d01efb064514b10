package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// slowRun is one node before and after subscriptions were opened that nobody reads.
type slowRun struct {
	one, many         float64 // appends/s of one writer and of many, without subscriptions
	oneHeld, manyHeld float64 // the same with them
	rss, rssHeld      int64   // after each
	blocked           time.Duration
}

// slowing measures writers without and with subscriptions that do not read.
func (b *bench) slowing(ctx context.Context, binary string, r *report) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var runs []slowRun
	for n := range b.Runs {
		fmt.Fprintf(os.Stderr, "slow: run %d of %d\n", n+1, b.Runs)
		run, err := b.slowOnce(ctx, self, binary)
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	r.section(fmt.Sprintf("Writers beside %d subscriptions that do not read", b.Store.Holders),
		"Through the official client, one event a call. Subscriptions to $all from the end over ten connections of another process, which receives but never takes what it received: "+
			"each is sent what the protocol's windows hold and then blocks. Measured without them, then, on the same node, once all have blocked. Floor: the same node without them.",
		"", "one writer, appends/s", "of the floor", fmt.Sprintf("%d writers, appends/s", b.Store.Writers), "of the floor", "RSS of the node", "until all had blocked", "aim")
	figures := func(figure func(slowRun) float64) []float64 {
		all := make([]float64, len(runs))
		for n, run := range runs {
			all[n] = figure(run)
		}
		return all
	}
	one, many := figures(func(s slowRun) float64 { return s.one }), figures(func(s slowRun) float64 { return s.many })
	oneHeld, manyHeld := figures(func(s slowRun) float64 { return s.oneHeld }), figures(func(s slowRun) float64 { return s.manyHeld })
	r.row("with subscriptions", median(oneHeld, same).String("%.0f"), ratio(oneHeld, one), median(manyHeld, same).String("%.0f"), ratio(manyHeld, many),
		median(runs, func(s slowRun) float64 { return float64(s.rssHeld) / (1 << 20) }).String("%.0f MiB"),
		median(runs, func(s slowRun) float64 { return s.blocked.Seconds() }).String("%.1f s"), "> 80 %")
	r.row("floor: without", median(one, same).String("%.0f"), "", median(many, same).String("%.0f"), "",
		median(runs, func(s slowRun) float64 { return float64(s.rss) / (1 << 20) }).String("%.0f MiB"), "", "")
	return nil
}

func (b *bench) slowOnce(ctx context.Context, self, binary string) (run slowRun, err error) {
	err = withServer(ctx, func(node *server) error {
		return withClient(node.URL, func(client *esdb.Client) error {
			var err error
			if run.one, run.many, err = b.writeBoth(ctx, client); err != nil {
				return err
			}
			_, run.rss = node.usage()
			host, _, _ := strings.Cut(strings.TrimPrefix(node.URL, "esdb://"), "?")
			return withServer(ctx, func(*server) error {
				began := time.Now()
				if err := block(ctx, node, client); err != nil {
					return err
				}
				run.blocked = time.Since(began)
				if run.oneHeld, run.manyHeld, err = b.writeBoth(ctx, client); err != nil {
					return err
				}
				_, run.rssHeld = node.usage()
				return nil
			}, self, "hold", strings.TrimSuffix(host, "/"), strconv.Itoa(b.Store.Holders))
		})
	}, binary, nodeArguments("data")...)
	return run, err
}

func (b *bench) writeBoth(ctx context.Context, client *esdb.Client) (one, many float64, err error) {
	if one, err = write(ctx, 1, b.Store.Span, appendByCall(client)); err != nil {
		return 0, 0, err
	}
	many, err = write(ctx, b.Store.Writers, b.Store.Span, appendByCall(client))
	return one, many, err
}

// block writes more than a subscription that does not read can be sent, and waits until the node has nothing left to do.
func block(ctx context.Context, node *server, client *esdb.Client) error {
	const events, bytes = 100, 2 << 10 // 200 KiB, where the two windows of a subscription, one at each end, have 64 KiB each
	for range events {
		if _, err := client.AppendToStream(ctx, newStream(), esdb.AppendToStreamOptions{}, sized(bytes)); err != nil {
			return err
		}
	}
	const look = 500 * time.Millisecond
	for before, _ := node.usage(); ; {
		if err := pause(ctx, look); err != nil {
			return err
		}
		after, _ := node.usage()
		if after-before < look/10 {
			return nil
		}
		before = after
	}
}

// holdCommand holds subscriptions without reading them.
type holdCommand struct {
	Host  string `arg:""`
	Count int    `arg:""`
}

// window is how much a holder's subscription is sent before it must read: the protocol's default.
const window = 64 << 10

// connections of the holder: so few that each has many subscriptions, as few applications with many have.
const connections = 10

// Run says that it is ready when all are confirmed, and holds them until ctx ends.
func (c *holdCommand) Run(ctx context.Context) error {
	calls := make([]streams.StreamsClient, connections)
	for n := range calls {
		connection, err := grpc.NewClient(c.Host, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithInitialWindowSize(window)) // given, it stays; otherwise it grows to 16 MiB a stream
		if err != nil {
			return err
		}
		defer connection.Close() //nolint:errcheck,gocritic // the process ends; they are few
		calls[n] = streams.NewStreamsClient(connection)
	}
	var wg sync.WaitGroup
	errs := make([]error, c.Count)
	slots := make(chan struct{}, 64)
	for n := range errs {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[n] = hold(ctx, calls[n%connections])
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	fmt.Println("ready " + c.Host)
	<-ctx.Done()
	return nil
}

// hold opens a subscription and waits for no more than its confirmation.
func hold(ctx context.Context, client streams.StreamsClient) error {
	call, err := client.Read(ctx, &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
			AllOption: &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}},
		}},
		CountOption:  &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption: &streams.ReadReq_Options_UUIDOption{
			Content: &streams.ReadReq_Options_UUIDOption_Structured{Structured: &shared.Empty{}},
		},
	}})
	if err != nil {
		return err
	}
	_, err = call.Recv()
	return err
}
