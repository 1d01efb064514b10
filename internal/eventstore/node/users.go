package node

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/bcrypt"

	"github.com/tidings-io/tidings/internal/certificate"
)

const (
	// maxUsersBytes is far more than all users of one machine's event store.
	maxUsersBytes = 1 << 20
	// maxCost bounds what one password costs: about two seconds of a core.
	maxCost = 15
	// maxPasswordBytes is all that bcrypt looks at.
	maxPasswordBytes = 72
)

// Users are those who may call a node, as a file lists them: lines of name:hash, where the hash is bcrypt's ($2a$, $2b$ or $2y$, as htpasswd -B
// and HashPassword make them); empty lines and lines that begin with # say nothing. A file that is replaced is read again within a
// second of the next call; what is open then stays open.
//
// Every user may do everything: access lists in streams' metadata are kept and not enforced.
type Users struct {
	file   string
	logger *slog.Logger
	files  *certificate.Watched
	roll   atomic.Pointer[roll]
	// hashing has room for one: passwords are hashed one at a time, so that whoever tries passwords gets one core at most. What has been
	// checked once is remembered, so hardly any call comes here.
	hashing chan struct{}
}

// OpenUsers reads the file; its errors say file and line. The logger, which may be nil, hears of a file read again, of a new one that is not in
// order, in whose place the old users stay, and of a file that everybody may read.
func OpenUsers(file string, logger *slog.Logger) (*Users, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	u := &Users{file: file, logger: logger, files: certificate.Watch(file), hashing: make(chan struct{}, 1)}
	if err := u.read(); err != nil {
		return nil, err
	}
	return u, nil
}

// HashPassword is the line of a users file for a name and its password.
func HashPassword(name string, password []byte) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	switch {
	case len(password) == 0:
		return "", errors.New("the password is empty: clients send none then")
	case len(password) > maxPasswordBytes:
		return "", fmt.Errorf("the password has %d bytes, and can have %d", len(password), maxPasswordBytes)
	case bytes.ContainsAny(password, "\x00\r\n"):
		return "", errors.New("the password has a line end or a zero byte in it")
	}
	hash, err := bcrypt.GenerateFromPassword(password, bcrypt.DefaultCost)
	if err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	return name + ":" + string(hash), nil
}

// current is the roll as the file has it now, or had it when it was last in order.
func (u *Users) current() *roll {
	if u.files.Changed() {
		if err := u.read(); err != nil {
			u.logger.Error("the new users file is not in order, the old users stay", "error", err)
		} else {
			u.logger.Info("the users file was read again", "file", u.file, "users", len(u.roll.Load().hashes))
		}
	}
	return u.roll.Load()
}

func (u *Users) read() error {
	file, err := os.Open(u.file)
	if err != nil {
		return fmt.Errorf("users file: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxUsersBytes+1))
	if err != nil {
		return fmt.Errorf("users file: %w", err)
	}
	if len(text) > maxUsersBytes {
		return fmt.Errorf("%s: a users file has at most %d bytes", u.file, maxUsersBytes)
	}
	hashes, err := parseUsers(u.file, text)
	if err != nil {
		return err
	}
	u.roll.Store(newRoll(hashes, u.hashing))
	if certificate.ReadableByAll(u.file) {
		u.logger.Warn("everybody on this machine may read the users file: chmod o-r it", "file", u.file)
	}
	return nil
}

// parseUsers never repeats what may be a hash or a password.
func parseUsers(file string, text []byte) (map[string][]byte, error) {
	hashes := map[string][]byte{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, hash, err := parseUser(line)
		if _, twice := hashes[name]; err == nil && twice {
			err = fmt.Errorf("user %q is there twice", name)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, number, err)
		}
		hashes[name] = hash
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(hashes) == 0 {
		return nil, fmt.Errorf("%s: it names no user", file)
	}
	return hashes, nil
}

var bcryptHash = regexp.MustCompile(`^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$`)

func parseUser(line string) (string, []byte, error) {
	name, hash, found := strings.Cut(line, ":")
	if !found {
		return "", nil, errors.New("a line is name:hash")
	}
	if err := checkName(name); err != nil {
		return "", nil, err
	}
	cost, err := bcrypt.Cost([]byte(hash))
	switch {
	case err != nil || !bcryptHash.MatchString(hash):
		return "", nil, fmt.Errorf("what follows the name %q is no bcrypt hash, such as tidings node hash-password and htpasswd -B make", name)
	case cost > maxCost:
		return "", nil, fmt.Errorf("the hash of user %q has cost %d: at most %d, or every login would take seconds", name, cost, maxCost)
	}
	return name, []byte(hash), nil
}

func checkName(name string) error {
	switch {
	case name == "" || strings.TrimSpace(name) != name || name[0] == '#':
		return fmt.Errorf("%q is no user name: it is empty, has spaces around it, or begins with #", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r == ':' || r < ' ' || r == 0x7f }):
		return fmt.Errorf("%q is no user name: it has a colon or a control character in it", name)
	}
	return nil
}
