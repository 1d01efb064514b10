package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// socketPort names the socket of a server without TCP.
const socketPort = 5432

// prepare makes the cluster when there is none and returns the programs that fit it.
func (d *directory) prepare(ctx context.Context, found []binaries, options Options) (binaries, error) {
	hba := "local all all trust\n" // the directory is private
	if options.TCP {
		hba += "host all all 127.0.0.1/32 scram-sha-256\n"
	}
	if err := d.write("pg_hba.conf", hba); err != nil {
		return binaries{}, err
	}
	made, err := d.read("pgdata/PG_VERSION")
	if err != nil {
		return binaries{}, err
	}
	want := 0
	if made != "" {
		if want, err = strconv.Atoi(made); err != nil {
			return binaries{}, fmt.Errorf("read the cluster's version %q: %w", made, err)
		}
	}
	programs, err := choose(ctx, found, want)
	if err != nil || want != 0 {
		return programs, err
	}
	return programs, d.initialise(ctx, programs, options.throwaway)
}

// initialise makes the cluster beside its place and moves it there when it is whole, so that a
// death halfway leaves nothing that looks like a cluster.
func (d *directory) initialise(ctx context.Context, programs binaries, throwaway bool) error {
	if err := d.removeHalfMade(); err != nil {
		return err
	}
	name := "pgdata.new-" + rand.Text()
	args := []string{
		"--pgdata", filepath.Join(d.seen(), name), "--username", roleName, "--encoding", "UTF8", "--locale", "C",
		"--data-checksums", "--auth-local", "trust", "--auth-host", "reject",
	}
	if throwaway {
		args = append(args, "--no-sync")
	}
	if out, err := d.run(ctx, programs.initdb(), args...); err != nil {
		return fmt.Errorf("run initdb: %w\n%s", err, out)
	}
	if err := os.Rename(filepath.Join(d.path, name), cluster(d.path)); err != nil {
		return fmt.Errorf("put the new cluster in its place: %w", err)
	}
	return syncDirectory(d.path)
}

func (d *directory) removeHalfMade() error {
	left, err := filepath.Glob(filepath.Join(d.path, "pgdata.new-*"))
	if err != nil {
		return fmt.Errorf("look for half-made clusters: %w", err)
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove a half-made cluster: %w", err)
		}
	}
	return nil
}

// run runs a program to its end and returns what it printed.
func (d *directory) run(ctx context.Context, program string, args ...string) ([]byte, error) {
	type result struct {
		out []byte
		err error
	}
	ended := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // the program ends with its thread: see attributes
		defer runtime.UnlockOSThread()
		out, err := d.command(ctx, program, args...).CombinedOutput()
		ended <- result{out, err}
	}()
	r := <-ended
	return r.out, r.err
}

func syncDirectory(path string) error {
	dir, err := os.Open(path) //nolint:gosec // our own directory
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// reach decides where the server will listen.
func (d *directory) reach(tcp bool) (reach, error) {
	r := reach{port: socketPort}
	if tcp {
		var err error
		if r.port, err = d.port(); err != nil {
			return r, err
		}
		if r.password, err = d.password(); err != nil {
			return r, err
		}
	}
	var err error
	r.socketDir, err = d.socketDir(r.port)
	return r, err
}

// port returns the port of the last start if it is free, else another.
func (d *directory) port() (int, error) {
	last, err := d.read("port")
	if err != nil {
		return 0, err
	}
	for _, port := range []string{last, "0"} {
		if port == "" {
			continue
		}
		listener, err := net.Listen("tcp4", "127.0.0.1:"+port) //nolint:noctx // a local bind does not block
		if err != nil {
			continue
		}
		chosen := listener.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // a TCP listener's address
		if err := listener.Close(); err != nil {
			return 0, fmt.Errorf("give the port free: %w", err)
		}
		return chosen, d.write("port", strconv.Itoa(chosen))
	}
	return 0, errors.New("no port free on 127.0.0.1")
}

func (d *directory) password() (string, error) {
	password, err := d.read("password")
	if err != nil || password != "" {
		return password, err
	}
	password = rand.Text()
	return password, d.write("password", password)
}

// setPassword is done through the socket, because initdb reads no password after the change of
// account.
func setPassword(ctx context.Context, r reach) (err error) {
	conn, err := pgx.Connect(ctx, r.socketURL())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	// rand.Text is letters and digits: nothing to quote, and a parameter is not possible here.
	_, err = conn.Exec(ctx, "alter role "+roleName+" password '"+r.password+"'")
	return err
}
