package house

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// pure packages compute from what they are given: the same events give the same answer on any
// machine, at any time. Handle, in commands, talks to a store that it is given.
var pure = []string{"internal/events", "internal/commands", "internal/inbox"}

// impureImports bring in a clock, chance, the environment, the network or a log.
var impureImports = []string{
	"crypto/rand", "database/sql", "log", "math/rand", "net", "net/http", "net/rpc", "net/smtp", "net/textproto", "os",
	"runtime/debug", "syscall", "testing", "io/ioutil", "github.com/prometheus/client_golang",
}

// impureNames are what a pure package may not use of the packages it may import.
var impureNames = map[string][]string{
	"time": {
		"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Local", "LoadLocation",
	},
	"github.com/google/uuid": {
		"New", "NewString", "NewRandom", "NewRandomFromReader", "NewUUID", "NewV6", "NewV7", "NewV7FromReader", "NewDCEGroup",
		"NewDCEPerson", "NewDCESecurity", "EnableRandPool",
	},
	"runtime": {"NumCPU", "GOMAXPROCS", "NumGoroutine"},
}

func TestPurePackagesOnlyCompute(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test() || !slices.Contains(pure, s.dir) {
			continue
		}
		for _, spec := range s.file.Imports {
			importPath := imported(t, spec)
			if importPath != "net/url" && slices.ContainsFunc(impureImports, func(bad string) bool { return below(importPath, bad) }) {
				t.Errorf("%s: %s is pure and may not import %s", s.at(spec.Pos()), s.dir, importPath)
			}
			if spec.Name != nil && spec.Name.Name == "." {
				t.Errorf("%s: a dot import hides what is used of %s", s.at(spec.Pos()), importPath)
			}
		}
		for _, use := range impureUses(t, s) {
			t.Error(use)
		}
	}
}

// impureUses finds time.Now and its like, under whatever name the package was imported.
func impureUses(t *testing.T, s source) []string {
	t.Helper()
	named := s.imports(t)
	var uses []string
	ast.Inspect(s.file, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		from, ok := selector.X.(*ast.Ident)
		if !ok || named[from.Name] == nil {
			return true
		}
		importPath := imported(t, named[from.Name])
		if slices.Contains(impureNames[importPath], selector.Sel.Name) {
			uses = append(uses, s.at(selector.Pos())+": "+s.dir+" is pure and may not use "+from.Name+"."+selector.Sel.Name)
		}
		return true
	})
	return uses
}

// TestOnlyProgramsReadTheEnvironment: configuration is a struct that programs fill and validate.
func TestOnlyProgramsReadTheEnvironment(t *testing.T) {
	t.Parallel()
	reads := []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}
	// postgres finds programs on the machine, by PATH and its like.
	may := []string{"cmd", "internal/process", "internal/postgres", "internal/bench", "internal/soak"}
	for _, s := range sources(t) {
		if s.test() || within(s.dir, may) {
			continue
		}
		ast.Inspect(s.file, func(node ast.Node) bool {
			selector, ok := node.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if from, ok := selector.X.(*ast.Ident); ok && from.Name == "os" && slices.Contains(reads, selector.Sel.Name) {
				t.Errorf("%s: %s reads the environment: programs do that and hand it down", s.at(selector.Pos()), s.dir)
			}
			return true
		})
	}
}

// TestTestsDoNotSleep: they wait for a position or a condition, or run in a synctest bubble.
func TestTestsDoNotSleep(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if !s.test() {
			continue
		}
		named := s.imports(t)
		if named["synctest"] != nil {
			continue // time there is the bubble's
		}
		ast.Inspect(s.file, func(node ast.Node) bool {
			selector, ok := node.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if from, ok := selector.X.(*ast.Ident); ok && from.Name == "time" && selector.Sel.Name == "Sleep" {
				t.Errorf("%s: a test sleeps: wait for a position or a condition", s.at(selector.Pos()))
			}
			return true
		})
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, s := range sources(t) {
		said[s.dir] = said[s.dir] || isPackageComment(s)
	}
	for dir, ok := range said {
		if !ok {
			t.Errorf("%s: no file says what the package is: // Package %s …", dir, defaultName(dir))
		}
	}
}

func isPackageComment(s source) bool {
	if s.file.Doc == nil {
		return false
	}
	text := s.file.Doc.Text()
	if s.file.Name.Name == "main" {
		return len(strings.Fields(text)) > 3 // more than its name
	}
	return strings.HasPrefix(text, "Package "+strings.TrimSuffix(s.file.Name.Name, "_test")+" ")
}
