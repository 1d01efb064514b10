// Package postgres runs a private PostgreSQL server for development and tests, from the
// binaries found on the machine.
//
// A server belongs to one directory and to the process that started it: it listens on a unix
// socket inside that directory (and, on request, on 127.0.0.1 with a password), never as root,
// and ends with its process, also when that process is killed. The next Start on the same
// directory continues with the same data. Nothing outside the directory is changed, but for a
// small directory with a short name when the socket's path would be too long to connect to.
//
// As root on Linux the server reaches its directory through an inherited descriptor, so that it
// also works below directories that only root may enter.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// roleName is the superuser of the private server, and databaseName what URL points at.
	roleName     = "tidings"
	databaseName = "postgres"

	// startPatience bounds a start, recovery after a crash included.
	startPatience = 2 * time.Minute
	// stopPatience is how long sessions get to end before the server is told to drop everything.
	stopPatience = 20 * time.Second
	// quitPatience is how long the server gets after that before it is killed.
	quitPatience = 10 * time.Second
)

// Options says where the server lives and who may reach it.
type Options struct {
	// Dir is the server's private directory, made when missing. One running server per directory.
	Dir string
	// TCP also listens on 127.0.0.1, on a port and with a random password that stay the same
	// from start to start; URL then names those.
	TCP bool
	// Logger gets the server's own log lines at debug level; nil drops them.
	Logger *slog.Logger

	// throwaway trades durability for speed: for data that dies with the process anyway.
	throwaway bool
}

// Server is a running private PostgreSQL. Its methods may be called from any goroutine.
type Server struct {
	url       string
	process   *process
	directory *directory
	stop      func() error

	done       chan struct{} // closed when it has ended and the directory is free again
	releaseErr error         // how giving the directory back went; written before done is closed
}

// Start starts the server in options.Dir, making its cluster first when there is none, and
// returns once a connection has succeeded. A server left behind by a process that was killed is
// ended first. ctx bounds the start only.
//
// If no PostgreSQL is installed the error says what to install; TIDINGS_POSTGRES_BIN names
// the directory of its programs when they are at an unusual place.
func Start(ctx context.Context, options Options) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	found, err := findBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := openDirectory(ctx, options.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the Postgres directory %s: %w", options.Dir, err)
	}
	return start(ctx, options, found, dir)
}

// start owns dir from here on.
func start(ctx context.Context, options Options, found []binaries, dir *directory) (*Server, error) {
	running, reach, err := launch(ctx, options, found, dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start Postgres in %s: %w", dir.path, err), dir.close())
	}
	server := &Server{url: reach.url(), process: running, directory: dir, done: make(chan struct{})}
	server.stop = sync.OnceValue(server.stopOnce)
	go server.release()
	if options.TCP {
		if err := setPassword(ctx, reach); err != nil {
			return nil, errors.Join(fmt.Errorf("set the Postgres password: %w", err), server.Stop())
		}
	}
	return server, nil
}

// URL returns the address to connect with, as pgx and psql understand it. With Options.TCP it
// holds the password.
func (s *Server) URL() string { return s.url }

// Done is closed when the server has ended, for whatever reason; Err then says why. From then on
// another Start on the same directory may follow.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err returns nil while the server runs and after Stop, and what it last logged if it ended
// by itself.
func (s *Server) Err() error { return s.process.ending() }

// Stop ends all sessions and stops the server cleanly; it returns once the server is gone,
// after about 30 seconds at most. Further calls return the first one's result.
func (s *Server) Stop() error { return s.stop() }

func (s *Server) stopOnce() error {
	if err := s.process.stop(); err != nil {
		return fmt.Errorf("stop Postgres in %s: %w", s.directory.path, err)
	}
	<-s.done
	return s.releaseErr
}

// release gives the directory back when the server has ended.
func (s *Server) release() {
	<-s.process.done
	s.releaseErr = s.directory.close()
	close(s.done)
}

// reach is how a client gets to the server.
type reach struct {
	socketDir string
	port      int
	password  string // empty: the unix socket only
}

func (r reach) url() string {
	if r.password == "" {
		return r.socketURL()
	}
	return (&url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(roleName, r.password),
		Host:     "127.0.0.1:" + strconv.Itoa(r.port),
		Path:     "/" + databaseName,
		RawQuery: url.Values{"sslmode": {"disable"}}.Encode(),
	}).String()
}

func (r reach) socketURL() string {
	query := url.Values{"host": {r.socketDir}, "port": {strconv.Itoa(r.port)}, "user": {roleName}, "sslmode": {"disable"}}
	return "postgres:///" + databaseName + "?" + query.Encode()
}

// launch makes everything ready and starts the server program.
func launch(ctx context.Context, options Options, found []binaries, dir *directory) (*process, reach, error) {
	if err := dir.endOrphan(ctx); err != nil {
		return nil, reach{}, fmt.Errorf("end the one left behind: %w", err)
	}
	programs, err := dir.prepare(ctx, found, options)
	if err != nil {
		return nil, reach{}, fmt.Errorf("prepare the cluster: %w", err)
	}
	r, err := dir.reach(options.TCP)
	if err != nil {
		return nil, reach{}, fmt.Errorf("choose how to reach it: %w", err)
	}
	running, err := startReady(ctx, dir, programs, r, options)
	return running, r, err
}

// startReady starts the server program and waits until it answers. A lock file of a server that
// is still ending may refuse it for some seconds.
func startReady(ctx context.Context, dir *directory, programs binaries, r reach, options Options) (*process, error) {
	const lockPatience = 10 * time.Second
	refusedUntil := time.Now().Add(lockPatience)
	for {
		running, err := startProcess(dir, programs, settings(r, options), options.Logger)
		if err != nil {
			return nil, err
		}
		err = running.waitReady(ctx, r)
		if err == nil {
			return running, nil
		}
		stopErr := running.stop()
		if !running.lockedOut() || time.Now().After(refusedUntil) || ctx.Err() != nil {
			return nil, errors.Join(err, stopErr)
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// settings are given on the command line at every start, so that an older cluster follows
// today's choices.
func settings(r reach, options Options) map[string]string {
	//nolint:gosec // no password, but how passwords are kept
	chosen := map[string]string{
		// Relative to the cluster: short however deep the directory is.
		"unix_socket_directories": "..",
		"listen_addresses":        "",
		"port":                    strconv.Itoa(r.port),
		"password_encryption":     "scram-sha-256",
		"max_connections":         "100",
		"shared_buffers":          "128MB",
		"max_wal_size":            "2GB",
		"fsync":                   "on",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"log_destination":         "stderr",
		"logging_collector":       "off",
		// Our queries are short: compiling them costs more than running them.
		"jit": "off",
	}
	if r.password != "" {
		chosen["listen_addresses"] = "127.0.0.1"
	}
	if options.throwaway {
		chosen["fsync"] = "off"
		chosen["full_page_writes"] = "off"
		chosen["synchronous_commit"] = "off"
		chosen["max_connections"] = "200"
	}
	return chosen
}

// retryEvery is short because a start usually takes a tenth of a second.
const retryEvery = 25 * time.Millisecond

// pause waits before the next try, or returns ctx's error when that ends first.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(retryEvery):
		return nil
	}
}

// alive tells whether a process with this id exists.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// cluster is the directory with the tables, below the private directory.
func cluster(dir string) string { return filepath.Join(dir, "pgdata") }

// exists tells whether there is anything at path that we can see.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
