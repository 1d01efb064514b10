package projections

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed sql/migrations/*.sql
var migrations embed.FS

const (
	// migrationTimeout is ample for building an index, here or by another program
	// that we wait for.
	migrationTimeout      = 10 * time.Minute
	migrationRetrySeconds = 1
	migrationTries        = uint64(migrationTimeout / time.Second)
)

// Migrate brings the tables in the first schema of the URL's search_path to
// today's form. It is harmless to repeat, also from several programs at once.
func Migrate(ctx context.Context, databaseURL string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, migrationTimeout)
	defer cancel()
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return fmt.Errorf("read the database URL: %w", err)
	}
	setConnectTimeout(&config.Config)
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(migrationRetrySeconds, migrationTries))
	if err != nil {
		return fmt.Errorf("prepare the migration lock: %w", err)
	}
	files, err := fs.Sub(migrations, "sql/migrations")
	if err != nil {
		return fmt.Errorf("open the migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("prepare the migrations: %w", err)
	}
	if _, err = provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the inbox tables: %w", err)
	}
	return nil
}
