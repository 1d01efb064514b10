package process

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A flag with the tag secret may hold one, wholly (secret:"") or as a part of an
// address (secret:"url"). Its value also comes from the file that the environment
// variable with _FILE at its end names, as images are used to, so that it shows neither
// among the processes nor in their environment.
const secretTag = "secret"

// fileSuffix ends the name of the variable that names a file.
const fileSuffix = "_FILE"

// maxSecretBytes is more than any key or address has.
const maxSecretBytes = 64 << 10

// secretFile is a kong resolver.
func secretFile(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if !flag.Tag.Has(secretTag) {
		return nil, nil
	}
	for _, variable := range flag.Envs {
		file, given := os.LookupEnv(variable + fileSuffix)
		if !given {
			continue
		}
		if _, both := os.LookupEnv(variable); both {
			return nil, fmt.Errorf("%s and %s%s are both set: unset one", variable, variable, fileSuffix)
		}
		text, err := readSecret(file)
		if err != nil {
			return nil, fmt.Errorf("%s%s: %w", variable, fileSuffix, err)
		}
		return text, nil
	}
	return nil, nil
}

// readSecret leaves out the line's end that editors add. Its errors name the file and
// nothing that is in it.
func readSecret(file string) (string, error) {
	opened, err := os.Open(file) //nolint:gosec // the operator says which file
	if err != nil {
		return "", err
	}
	defer func() { _ = opened.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(opened, maxSecretBytes+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxSecretBytes:
		return "", fmt.Errorf("%s: a secret has at most %d bytes", file, maxSecretBytes)
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if secret == "" {
		return "", fmt.Errorf("%s: the file is empty", file)
	}
	return secret, nil
}

// explained adds to a flag's help which variables it comes from.
func explained(value *kong.Value) string {
	text := kong.DefaultHelpValueFormatter(value)
	if !value.Tag.Has(secretTag) {
		return text
	}
	all := []string{text}
	for _, variable := range value.Tag.Envs {
		all = append(all, "$"+variable+fileSuffix+" names a file to read it from.")
	}
	return strings.Join(all, " ")
}

// warnOfArguments warns of secrets that were given as arguments: everybody on the machine
// can list those.
func warnOfArguments(parsed *kong.Context, logger *slog.Logger) {
	for _, at := range parsed.Path {
		if at.Flag == nil || at.Resolved || !at.Flag.Tag.Has(secretTag) {
			continue
		}
		if at.Flag.Tag.Get(secretTag) == "url" && !holdsPassword(at.Flag.Target.String()) {
			continue
		}
		instead := "a file"
		if envs := at.Flag.Envs; len(envs) > 0 {
			instead = envs[0] + ", or " + envs[0] + fileSuffix + " with the name of a file"
		}
		logger.Warn("a secret was given as an argument: everybody on this machine can read it in ps",
			"flag", "--"+at.Flag.Name, "instead", "set "+instead)
	}
}

// loggerOf logs as the flags of the command that was chosen say.
func loggerOf(cli any, parsed *kong.Context) *slog.Logger {
	type logs interface{ Logger() *slog.Logger }
	if command := parsed.Selected(); command != nil && command.Target.CanAddr() {
		if l, ok := reflect.TypeAssert[logs](command.Target.Addr()); ok {
			return l.Logger()
		}
	}
	if l, ok := cli.(logs); ok {
		return l.Logger()
	}
	return LogFlags{}.Logger()
}

// userinfo is what may hold a password in an address.
var userinfo = regexp.MustCompile(`://[^\s"]*@`)

// withoutPasswords is what may be said of wrong usage: kong repeats arguments that it
// does not understand.
func withoutPasswords(text string) string { return userinfo.ReplaceAllLiteralString(text, "://...@") }

// holdsPassword says whether an address has a password in it, or may have.
func holdsPassword(address string) bool {
	if strings.Contains(address, "password") {
		return true
	}
	u, err := url.Parse(address)
	if err != nil {
		return strings.Contains(address, "@")
	}
	_, has := u.User.Password()
	return has || strings.Contains(u.Path+u.RawQuery+u.Fragment, "@")
}

// errDatabaseURL says no more, as the address may have a password anywhere.
var errDatabaseURL = errors.New("it is not understood, and not repeated as it may hold a password: it is written " +
	"postgres://user:password@host:5432/database, where in the user's name and password % is written %25, / %2F, ? %3F, # %23 and @ %40")

// parseDatabaseURL is pgxpool's, but for errors that might tell a password, and for
// addresses of which a part of a password would be taken for a host or a database.
func parseDatabaseURL(address string) (*pgxpool.Config, error) {
	isURL := strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
	if isURL && unclear(address) {
		return nil, errDatabaseURL
	}
	config, err := pgxpool.ParseConfig(address)
	if err == nil {
		return config, nil
	}
	if !isURL {
		return nil, errDatabaseURL
	}
	u, parseErr := url.Parse(address)
	if parseErr != nil || u.User == nil || strings.Contains(u.RawQuery, "password") {
		return nil, errDatabaseURL
	}
	u.User = url.User(u.User.Username())
	if _, err := pgxpool.ParseConfig(u.String()); err != nil {
		return nil, err // nothing secret is left in it
	}
	return nil, errDatabaseURL
}

// unclear says that a password may reach to where others look for a path or settings,
// because something in it should have been written otherwise.
func unclear(address string) bool {
	_, rest, _ := strings.Cut(address, "://")
	authority, rest := splitAny(rest, "/?#")
	path, rest := splitAny(rest, "?#")
	settings, fragment, _ := strings.Cut(rest, "#")
	switch {
	case strings.Contains(rest, "#") || fragment != "": // no database has one
		return true
	case strings.Contains(path, "@"), strings.Count(authority, "@") > 1: // pgx takes what follows the first for the host
		return true
	case authority != "" && !strings.Contains(authority, "@") && strings.Contains(settings, "@"):
		return true
	}
	for setting := range strings.SplitSeq(strings.TrimPrefix(settings, "?"), "&") {
		name, _, _ := strings.Cut(setting, "=")
		if strings.Contains(name, "@") {
			return true
		}
	}
	return false
}

// splitAny splits before the first of some characters.
func splitAny(text, characters string) (before, after string) {
	if i := strings.IndexAny(text, characters); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}
