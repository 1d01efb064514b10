package process

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/limits"
)

// What is in force with access control, unless a flag says otherwise: far above what
// a person's devices ask for, and enough for a service that does not use batches.
// An address may be that of many people behind one proxy.
const (
	defaultLimitUser    = "commands=50/s:100,queries=100/s:200,connects=5/s:20"
	defaultLimitKey     = "commands=1000/s,queries=1000/s,connects=100/s"
	defaultLimitAddress = "commands=2000/s,queries=2000/s,connects=200/s"

	defaultReadersPerUser    = 50
	defaultReadersPerAddress = 2000
	// unset is what a number has that no flag gave.
	unset = -1
)

// LimitFlags bound what each user, API key and address may ask for. They hold over
// all API instances.
type LimitFlags struct {
	LimitUser         string `help:"What each user, or other subject of tokens, may do: rates of commands, queries and connects (of streams), each as 100/s, 10/m, or 100/s:200 with how many may come at once; off is no limit. Unless given: with access control ${limit_user}, else off." placeholder:"RATES" env:"TIDINGS_LIMIT_USER"`
	LimitKey          string `help:"The same for each API key. Unless given: with access control ${limit_key}, else off." placeholder:"RATES" env:"TIDINGS_LIMIT_KEY"`
	LimitAddress      string `help:"The same for each client's address (of IPv6, each /64). Unless given: with access control ${limit_address}, else off." placeholder:"RATES" env:"TIDINGS_LIMIT_ADDRESS"`
	DailyQuota        int    `help:"How many notifications each subject may publish in a day (UTC); 0 is no limit." default:"0" unit:"notifications a day" env:"TIDINGS_DAILY_QUOTA"`
	ReadersPerUser    int    `help:"How many streams of one user's inbox each API instance keeps open; 0 is no limit. Unless given: with access control ${readers_user}, else no limit." placeholder:"N" default:"-1" unit:"streams" env:"TIDINGS_READERS_PER_USER"`
	ReadersPerAddress int    `help:"The same for each client's address. Unless given: with access control ${readers_address}, else no limit." placeholder:"N" default:"-1" unit:"streams" env:"TIDINGS_READERS_PER_ADDRESS"`
}

// Validate refuses what means nothing.
func (f *LimitFlags) Validate() error {
	_, err := f.options(true)
	if f.DailyQuota < 0 {
		err = errors.Join(err, errors.New("--daily-quota must not be negative"))
	}
	if f.ReadersPerUser < unset || f.ReadersPerAddress < unset {
		err = errors.Join(err, errors.New("--readers-per-user and --readers-per-address must not be negative"))
	}
	return err
}

// options are the limits; guarded says whether there is access control.
func (f *LimitFlags) options(guarded bool) (limits.Options, error) {
	o := limits.Options{DailyQuota: f.DailyQuota}
	var flaws error
	for _, flag := range []struct {
		name, given, byDefault string
		rates                  *limits.Rates
	}{
		{"--limit-user", f.LimitUser, defaultLimitUser, &o.User},
		{"--limit-key", f.LimitKey, defaultLimitKey, &o.Key},
		{"--limit-address", f.LimitAddress, defaultLimitAddress, &o.Address},
	} {
		text := flag.given
		if guarded {
			text = cmp.Or(text, flag.byDefault)
		}
		if err := flag.rates.UnmarshalText([]byte(cmp.Or(text, "off"))); err != nil {
			flaws = errors.Join(flaws, fmt.Errorf("%s: %w", flag.name, err))
		}
	}
	o.ReadersPerUser, o.ReadersPerAddress = f.ReadersPerUser, f.ReadersPerAddress
	if o.ReadersPerUser == unset {
		o.ReadersPerUser = ifGuarded(guarded, defaultReadersPerUser)
	}
	if o.ReadersPerAddress == unset {
		o.ReadersPerAddress = ifGuarded(guarded, defaultReadersPerAddress)
	}
	return o, flaws
}

func ifGuarded(guarded bool, n int) int {
	if guarded {
		return n
	}
	return 0
}

// limiter holds the limits; nil where there is none.
func (f *LimitFlags) limiter(guarded bool, pool *pgxpool.Pool, logger *slog.Logger, registerer prometheus.Registerer) (*limits.Limiter, error) {
	o, err := f.options(guarded)
	if err != nil {
		return nil, err
	}
	if o == (limits.Options{}) {
		return nil, nil
	}
	o.Exchange, o.Logger, o.Registerer = limits.Postgres(pool), logger, registerer
	return limits.New(o), nil
}
