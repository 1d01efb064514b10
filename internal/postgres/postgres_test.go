package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// holdEnv makes this test program hold a server in the named directory until it is killed.
const holdEnv = "TIDINGS_TEST_HOLD_POSTGRES"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdEnv); dir != "" {
		os.Exit(hold(dir))
	}
	os.Exit(m.Run())
}

// hold prints the server's URL and process id, then waits to be killed.
func hold(dir string) int {
	server, err := Start(context.Background(), Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(server.URL(), server.process.cmd.Process.Pid)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func TestContinuesWhereItStopped(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data", "postgres")
	first := start1(t, Options{Dir: dir})
	run(t, first.URL(), "create table kept as select 42 as answer")
	stop(t, first)
	if err := first.Err(); err != nil {
		t.Errorf("after a stop that was asked for: got %v, want no error", err)
	}

	second := start1(t, Options{Dir: dir})
	if got, want := ask(t, second.URL(), "select answer::text from kept"), "42"; got != want {
		t.Errorf("after a restart: got %s, want %s", got, want)
	}
	stop(t, second)
	if err := second.Stop(); err != nil {
		t.Errorf("a second stop: got %v, want no error", err)
	}
}

func TestSettingsAreOurs(t *testing.T) {
	t.Parallel()
	server := start1(t, Options{Dir: t.TempDir()})
	for name, want := range map[string]string{
		"server_encoding": "UTF8", "lc_collate": "C", "timezone": "UTC", "fsync": "on", "full_page_writes": "on",
		"synchronous_commit": "on", "data_checksums": "on", "listen_addresses": "", "max_connections": "100", "jit": "off",
	} {
		if got := ask(t, server.URL(), "select current_setting('"+name+"')"); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestKilledHolderLeavesAStartableDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round := range 3 {
		holder, address, pid := holdIn(t, dir)
		if round == 0 {
			run(t, address, "create table kept (n int)")
		}
		run(t, address, "insert into kept values ("+strconv.Itoa(round)+")")
		if err := holder.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = holder.Wait() // killed, as we know
		server := start1(t, Options{Dir: dir})
		if isServerOf(pid, cluster(dir)) {
			t.Errorf("round %d: the killed program's server %d lives on", round, pid)
		}
		if got, want := ask(t, server.URL(), "select count(*)::text from kept"), strconv.Itoa(round+1); got != want {
			t.Errorf("round %d: got %s committed rows, want %s", round, got, want)
		}
		stop(t, server)
	}
}

func TestServerEndsWithItsHolder(t *testing.T) {
	t.Parallel()
	if !descriptorPaths {
		t.Skip("only Linux ends a child with its parent; elsewhere the next start does it")
	}
	dir := t.TempDir()
	holder, _, pid := holdIn(t, dir)
	if !isServerOf(pid, cluster(dir)) {
		t.Fatal("the holder's server is not recognised")
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // killed, as we know
	eventually(t, "the server ends", func() bool { return !isServerOf(pid, cluster(dir)) })
}

func TestDirectoryInUseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start1(t, Options{Dir: dir})
	if _, err := Start(t.Context(), Options{Dir: dir}); !errors.Is(err, errInUse) {
		t.Errorf("second start: got %v, want %v", err, errInUse)
	}
}

func TestDeathIsSeen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := start1(t, Options{Dir: dir})
	select {
	case <-server.Done():
		t.Fatal("Done is closed while the server runs")
	default:
	}
	if err := server.process.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-server.Done():
	case <-time.After(patience):
		t.Fatal("Done is not closed after the server's death")
	}
	if err := server.Err(); err == nil || !strings.Contains(err.Error(), "immediate shutdown") {
		t.Errorf("got %v, want the server's last log lines", err)
	}
	again := start1(t, Options{Dir: dir})
	if got, want := again.URL(), server.URL(); got != want {
		t.Errorf("URL of the next server: got %s, want %s", got, want)
	}
}

func TestStaleLockFileOfAReusedProcessID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stop(t, start1(t, Options{Dir: dir}))
	// A living process of the server's own account, as a restarted container has them.
	d := &directory{path: dir}
	if err := d.handOver(); err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "60")
	other.SysProcAttr = &syscall.SysProcAttr{Credential: d.account.credential()}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	if err := d.write("pgdata/postmaster.pid", strconv.Itoa(other.Process.Pid)+"\n"); err != nil {
		t.Fatal(err)
	}
	start1(t, Options{Dir: dir})
	if !alive(other.Process.Pid) {
		t.Error("a process that is no server was ended")
	}
}

func TestHalfMadeClusterIsMadeAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	half := filepath.Join(dir, "pgdata.new-HALF")
	if err := os.MkdirAll(filepath.Join(half, "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	start1(t, Options{Dir: dir})
	if exists(half) {
		t.Error("the half-made cluster is still there")
	}
}

func TestTCPAsksForThePassword(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start1(t, Options{Dir: dir, TCP: true})
	if got, want := ask(t, first.URL(), "select host(inet_server_addr())"), "127.0.0.1"; got != want {
		t.Errorf("connected to %s, want %s", got, want)
	}
	wrong := strings.Replace(first.URL(), ":"+password(t, first.URL())+"@", ":wrong@", 1)
	if err := execute(wrong, "select 1"); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("with a wrong password: got %v, want a refusal", err)
	}
	stop(t, first)

	second := start1(t, Options{Dir: dir, TCP: true})
	if got, want := second.URL(), first.URL(); got != want {
		t.Errorf("URL after a restart: got %s, want %s", got, want)
	}
	run(t, second.URL(), "select 1")
	stop(t, second)

	quiet := start1(t, Options{Dir: dir})
	if err := execute(first.URL(), "select 1"); err == nil {
		t.Error("without TCP the port still answers")
	}
	run(t, quiet.URL(), "select 1")
}

func TestLongDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-", 20), strings.Repeat("ü", 20))
	server := start1(t, Options{Dir: dir})
	run(t, server.URL(), "select 1")
	short := server.directory.short
	if short == "" || !exists(short) {
		t.Fatalf("a path of %d bytes has no short way in", len(dir))
	}
	stop(t, server)
	if exists(short) {
		t.Errorf("%s is left behind", short)
	}
}

func TestDirectoryWithAnOddName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a,b", "a b", "a'b", "a%2Cb", "ü", `a\b`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, start1(t, Options{Dir: filepath.Join(t.TempDir(), name)}).URL(), "select 1")
		})
	}
}

func TestRootRunsItUnprivileged(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root has privileges to give up")
	}
	// No account but root may enter the parent.
	parent := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(parent, "postgres")
	server := start1(t, Options{Dir: dir})
	run(t, server.URL(), "select 1")
	info, err := os.Stat("/proc/" + strconv.Itoa(server.process.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid == 0 {
		t.Error("the server runs as root")
	}
	if info, err := os.Stat(parent); err != nil || info.Mode().Perm() != 0o700 || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("the parent was changed: %v, %v", info.Mode(), err)
	}
}

func TestBinariesOfTheNewestVersionComeFirst(t *testing.T) {
	t.Parallel()
	dirs := []string{"/bin", "/usr/lib/postgresql/9.6/bin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/100/bin", "/usr/lib/postgresql/9.10/bin"}
	newestFirst(dirs)
	got := strings.Join(dirs, " ")
	want := "/usr/lib/postgresql/100/bin /usr/lib/postgresql/15/bin /usr/lib/postgresql/9.10/bin /usr/lib/postgresql/9.6/bin /bin"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMissingBinariesSayWhatToInstall(t *testing.T) {
	t.Setenv(binEnv, t.TempDir())
	_, err := Start(t.Context(), Options{Dir: t.TempDir()})
	if !errors.Is(err, ErrNotInstalled) {
		t.Fatalf("got %v, want %v", err, ErrNotInstalled)
	}
	for _, system := range []string{"apt-get install postgresql", "dnf install", "apk add", "brew install", binEnv} {
		if !strings.Contains(err.Error(), system) {
			t.Errorf("the error does not mention %q: %v", system, err)
		}
	}
}

func TestClusterOfAVersionThatIsNotInstalled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(cluster(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cluster(dir), "PG_VERSION"), []byte("7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "PostgreSQL 7") {
		t.Errorf("got %v, want the version that is missing", err)
	}
}

func TestFreshDatabasesAreIsolated(t *testing.T) {
	t.Parallel()
	one, two := Fresh(t), Fresh(t)
	run(t, one, "create table mine (n int)")
	run(t, two, "create table mine (n int)")
	run(t, one, "insert into mine values (1)")
	if got, want := ask(t, two, "select count(*)::text from mine"), "0"; got != want {
		t.Errorf("rows seen through the other: got %s, want %s", got, want)
	}
}

func TestFreshDatabaseIsDropped(t *testing.T) {
	t.Parallel()
	var fresh string
	t.Run("user", func(t *testing.T) {
		fresh = Fresh(t)
		conn, err := pgx.Connect(t.Context(), fresh)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn // left open: the drop must not wait for it
	})
	if err := execute(fresh, "select 1"); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("got %v, want that the database does not exist", err)
	}
}

const patience = 20 * time.Second

func start1(t *testing.T, options Options) *Server {
	t.Helper()
	server, err := Start(t.Context(), options)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return server
}

func stop(t *testing.T, server *Server) {
	t.Helper()
	if err := server.Stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
}

// holdIn starts this test program as a holder of a server in dir.
func holdIn(t *testing.T, dir string) (holder *exec.Cmd, address string, pid int) {
	t.Helper()
	holder = exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holdEnv+"="+dir)
	holder.Stderr = os.Stderr
	if _, err := holder.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the holder did not start: %v", err)
	}
	if _, err := fmt.Sscan(line, &address, &pid); err != nil {
		t.Fatal(err)
	}
	return holder, address, pid
}

func run(t *testing.T, address, statement string) {
	t.Helper()
	if err := execute(address, statement); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, address, query string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var answer string
	if err := conn.QueryRow(t.Context(), query).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

func password(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := parsed.User.Password()
	return secret
}

// eventually waits for a condition of another process, which nothing announces.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !holds(); {
		if time.Now().After(until) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		if err := pause(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
