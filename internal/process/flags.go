package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/tidings-io/tidings/internal/projections"
	"github.com/tidings-io/tidings/internal/selfcheck"
	"github.com/tidings-io/tidings/internal/tracing"
)

// LogFlags say what is logged, to standard error.
type LogFlags struct {
	LogLevel  slog.Level `help:"Least level logged: debug, info, warn or error." default:"info" env:"TIDINGS_LOG_LEVEL"`
	LogFormat string     `help:"How it is written: text or json." enum:"text,json" default:"text" env:"TIDINGS_LOG_FORMAT"`
}

// Logger logs as the flags say.
func (f LogFlags) Logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: f.LogLevel}
	var handler slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if f.LogFormat == "json" {
		options.ReplaceAttr = inSeconds
		handler = slog.NewJSONHandler(os.Stderr, options)
	}
	return slog.New(tracing.LogHandler(handler))
}

// inSeconds writes durations as numbers of seconds, for programs that read them: slog's
// own are nanoseconds.
func inSeconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.Float64Value(a.Value.Duration().Seconds())
	}
	return a
}

// ConnectFlags say where a process of its own finds the others.
type ConnectFlags struct {
	EventStoreURL string `name:"eventstore-url" help:"Address of the event store, as its clients write it: esdb://user:password@host:2113?tls=true." default:"esdb://127.0.0.1:2113?tls=false" env:"EVENTSTORE_URL" secret:"url"`
	DatabaseURL   string `name:"database-url" help:"Address of the read model's PostgreSQL: postgres://user:password@host:5432/database. tidings postgres runs one." required:"" env:"DATABASE_URL" secret:"url"`
}

// Exit statuses: done, failed, wrong usage.
const (
	exitFailed = 1
	exitUsage  = 2
)

// Main parses arguments into cli (a kong grammar whose commands, or itself, have
// Run(context.Context) error) and runs it until it is done or told to stop by
// SIGINT or SIGTERM; a second signal ends it at once. It answers the exit status:
// any error is a failure, so that what was told to stop before it was done has
// not succeeded. For a server that is told to stop it is the end of its work: see
// served.
func Main(cli any, name, description string, args []string, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // from then on signals kill

	given := &invocation{name: name, grammar: cli}
	parser, err := newParser(cli, name, kong.Description(description), kong.UsageOnError(), kong.Help(help),
		kong.Writers(os.Stdout, stderr), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(given))
	if err != nil {
		panic(err) // a mistake in the grammar
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %s\nTry %s --help.\n", name, withoutPasswords(err.Error()), name)
		return exitUsage
	}
	given.introduce(parsed, loggerOf(cli, parsed))
	if err := parsed.Run(); err != nil {
		fmt.Fprintf(stderr, "%s: %s\n", name, err)
		return exitFailed
	}
	return 0
}

// invocation is a program and what it was given.
type invocation struct {
	name    string
	grammar any        // a pointer to its struct of flags and commands
	file    configFile // of settings; the zero value where none was named
}

// introduce says what there is to say of the settings before anything runs.
func (i *invocation) introduce(parsed *kong.Context, logger *slog.Logger) {
	warnOfArguments(parsed, logger)
	for name, near := range strayVariables(os.Environ(), variablesOf(parsed.Model.Node, grammarOf())) {
		if near == "" {
			logger.Warn("a variable of the environment means nothing to any program", "variable", name)
		} else {
			logger.Warn("a variable of the environment means nothing to any program", "variable", name, "meant", near)
		}
	}
	logEffective(logger, effectiveOf(parsed, i.file))
}

// newParser reads arguments, environment and files into cli.
func newParser(cli any, name string, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(cli, append([]kong.Option{
		kong.Name(name), kong.Resolvers(kong.ResolverFunc(secretFile)), kong.ValueFormatter(explained),
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true}),
		kong.Vars{
			"store_limit": strconv.Itoa(projections.DefaultStoreLimit), "keep_history": projections.DefaultKeepHistory.String(),
			"self_check_every": selfcheck.DefaultEvery.String(),
			"limit_user":       defaultLimitUser, "limit_key": defaultLimitKey, "limit_address": defaultLimitAddress,
			"readers_user": strconv.Itoa(defaultReadersPerUser), "readers_address": strconv.Itoa(defaultReadersPerAddress),
		},
	}, options...)...)
}

// help shows the flags of a command's default subcommand as the command's own: that is what they are to whoever types them.
func help(options kong.HelpOptions, parsed *kong.Context) error {
	if command := parsed.Selected(); command != nil && command.DefaultCmd != nil {
		command.Flags = append(command.Flags, command.DefaultCmd.Flags...) // the program ends with the help
	}
	return kong.DefaultHelpPrinter(options, parsed)
}

// served is what a server answers for the error it ended with: none if that is
// only its having been told to stop.
func served(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
