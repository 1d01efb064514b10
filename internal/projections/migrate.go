package projections

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed sql/migrations/*.sql
var migrations embed.FS

//go:embed sql/base/*.sql
var baseMigrations embed.FS

const (
	// migrationTimeout is ample for building an index, here or by another program
	// that we wait for.
	migrationTimeout      = 10 * time.Minute
	migrationRetrySeconds = 1
	migrationTries        = uint64(migrationTimeout / time.Second)
)

// Migrate brings the inbox tables in the first schema of the URL's search_path to
// today's form. It is harmless to repeat, also from several programs at once.
func Migrate(ctx context.Context, databaseURL string) error {
	return migrate(ctx, databaseURL, "", inboxTables)
}

// changes are a directory of migrations and the table that says which were done.
type changes struct {
	of    string
	files embed.FS
	dir   string
	done  string
}

var (
	inboxTables  = changes{"the inbox tables", migrations, "sql/migrations", goose.DefaultTablename}
	versionsBase = changes{"the table of versions", baseMigrations, "sql/base", "versions_goose"}
)

// migrate does so for any of our tables, in a schema; "" is the first of the URL's
// search_path.
func migrate(ctx context.Context, databaseURL, schema string, c changes) (err error) {
	ctx, cancel := context.WithTimeout(ctx, migrationTimeout)
	defer cancel()
	config, err := parseConfig(databaseURL, schema)
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(migrationRetrySeconds, migrationTries))
	if err != nil {
		return fmt.Errorf("prepare the migration lock: %w", err)
	}
	files, err := fs.Sub(c.files, c.dir)
	if err != nil {
		return fmt.Errorf("open the migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true), goose.WithTableName(c.done))
	if err != nil {
		return fmt.Errorf("prepare the migrations: %w", err)
	}
	if _, err = provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", c.of, err)
	}
	return nil
}
