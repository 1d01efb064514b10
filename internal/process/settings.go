package process

import (
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// unitTag says what a flag's number counts.
const unitTag = "unit"

// programs are those that have a process of their own, as they are called; so that each
// knows the settings of the others. The tool's other commands add to them.
type programs struct {
	API       APICommand       `cmd:"" name:"api"`
	Projector ProjectorCommand `cmd:"" name:"projector"`
	Tidings   struct {
		Dev         DevCommand         `cmd:""`
		Node        NodeCommand        `cmd:""`
		Postgres    PostgresCommand    `cmd:""`
		Projections ProjectionsCommand `cmd:""`
		Token       TokenCommand       `cmd:""`
		Keys        KeysCommand        `cmd:""`
		Config      ConfigCommand      `cmd:""`
	} `cmd:"" name:"tidings"`
}

// grammarOf are the programs.
func grammarOf() *kong.Node {
	parser, err := newParser(&programs{}, "")
	if err != nil {
		panic(err) // a mistake in the grammar
	}
	return parser.Model.Node
}

// flagsOf are the flags of a grammar and all its commands, by their names: several
// commands may have one of the same name. What a file cannot set is left out.
func flagsOf(grammar *kong.Node) map[string][]*kong.Flag {
	flags := map[string][]*kong.Flag{}
	visit(grammar, func(node *kong.Node) {
		for _, flag := range node.Flags {
			if flag.Name != "help" && flag.Name != "config" {
				flags[flag.Name] = append(flags[flag.Name], flag)
			}
		}
	})
	return flags
}

// visit comes to a command before its own.
func visit(node *kong.Node, see func(*kong.Node)) {
	see(node)
	for _, child := range node.Children {
		visit(child, see)
	}
}

// programsWith are those that have a setting.
func programsWith(name string) (names []string) {
	visit(grammarOf(), func(node *kong.Node) {
		if slices.ContainsFunc(node.Flags, func(flag *kong.Flag) bool { return flag.Name == name }) && name != "help" && name != "config" {
			names = append(names, strings.TrimSpace(node.Path()))
		}
	})
	return names
}

// otherVariables are looked at, and are no flag's.
var otherVariables = map[string]string{
	"TIDINGS_TOKEN":        "The token that commands show to the API; there is no flag for it, as others can see flags.",
	"TIDINGS_TO_TOKEN":     "The same for the second API of `tidings replay --to`.",
	"TIDINGS_POSTGRES_BIN": "Directory of PostgreSQL's programs, for `tidings dev` and `tidings postgres`; unless given, it is looked for where systems put it.",
}

// ofTests begins the names of variables that only tests know.
const ofTests = "TIDINGS_TEST_"

// variablesOf are the variables that grammars look at, and those that are no flag's.
func variablesOf(grammars ...*kong.Node) map[string]bool {
	known := map[string]bool{}
	for name := range maps.Keys(otherVariables) {
		known[name] = true
	}
	for _, grammar := range grammars {
		visit(grammar, func(node *kong.Node) {
			for _, flag := range node.Flags {
				for _, variable := range flag.Envs {
					known[variable] = true
					if flag.Tag.Has(secretTag) {
						known[variable+fileSuffix] = true
					}
				}
			}
		})
	}
	return known
}

// strayVariables are those of an environment that are named as ours are, and that no
// program looks at, each with the one that was probably meant, or "".
func strayVariables(environ []string, known map[string]bool) map[string]string {
	stray := map[string]string{}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "TIDINGS_") && !strings.HasPrefix(name, ofTests) && !known[name] {
			stray[name] = nearest(name, slices.Collect(maps.Keys(known)))
		}
	}
	return stray
}
