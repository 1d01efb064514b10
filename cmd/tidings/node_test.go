package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidings-io/tidings/internal/eventstore/esdb"
)

// TestTheHelpOfTheNode: it serves without a command, so its help shows the flags of serving beside the commands.
func TestTheHelpOfTheNode(t *testing.T) {
	t.Parallel()
	shown := printed(t, "", "node", "--help")
	for _, want := range []string{
		"Usage: tidings node <command>", "--listen=", "--data=", "--monitor-listen=", "--users-file=", "node serve [flags]", "node hash-password <name>",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("got\n%s\nwant it to mention %q", shown, want)
		}
	}
}

// printed runs the program to its good end, with this on its standard input.
func printed(t *testing.T, input string, args ...string) string {
	t.Helper()
	cmd, said := program(t, args...)
	var shown bytes.Buffer
	cmd.Stdin, cmd.Stdout = strings.NewReader(input), &shown
	if got := status(t, cmd.Run()); got != 0 {
		t.Fatalf("%v: got status %d, want 0: %s", args, got, said)
	}
	return shown.String()
}

// TestWhoMayReachTheNode: what is refused says what to add, and reads no file.
func TestWhoMayReachTheNode(t *testing.T) {
	t.Parallel()
	const tls, users = "--tls-cert /none/cert --tls-key /none/key", "--users-file /none/users"
	const usage, failed = 2, 1 // refused at once; accepted, but the files are not there
	for name, c := range map[string]struct {
		args   string
		status int
		says   []string
	}{
		"others, without anything":       {"--listen 0.0.0.0:0", usage, []string{"access control", "--tls-cert, --tls-key and --users-file", "127.0.0.1", "--insecure"}},
		"others, with TLS alone":         {"--listen 0.0.0.0:0 " + tls, usage, []string{"access control: add --users-file,", "--insecure"}},
		"others, with users alone":       {"--listen 0.0.0.0:0 " + users, usage, []string{"--users-file needs --tls-cert and --tls-key"}},
		"others, with users in clear":    {"--listen 0.0.0.0:0 --insecure " + users, usage, []string{"--users-file needs --tls-cert and --tls-key"}},
		"others, with TLS and users":     {"--listen 0.0.0.0:0 " + tls + " " + users, failed, []string{"/none/cert"}},
		"others, with TLS, insecure":     {"--listen 0.0.0.0:0 --insecure " + tls, failed, []string{"/none/cert"}},
		"itself, with TLS":               {"--listen 127.0.0.1:0 " + tls, failed, []string{"/none/cert"}},
		"itself, with TLS and users":     {"--listen 127.0.0.1:0 " + tls + " " + users, failed, []string{"/none/cert"}},
		"itself, with users alone":       {"--listen 127.0.0.1:0 " + users, usage, []string{"--users-file needs"}},
		"a certificate without its key":  {"--listen 127.0.0.1:0 --tls-cert /none/cert", usage, []string{"go together"}},
		"a key without its certificate":  {"--listen 127.0.0.1:0 --tls-key /none/key", usage, []string{"go together"}},
		"no address, with TLS and users": {"--listen 2113 " + tls + " " + users, usage, []string{"missing port"}},
		"no address, insecure":           {"--listen 2113 --insecure", usage, []string{"missing port"}},
		"the monitor, with all of it": {
			"--listen 127.0.0.1:0 --monitor-listen 0.0.0.0:0 " + tls + " " + users, usage, []string{"0.0.0.0:0", "--insecure"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, said := program(t, append([]string{"node", "--data", t.TempDir()}, strings.Fields(c.args)...)...)
			if got := status(t, cmd.Run()); got != c.status {
				t.Errorf("got status %d, want %d", got, c.status)
			}
			for _, want := range c.says {
				if !strings.Contains(said.String(), want) {
					t.Errorf("got %q, want it to mention %q", said, want)
				}
			}
		})
	}
}

// TestANodeWithUsers is what docs/operations/node.md tells to do, the settings in the environment.
func TestANodeWithUsers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key, users := filepath.Join(dir, "node.pem"), filepath.Join(dir, "node.key"), filepath.Join(dir, "users")
	if shown := printed(t, "", "node", "certificate", "localhost", "--dir", dir); !strings.Contains(shown, "--tls-cert "+cert+" --tls-key "+key) {
		t.Errorf("got %q, want the flags to give", shown)
	}
	line := printed(t, "the-password\r\n", "node", "hash-password", "alice")
	if !strings.HasPrefix(line, "alice:$2a$") || strings.Contains(line, "the-password") {
		t.Fatalf("got %q, want a name and a hash", line)
	}
	if err := os.WriteFile(users, []byte("# who may call\n"+line), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, said := program(t, "node", "--data", filepath.Join(dir, "data"), "--listen", "localhost:0")
	cmd.Env = append(cmd.Env, "TIDINGS_NODE_TLS_CERT="+cert, "TIDINGS_NODE_TLS_KEY="+key, "TIDINGS_NODE_USERS_FILE="+users)
	url := readyNode(t, cmd.StdoutPipe, cmd.Start)
	if !strings.HasSuffix(url, "?tls=true") {
		t.Errorf("got %s, want that it says TLS", url)
	}
	address := strings.TrimSuffix(strings.TrimPrefix(url, "esdb://"), "?tls=true")
	address = "localhost" + address[strings.LastIndex(address, ":"):]
	for who, good := range map[string]bool{"alice:the-password@": true, "alice:wrong@": false, "": false} {
		store, err := esdb.Open(fmt.Sprintf("esdb://%s%s?tlsCaFile=%s", who, address, filepath.Join(dir, "authority.pem")), esdb.Options{})
		if err != nil {
			t.Fatal(err)
		}
		const reason = "name or the password is wrong"
		settled := func(err error) bool { return err == nil || strings.Contains(err.Error(), reason) }
		_, err = store.Head(t.Context())
		for deadline := time.Now().Add(patience); !settled(err) && time.Now().Before(deadline); { // a busy machine hashes slowly
			_, err = store.Head(t.Context())
		}
		if (err == nil) != good || !settled(err) {
			t.Errorf("as %q: got %v, want that it is let in: %t, or told why not", who, err, good)
		}
		store.Close()
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := status(t, cmd.Wait()); got != 0 {
		t.Errorf("got status %d, want 0", got)
	}
	if strings.Contains(said.String(), "the-password") || strings.Contains(said.String(), "$2a$") {
		t.Errorf("the log tells the password: %s", said)
	}
}

// readyNode starts a prepared node and answers the address it prints.
func readyNode(t *testing.T, stdout func() (io.ReadCloser, error), start func() error) string {
	t.Helper()
	out, err := stdout()
	if err != nil {
		t.Fatal(err)
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ok {
		t.Fatalf("got %q, %v, want ready and its address", line, err)
	}
	return url
}

// TestACertificateIsRenewed: clients that trust the authority need nothing new.
func TestACertificateIsRenewed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "tls")
	trusted := x509.NewCertPool()
	var serials []string
	for _, hosts := range [][]string{{"store.example.org", "10.0.0.5", "::1"}, {"store.example.org", "10.0.0.5", "::1"}} {
		printed(t, "", append([]string{"node", "certificate", "--dir", dir, "--days", "30"}, hosts...)...)
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "node.pem"), filepath.Join(dir, "node.key"))
		if err != nil {
			t.Fatal(err)
		}
		if len(serials) == 0 {
			authority, err := os.ReadFile(filepath.Join(dir, "authority.pem"))
			if err != nil || !trusted.AppendCertsFromPEM(authority) {
				t.Fatalf("the authority: %v", err)
			}
		}
		for _, host := range hosts {
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: trusted, DNSName: host}); err != nil {
				t.Errorf("%s: %v", host, err)
			}
		}
		if left := time.Until(pair.Leaf.NotAfter); left > 30*24*time.Hour || left < 29*24*time.Hour {
			t.Errorf("it is valid for %s, want 30 days", left)
		}
		serials = append(serials, pair.Leaf.SerialNumber.String())
	}
	if serials[0] == serials[1] {
		t.Error("the certificate was not renewed")
	}
	for file, want := range map[string]os.FileMode{"authority.key": 0o600, "node.key": 0o600, "node.pem": 0o644} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want %o", file, info.Mode(), err, want)
		}
	}
}
