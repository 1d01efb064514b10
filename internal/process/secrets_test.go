package process

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hush is a part of every secret here. Nobody may say it.
const hush = "hush"

// given is a setting as a variable or, every other one, as a file.
func given(t *testing.T, asFile bool, variable, value string) string {
	t.Helper()
	if !asFile {
		return variable + "=" + value
	}
	file := filepath.Join(t.TempDir(), "setting")
	if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return variable + "_FILE=" + file
}

const (
	goodDatabase = "postgres://app:hush@127.0.0.1:1/db"
	goodStore    = "esdb://admin:hush@127.0.0.1:1?tls=false"
)

// TestMistakesTellNoSecrets: a program that cannot start says why, without repeating what may be a password.
func TestMistakesTellNoSecrets(t *testing.T) {
	t.Parallel()
	databases := []string{
		"hush", "postgres//app:hush@localhost/db", "postgres://app:hush", "postgres://app:hush@localhost:port/db",
		"postgres://app:a/hush@localhost/db", "postgres://app:12/hush@localhost/db", "postgres://app:12?hush@localhost/db",
		"postgres://app:12#hush@localhost/db", "postgres://app:p@hush/word@localhost/db", "postgres://app:p@x?hush@localhost/db",
		"postgres://app:%zzhush@localhost/db", "postgres://app:hush@local host/db", "postgres://app:hush@localhost/db?sslmode=perhaps",
		"postgres://app:hush@localhost/db?pool_max_conns=many", "postgres://app@localhost/db?password=hush&sslmode=perhaps",
		"host=localhost password=my hush user=app", "host=localhost password='hush", "password=hush port=none",
		"host=localhost password = hush connect_timeout=soon", "postgres://app:hush@[::1/db",
	}
	stores := []string{
		"hush", "esdb://admin:hush", "esdb://admin:hush@localhost:port", "esdb://admin:a/hush@localhost:2113", "esdb://admin:hush@",
		"esdb://admin:12/hush@localhost:2113", "esdb://admin:12#hush@localhost",
		"esdb://admin:%zzhush@localhost:2113", "http://admin:hush@localhost:2113", "esdb://admin:hush@localhost:2113?tls=perhaps",
		"esdb://admin:hush@localhost:2113?keepAliveInterval=soon", "esdb://admin:hush@local host:2113", "kurrentdb://admin:hush@a,b:c",
		"esdb://a:hush@b:1@c:port",
	}
	try := func(i int, what, database, store string) {
		t.Run(fmt.Sprintf("%s %d", what, i), func(t *testing.T) {
			t.Parallel()
			for name, asFile := range map[string]bool{"api": i%2 == 0, "projector": i%2 == 1} {
				cmd, words := program(t, name, []string{
					given(t, asFile, "DATABASE_URL", database), given(t, asFile, "EVENTSTORE_URL", store),
				}, "--listen=127.0.0.1:0")
				if got := status(t, cmd.Run()); got != exitFailed {
					t.Errorf("%s: got status %d, want %d\n%s", name, got, exitFailed, words)
				}
				if text := words.String(); strings.Contains(text, hush) || !strings.Contains(text, what) {
					t.Errorf("%s with %s and %s: it said %q", name, database, store, text)
				}
			}
		})
	}
	for i, database := range databases {
		try(i, "database address", database, goodStore)
	}
	for i, store := range stores {
		try(i, "event store", goodDatabase, store)
	}
}

// TestUsageTellsNoSecrets: neither help nor the answer to a wrong flag shows what others would be.
func TestUsageTellsNoSecrets(t *testing.T) {
	t.Parallel()
	both := []string{"DATABASE_URL=" + goodDatabase, "EVENTSTORE_URL=" + goodStore}
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(goodDatabase), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(t.TempDir(), "none")
	for name, c := range map[string]struct {
		environment []string
		args        []string
		status      int
		says        string
	}{
		"help":                       {both, []string{"--help"}, 0, "$DATABASE_URL_FILE"},
		"a wrong flag":               {both, []string{"--lisen=x"}, exitUsage, "--lisen"},
		"a wrong value":              {both, []string{"--log-level=loud"}, exitUsage, "--log-level"},
		"a misspelt flag":            {nil, []string{"--databse-url=" + goodDatabase}, exitUsage, "--databse-url"},
		"a value without a flag":     {both, []string{goodDatabase}, exitUsage, "unexpected argument"},
		"a value after a switch":     {both, []string{"--insecure", goodDatabase}, exitUsage, "unexpected argument"},
		"both a variable and a file": {append(both, "DATABASE_URL_FILE="+file), nil, exitUsage, "DATABASE_URL and DATABASE_URL_FILE are both set"},
		"a file that is not there":   {[]string{"DATABASE_URL_FILE=" + none}, nil, exitUsage, none},
		"a file that is empty":       {[]string{"DATABASE_URL_FILE=" + empty}, nil, exitUsage, empty},
		"nothing at all":             {nil, nil, exitUsage, "--database-url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, words := program(t, "api", c.environment, c.args...)
			if got := status(t, cmd.Run()); got != c.status {
				t.Errorf("got status %d, want %d", got, c.status)
			}
			if text := words.String(); strings.Contains(text, hush) || !strings.Contains(text, c.says) {
				t.Errorf("got %q, want %q in it and no secret", text, c.says)
			}
		})
	}
}

// TestRunningProgramsTellNoSecrets, though neither the event store nor the database is there, or what is there is something else.
func TestRunningProgramsTellNoSecrets(t *testing.T) {
	t.Parallel()
	other := slammed(t)
	for name, c := range map[string]struct {
		asFile, asArgument bool
		address            string
	}{
		"variables":              {address: "127.0.0.1:1"},
		"files":                  {asFile: true, address: "127.0.0.1:1"},
		"arguments":              {asArgument: true, address: "127.0.0.1:1"},
		"somebody else is there": {address: other},
		"a name that nobody has": {asFile: true, address: "nowhere.invalid:5432"},
	} {
		for _, which := range []string{"api", "projector"} {
			t.Run(which+" by "+name, func(t *testing.T) {
				t.Parallel()
				database, store := "postgres://app:hush@"+c.address+"/db", "esdb://admin:hush@"+c.address+"?tls=false"
				listen := freeAddress(t)
				args := []string{"--listen=" + listen}
				var environment []string
				if c.asArgument {
					args = append(args, "--database-url="+database, "--eventstore-url", store)
				} else {
					environment = []string{given(t, c.asFile, "DATABASE_URL", database), given(t, c.asFile, "EVENTSTORE_URL", store)}
				}
				cmd, words := program(t, which, environment, args...)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				shown := map[string]string{}
				for _, path := range []string{"/readyz", "/metrics", "/livez"} {
					shown[path] = patiently(t, "http://"+listen+path, words)
				}
				if !c.asArgument {
					shown["its arguments"] = read(t, fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
				}
				if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				if got := status(t, cmd.Wait()); got != 0 {
					t.Errorf("got status %d, want 0\n%s", got, words)
				}
				shown["its words"] = words.String()
				for what, text := range shown {
					if text == "" || strings.Contains(text, hush) {
						t.Errorf("%s: got %q, want something without the secret", what, text)
					}
				}
				if warned := strings.Count(words.String(), "can read it in ps"); warned != map[bool]int{true: 2}[c.asArgument] {
					t.Errorf("it warned %d times\n%s", warned, words)
				}
			})
		}
	}
}

// slammed is an address where connections are taken and closed.
func slammed(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	return listener.Addr().String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// patiently asks until somebody answers.
func patiently(t *testing.T, address string, words *said) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			text, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s does not answer\n%s", address, words)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDatabaseAddresses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address, host, password, says string
	}{
		"an ordinary one":                                {address: "postgres://app:pw@db.example:5432/x", host: "db.example", password: "pw"},
		"a password in its written form":                 {address: "postgres://app:p%40%2F%3F%23w@db.example/x", host: "db.example", password: "p@/?#w"},
		"an @ that is not, which pgx takes for the last": {address: "postgres://app:p@w@db.example/x", says: "not understood"},
		"a socket":                {address: "postgres:///x?host=/run/pg&user=me@here", host: "/run/pg"},
		"words":                   {address: "host=db.example password=pw", host: "db.example", password: "pw"},
		"a setting that is wrong": {address: "postgres://app:pw@db.example/x?sslmode=perhaps", says: "sslmode"},
		"a host that is none":     {address: "postgres://app:pw@db.example:port/x", says: "not understood"},
	} {
		config, err := parseDatabaseURL(c.address)
		switch {
		case c.says != "":
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "pw") {
				t.Errorf("%s: got %v, want an error that says %q", name, err, c.says)
			}
		case err != nil:
			t.Errorf("%s: got %v, want none", name, err)
		case config.ConnConfig.Host != c.host || config.ConnConfig.Password != c.password:
			t.Errorf("%s: got host %q and password %q, want %q and %q", name, config.ConnConfig.Host, config.ConnConfig.Password, c.host, c.password)
		}
	}
}
