package esdb

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// parse checks a connection string. Its errors do not repeat the string, which
// may hold a password.
func parse(connection string, logger *slog.Logger) (*client.Configuration, error) {
	if rest, ok := strings.CutPrefix(connection, "kurrentdb"); ok {
		connection = "esdb" + rest // the newer name of the same protocol
	}
	config, err := client.ParseConnectionString(connection)
	if err == nil {
		err = config.Validate()
	}
	switch {
	case err != nil && unclear(connection):
		return nil, errUnclear // the client's error might tell what is a password
	case err == nil && config.Username == "" && strings.Contains(beforeAny(connection, "?"), "@"):
		return nil, errUnclear // taken for a host
	case err != nil && strings.Contains(err.Error(), "invalid port"):
		return nil, errPort // user:password without a host looks like one
	case err != nil:
		if problem := (*url.Error)(nil); errors.As(err, &problem) {
			err = problem.Err
		}
		return nil, fmt.Errorf("event store connection string: %w", err)
	}
	config.Logger = clientLog(logger)
	config.DefaultDeadline = nil // every call carries its own
	return config, nil
}

var errUnclear = errors.New("event store connection string: it is not understood; " +
	"in a user's name and password % is written %25, / %2F, ? %3F, # %23 and @ %40")

var errPort = errors.New("event store connection string: the port is no number")

// unclear says that a password may reach to where others look for a host, a path or settings.
func unclear(connection string) bool {
	if _, rest, found := strings.Cut(connection, "://"); found {
		connection = rest
	}
	authority := beforeAny(connection, "/?#")
	rest := connection[len(authority):]
	if _, err := url.PathUnescape(authority); err != nil {
		return true
	}
	if !strings.Contains(rest, "@") {
		return false
	}
	return rest[0] != '?' || !strings.Contains(authority, "@") // settings may have one
}

func beforeAny(s, ends string) string {
	if i := strings.IndexAny(s, ends); i >= 0 {
		return s[:i]
	}
	return s
}

// clientLog passes on what the client says as details for debugging: it reports
// ordinary answers as errors, and what matters is returned as an error anyway.
func clientLog(logger *slog.Logger) client.LoggingFunc {
	return func(level client.LogLevel, format string, args ...any) {
		logger.Debug("the event store client spoke", "client_level", level, "said", fmt.Sprintf(format, args...))
	}
}
