package house

import (
	"slices"
	"strings"
	"testing"
)

// sees says which packages of ours a package may import. A package that is not listed must be
// added, with the level it belongs to: events ← commands, projections, queries, live ←
// reactors, eventstore, httpapi ← cmd. Packages on one level do not see each other.
var sees = map[string][]string{
	// The language. Everything is said in it, so it knows nobody.
	"internal/events": {},
	// What a subscriber's filter lets through: the same wherever it is asked.
	"internal/filter": {"internal/events"},
	// Contexts of traces, as events carry them: whoever makes a span or an exemplar knows them.
	"internal/tracing": {"internal/events"},
	// The words of reading that projections, queries and live share.
	"internal/inbox": {"internal/events", "internal/filter"},

	// Deciding never looks at read models: they may be late.
	"internal/commands": {"internal/events"},
	// Folding into tables, reading them and the hub are three folds of one log: none is another's source.
	"internal/projections": {"internal/events", "internal/inbox", "internal/filter", "internal/pulse", "internal/tracing"},
	"internal/queries":     {"internal/events", "internal/inbox", "internal/filter"},
	"internal/live":        {"internal/events", "internal/inbox", "internal/filter", "internal/pulse", "internal/tracing"},

	// Whether a loop moves is the same wherever it runs: it knows names and times.
	"internal/pulse": {},

	// Who somebody is comes from what they show and from what the log says of it; what they ask for is the edge's.
	"internal/access": {"internal/events", "internal/token"},

	// Doubting the tables needs both sides: the fold of the log and what queries answer.
	"internal/selfcheck": {"internal/events", "internal/inbox", "internal/filter", "internal/queries"},

	// Reactors act, then come back in as commands.
	"internal/reactors": {"internal/events", "internal/inbox", "internal/commands", "internal/projections"},
	// Stores keep what commands ask for and nothing more.
	"internal/eventstore/esdb":   {"internal/events", "internal/commands", "internal/tracing"},
	"internal/eventstore/memory": {"internal/events", "internal/commands"},
	// The suite compares a store with the reference, step by step.
	"internal/eventstore/storetest": {"internal/events", "internal/commands", "internal/eventstore/memory"},
	// The embedded node stands for a foreign product: it must not know our events.
	"internal/eventstore/node":     {"internal/eventstore/node/log", "internal/certificate"},
	"internal/eventstore/node/log": {},
	// The edge asks and commands; what is behind it is put together in cmd.
	"internal/httpapi": {"internal/events", "internal/inbox", "internal/filter", "internal/commands", "internal/queries", "internal/live", "internal/access", "internal/limits", "internal/pulse", "internal/tracing", "web"},

	// Counting is the same whoever counts and whatever for: it knows names and numbers.
	"internal/limits": {},

	// Files that are read again when they are replaced: whoever serves TLS may use them.
	"internal/certificate": {},
	// A server is a server.
	"internal/postgres": {},
	// Whose a token is and what it says; what that permits is the edge's to know.
	"internal/token": {},
	// An independent computation of what the API must do: it may share no code with it.
	"internal/workload": {},
	// A client of the API as the importer is, and as independent of what it talks to.
	"internal/replay": {"internal/workload"},
	"internal/house":  {},
	"web":             {},
	"deploy":          {},
	// It writes what deploy reads.
	"deploy/boards": {"deploy"},
}

// putsTogether are the packages that may see everything of ours: they make programs of the parts.
var putsTogether = []string{"cmd", "internal/process", "internal/soak", "internal/bench", "internal/warm"}

func TestPackagesSeeOnlyTheirLevel(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test() || within(s.dir, putsTogether) {
			continue // tests may see what they like: memory stores, servers, the layers above
		}
		allowed, known := sees[s.dir]
		if !known {
			t.Errorf("%s: package %s has no place in the import table of the house", s.at(s.file.Package), s.dir)
			continue
		}
		for _, spec := range s.file.Imports {
			ours, isOurs := strings.CutPrefix(imported(t, spec), module+"/")
			if isOurs && !slices.Contains(allowed, ours) {
				t.Errorf("%s: %s imports %s, but sees only %v", s.at(spec.Pos()), s.dir, ours, allowed)
			}
		}
	}
}

func TestTheImportTableNamesWhatExists(t *testing.T) {
	t.Parallel()
	exists := map[string]bool{}
	for _, s := range sources(t) {
		exists[s.dir] = true
	}
	later := []string{"internal/reactors"} // docs/PLAN.md
	for dir := range sees {
		if !exists[dir] && !slices.Contains(later, dir) {
			t.Errorf("the import table has %s, which does not exist", dir)
		}
	}
}

// ban keeps an import to a few places.
type ban struct {
	path   string
	only   []string // these may import it, and what is below them
	tests  bool     // tests may, anywhere
	reason string
}

var bans = []ban{
	{
		path: "github.com/EventStore/EventStore-Client-Go/v4/esdb", only: []string{"internal/eventstore/esdb", "internal/bench"}, tests: true,
		reason: "the official client dies for good after a second without its server: only esdb supervises it, and bench measures it bare",
	},
	{
		path: "github.com/EventStore/EventStore-Client-Go/v4/protos", only: []string{"internal/eventstore", "internal/bench"},
		reason: "the wire format is the event store's business; bench has a floor that speaks it",
	},
	{
		path: "google.golang.org/grpc", only: []string{"internal/eventstore", "internal/bench"}, tests: true,
		reason: "gRPC is how the event store is reached, and nothing else; bench has a floor that speaks it",
	},
	{
		path: "github.com/cockroachdb/pebble/v2", only: []string{"internal/eventstore/node/log"}, tests: true,
		reason: "one package knows how events lie on disk",
	},
	{
		path:   "github.com/jackc/pgx/v5",
		only:   []string{"internal/projections", "internal/queries", "internal/reactors", "internal/limits", "internal/postgres", "internal/process", "cmd"},
		tests:  true,
		reason: "tables belong to their projection and its queries, and those of limits, which are no fold, to limits; the edge, the hub and deciding never touch them",
	},
	{
		path: "database/sql", only: []string{"internal/projections", "internal/reactors"}, tests: true,
		reason: "only the migrations need it; everything else speaks pgx",
	},
	{
		path: "github.com/pressly/goose/v3", only: []string{"internal/projections", "internal/reactors"},
		reason: "whoever owns tables migrates them",
	},
	{
		path: "net/http", only: []string{"internal/httpapi", "internal/workload", "internal/replay", "internal/soak", "internal/bench", "internal/process", "internal/token", "cmd", "client", "web"}, tests: true,
		reason: "HTTP ends at the edge: status codes, headers and requests mean nothing further in; token only fetches key sets",
	},
	{
		path: "github.com/go-chi/chi/v5", only: []string{"internal/httpapi"},
		reason: "routing is the edge's",
	},
	{
		path: "github.com/danielgtaylor/huma/v2", only: []string{"internal/httpapi"},
		reason: "the API's description is the edge's",
	},
	{
		path: "github.com/alecthomas/kong", only: []string{"cmd", "internal/process", "internal/bench"},
		reason: "flags and environment are read by programs, validated before anything opens",
	},
	{
		path: "github.com/golang-jwt/jwt/v5", only: []string{"internal/token"}, tests: true,
		reason: "the library is laxer than we are: one package reads tokens",
	},
	{
		path: "github.com/MicahParks/jwkset", only: []string{"internal/token"}, tests: true,
		reason: "as golang-jwt: one package says which keys of a set count",
	},
	{
		path: "go.opentelemetry.io/otel/sdk", only: []string{"internal/tracing"}, tests: true,
		reason: "one package decides how spans are sampled, kept and sent; everybody else takes a tracer",
	},
	{
		path: "go.opentelemetry.io/otel/exporters", only: []string{"internal/tracing"},
		reason: "as the SDK",
	},
	{
		path: "go.opentelemetry.io/otel", only: []string{
			"internal/tracing", "internal/httpapi", "internal/live", "internal/projections", "internal/eventstore/esdb", "internal/process",
		}, tests: true,
		reason: "events and commands are pure, and a trace is theirs as text in the metadata; spans are made where a process waits for another",
	},
	{
		path: "github.com/exaring/otelpgx", only: []string{"internal/process"},
		reason: "the pool is made there",
	},
	{
		path: "testing", only: []string{"internal/eventstore/storetest"}, tests: true,
		reason: "products do not carry the test framework",
	},
	{
		path: "github.com/Shopify/toxiproxy/v2", only: nil, tests: true,
		reason: "connections fail by themselves in production; products do not carry what makes them",
	},
	{
		path: "log", only: nil,
		reason: "logs are structured: log/slog",
	},
	{
		path: "github.com/stretchr/testify", only: nil,
		reason: "got before want, printed by the test itself",
	},
	{
		path: "github.com/pkg/errors", only: nil,
		reason: "errors and fmt wrap",
	},
	{
		path: "math/rand", only: nil,
		reason: "math/rand/v2 where chance may be guessed, crypto/rand where it may not",
	},
}

func TestBannedImports(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if within(s.dir, []string{"internal/warm"}) {
			continue
		}
		for _, spec := range s.file.Imports {
			for _, b := range bans {
				if b.forbids(s, imported(t, spec)) {
					t.Errorf("%s: %s imports %s: %s", s.at(spec.Pos()), s.dir, b.path, b.reason)
				}
			}
		}
	}
}

func (b ban) forbids(s source, importPath string) bool {
	exact := b.path == "log" || b.path == "math/rand" || b.path == "testing" // what is below these is another matter
	if importPath != b.path && (exact || !below(importPath, b.path)) {
		return false
	}
	exempt := b.tests && s.test()
	return !exempt && !within(s.dir, b.only)
}

// within tells whether dir is one of the places or below one.
func within(dir string, places []string) bool {
	return slices.ContainsFunc(places, func(place string) bool { return below(dir, place) })
}
