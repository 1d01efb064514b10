package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	store "github.com/tidings-io/tidings/internal/eventstore/esdb"
	"github.com/tidings-io/tidings/internal/postgres"
)

// exported is one export of the log.
type exported struct {
	export, read, copied float64 // events/s: over HTTP, by the API's client alone, as a copy of the same bytes
	cpu                  time.Duration
	peak                 int64 // bytes that the API ever had in memory
}

// exporting has an API process send the whole log, real node and real client, and measures its memory.
func (b *bench) exporting(ctx context.Context, binary string, r *report) error {
	return inTemporary(func(dir string) error {
		data := filepath.Join(dir, "data")
		fmt.Fprintf(os.Stderr, "export: writing %d events\n", b.Store.Read)
		if err := fillReal(ctx, data, b.Store.Read); err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o711); err != nil { // Postgres may run as another user, in a directory of its own
			return err
		}
		build := exec.CommandContext(ctx, "go", "build", "-o", dir+"/", "./cmd/api", "./cmd/projector")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w: %s", err, out)
		}
		var runs []exported
		var size int64
		for n := range b.Runs {
			fmt.Fprintf(os.Stderr, "export: run %d of %d\n", n+1, b.Runs)
			run, bytes, err := b.exportOnce(ctx, binary, dir)
			if err != nil {
				return err
			}
			runs, size = append(runs, run), bytes
		}
		reportExports(r, b.Store.Read, size, runs)
		return nil
	})
}

func reportExports(r *report, events int, size int64, runs []exported) {
	r.section(fmt.Sprintf("Exporting the log, %d events", events),
		fmt.Sprintf("`GET /v1/audit/events` as NDJSON (%.0f MB) from `api` before `tidings node`, to a client that counts lines; memory is the most that the API process ever had (VmHWM), its start and its hub included. "+
			"Floors: the API's own client of the event store, in a process that throws the events away; a copy of the same bytes over HTTP from a file.", float64(size)/1e6),
		"", "events/s", "CPU of the API, µs an event", "memory of the API", "aim")
	figures := func(figure func(exported) float64) spread { return median(runs, figure) }
	r.row("export", figures(func(e exported) float64 { return e.export }).String("%.0f"),
		figures(func(e exported) float64 { return e.cpu.Seconds() * 1e6 / float64(events) }).String("%.1f"),
		figures(func(e exported) float64 { return float64(e.peak) / 1e6 }).String("%.0f MB"), "≥ 50000, < 100 MB")
	r.row("floor: the client alone", figures(func(e exported) float64 { return e.read }).String("%.0f"), "", "", "")
	r.row("floor: a copy over HTTP", figures(func(e exported) float64 { return e.copied }).String("%.0f"), "", "", "")
}

// exportOnce starts everything anew, so that the peak of memory is of one export.
func (b *bench) exportOnce(ctx context.Context, binary, dir string) (run exported, size int64, err error) {
	err = withServer(ctx, func(node *server) error {
		database, err := postgres.Start(ctx, postgres.Options{Dir: filepath.Join(dir, "postgres")})
		if err != nil {
			return err
		}
		addresses := []string{"--eventstore-url", node.URL, "--database-url", database.URL(), "--listen", "127.0.0.1:0"}
		err = withServer(ctx, func(*server) error { return nil }, filepath.Join(dir, "projector"), addresses...) // the API serves once there are tables
		if err == nil {
			err = withServer(ctx, func(api *server) error {
				run, size, err = measureExport(ctx, node.URL, api, filepath.Join(dir, "export.ndjson"), b.Store.Read)
				return err
			}, filepath.Join(dir, "api"), addresses...)
		}
		return errors.Join(err, database.Stop())
	}, binary, nodeArguments(filepath.Join(dir, "data"))...)
	return run, size, err
}

func measureExport(ctx context.Context, store string, api *server, file string, events int) (run exported, size int64, err error) {
	if run.read, err = rate(events, func() error { return readAllOf(ctx, store, events) }); err != nil {
		return run, 0, fmt.Errorf("floor: %w", err)
	}
	before, _ := api.usage()
	if run.export, err = rate(events, func() error { return fetch(ctx, api.URL+"/v1/audit/events", events) }); err != nil {
		return run, 0, err
	}
	after, _ := api.usage()
	run.cpu, run.peak = after-before, api.peak()
	if size, err = save(ctx, api.URL+"/v1/audit/events", file); err != nil {
		return run, 0, err
	}
	run.copied, err = copyOf(ctx, file, events)
	return run, size, err
}

// readAllOf reads the log with the client that the API has.
func readAllOf(ctx context.Context, url string, least int) error {
	s, err := store.Open(url, store.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	n := 0
	for _, err := range s.ReadAll(ctx, 0, events.Filter{}) {
		if err != nil {
			return err
		}
		n++
	}
	if n < least {
		return fmt.Errorf("read %d events of %d", n, least)
	}
	return nil
}

func export(ctx context.Context, url string, take func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/x-ndjson")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return take(answer.Body)
}

// fetch counts the lines of an export.
func fetch(ctx context.Context, url string, least int) error {
	return export(ctx, url, func(body io.Reader) error {
		lines, buffer := 0, make([]byte, 256<<10)
		for {
			n, err := body.Read(buffer)
			lines += bytes.Count(buffer[:n], []byte("\n"))
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
		}
		if lines < least {
			return fmt.Errorf("%d lines of %d", lines, least)
		}
		return nil
	})
}

// save keeps an export.
func save(ctx context.Context, url, name string) (size int64, err error) {
	err = export(ctx, url, func(body io.Reader) error {
		file, err := os.Create(name)
		if err != nil {
			return err
		}
		size, err = io.Copy(file, body)
		return errors.Join(err, file.Close())
	})
	return size, err
}

// copyOf is how fast the saved export comes from a server that only has to send it.
func copyOf(ctx context.Context, name string, events int) (perSecond float64, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed below
	if err != nil {
		return 0, err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		file, err := os.Open(name)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer func() { _ = file.Close() }()                           // it was only read
		_, _ = io.Copy(struct{ io.Writer }{w}, bufio.NewReader(file)) // not by the kernel alone, which the API cannot either
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	perSecond, err = rate(events, func() error { return fetch(ctx, "http://"+listener.Addr().String(), events) })
	err = errors.Join(err, server.Close())
	_ = <-served // that it was closed
	return perSecond, err
}

// peak is the most memory that the process ever had.
func (s *server) peak() int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid)) // 0 elsewhere than on Linux
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes int64
	_, _ = fmt.Sscan(after, &kilobytes)
	return kilobytes << 10
}
