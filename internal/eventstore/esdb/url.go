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
	if err != nil {
		if problem := (*url.Error)(nil); errors.As(err, &problem) {
			err = problem.Err
		}
		return nil, fmt.Errorf("event store connection string: %w", err)
	}
	config.Logger = clientLog(logger)
	config.DefaultDeadline = nil // every call carries its own
	return config, nil
}

// clientLog passes on what the client says as details for debugging: it reports
// ordinary answers as errors, and what matters is returned as an error anyway.
func clientLog(logger *slog.Logger) client.LoggingFunc {
	return func(level client.LogLevel, format string, args ...any) {
		logger.Debug("the event store client spoke", "level", level, "said", fmt.Sprintf(format, args...))
	}
}
