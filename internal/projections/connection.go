package projections

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	connectTimeout = 5 * time.Second
	closeTimeout   = 2 * time.Second
)

// settings are for the projector's connection alone.
var settings = map[string]string{
	"application_name": "tidings projector",
	// Rows and checkpoint are lost or kept together, and the log is still there.
	"synchronous_commit": "off",
	// The batch drives every join by a few index probes per row. Left to itself the
	// planner scans a whole table for a large batch, or, with a plan made while the
	// tables were small, for every batch.
	"enable_seqscan":   "off",
	"enable_hashjoin":  "off",
	"enable_mergejoin": "off",
	"plan_cache_mode":  "force_generic_plan",
	"jit":              "off",
	"work_mem":         "64MB",
	// A runner whose machine has gone must lose its lock within seconds.
	"tcp_keepalives_idle":     "5",
	"tcp_keepalives_interval": "2",
	"tcp_keepalives_count":    "3",
	// One whose machine answers for it, but that says nothing, too: it is frozen, or what lies between has
	// forgotten it. Five times what passes at most between two words of one that works; while it does something
	// else, whileAlive speaks for it.
	"idle_session_timeout": "5s",
	// Inside a transaction it may be folding, for about a second at most.
	"idle_in_transaction_session_timeout": "10s",
}

// connConfig is for the projector's connection to the tables in a schema; "" is the
// first of the URL's search_path.
func connConfig(databaseURL, schema string) (*pgx.ConnConfig, error) {
	config, err := parseConfig(databaseURL, schema)
	if err != nil {
		return nil, err
	}
	maps.Copy(config.RuntimeParams, settings)
	return config, nil
}

func parseConfig(databaseURL, schema string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("read the database URL: %w", err)
	}
	if schema != "" {
		config.RuntimeParams["search_path"] = pgx.Identifier{schema}.Sanitize()
	}
	setConnectTimeout(&config.Config)
	return config, nil
}

func setConnectTimeout(config *pgconn.Config) {
	if config.ConnectTimeout == 0 || config.ConnectTimeout > connectTimeout {
		config.ConnectTimeout = connectTimeout
	}
}

func connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to Postgres: %w", err)
	}
	return conn, nil
}

// disconnect gives back the lock with the connection, also when ctx has ended.
func disconnect(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // a connection that cannot be closed is gone already
}
