package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// reading reads a log from its start to its end: by itself, and by a subscription of the official client.
func (b *bench) reading(ctx context.Context, binary string, r *report) error {
	return inTemporary(func(dir string) error {
		data, segment := filepath.Join(dir, "data"), filepath.Join(dir, "segment")
		fmt.Fprintf(os.Stderr, "read: writing %d events\n", b.Store.Read)
		if err := fill(ctx, data, b.Store.Read); err != nil {
			return err
		}
		if err := fillRaw(segment, b.Store.Read); err != nil {
			return err
		}
		return b.readAll(ctx, binary, data, segment, r)
	})
}

func (b *bench) readAll(ctx context.Context, binary, data, segment string, r *report) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	sequential := min(b.Store.Read, 200_000) // by subscription: some seconds
	var logs, files, subscriptions, floors []float64
	for n := range b.Runs { // interleaved, so that all see the same machine
		fmt.Fprintf(os.Stderr, "read: run %d of %d\n", n+1, b.Runs)
		file, err := rate(b.Store.Read, func() error { _, err := readRaw(segment); return err })
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		log, err := readLog(data)
		if err != nil {
			return err
		}
		floor, err := subscribeOnce(ctx, sequential, true, self, "floor-node")
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		subscription, err := subscribeOnce(ctx, sequential, false, binary, nodeArguments(data)...)
		if err != nil {
			return err
		}
		logs, files, subscriptions, floors = append(logs, log), append(files, file), append(subscriptions, subscription), append(floors, floor)
	}
	r.section(fmt.Sprintf("Reading the whole log, %d events", b.Store.Read),
		fmt.Sprintf("In order from the start, just opened, so from its files (which the operating system may have in memory); every checksum checked. "+
			"Floor: the records one behind the other in one file, read with their checksums. By subscription: %d events through the official client, all sent by `tidings node`. "+
			"Floor: the same client to a server of the same protocol that has them in a map.", sequential),
		"", "events/s", "of the floor", "aim")
	r.row("the log", median(logs, same).String("%.0f"), ratio(logs, files), "≥ 300000")
	r.row("floor: a file", median(files, same).String("%.0f"), "", "")
	r.row("a subscription", median(subscriptions, same).String("%.0f"), ratio(subscriptions, floors), "")
	r.row("floor: a subscription to a map", median(floors, same).String("%.0f"), "", "")
	return nil
}

func rate(events int, f func() error) (perSecond float64, err error) {
	began := time.Now()
	err = f()
	return float64(events) / time.Since(began).Seconds(), err
}

// readLog opens a log and reads all of it.
func readLog(dir string) (perSecond float64, err error) {
	log, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		return 0, err
	}
	defer func() {
		if closed := log.Close(); err == nil {
			err = closed
		}
	}()
	events, began := 0, time.Now()
	for next := eventlog.Position(1); ; {
		page, err := log.Forward(next, eventlog.Page)
		if err != nil {
			return 0, err
		}
		if len(page) == 0 {
			return float64(events) / time.Since(began).Seconds(), nil
		}
		events += len(page)
		next = page[len(page)-1].Position + 1
	}
}

func subscribeOnce(ctx context.Context, events int, empty bool, program string, args ...string) (perSecond float64, err error) {
	err = withServer(ctx, func(s *server) error {
		return withClient(s.URL, func(client *esdb.Client) error {
			if empty {
				if err := appendBatches(ctx, client, events); err != nil {
					return err
				}
			}
			var err error
			perSecond, err = rate(events, func() error { return subscribe(ctx, client, events) })
			return err
		})
	}, program, args...)
	return perSecond, err
}

// fillRaw makes the floor's file of so many records.
func fillRaw(name string, events int) error {
	var buf []byte
	for range events {
		buf = appendRaw(buf, &rawAppend{stream: newStream(), event: newEvent()})
	}
	return os.WriteFile(name, buf, 0o600)
}
