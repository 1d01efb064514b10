package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// ConfigCommand is `tidings config`.
type ConfigCommand struct {
	Check ConfigCheckCommand `cmd:"" help:"Say all that is wrong with a file of settings."`
	Show  ConfigShowCommand  `cmd:"" help:"Print the settings that would be in force, and where each comes from."`
}

// ProgramFlags say whose settings are meant.
type ProgramFlags struct {
	Program string `help:"Whose settings: api, projector, dev or node." enum:"api,projector,dev,node" default:"api"`
}

// parser reads settings as the program does, and the arguments that choose it: it is
// called by a name of its own, or a command of the tool that runs.
func (f ProgramFlags) parser(tool *invocation, given *invocation) (parser *kong.Kong, chosen []string, err error) {
	var grammar any
	given.name = f.Program
	switch f.Program {
	case "api":
		grammar = &APICommand{}
	case "projector":
		grammar = &ProjectorCommand{}
	default:
		grammar, chosen, given.name = reflect.New(reflect.TypeOf(tool.grammar).Elem()).Interface(), []string{f.Program}, tool.name
	}
	given.grammar = grammar
	parser, err = newParser(grammar, given.name, kong.Bind(given))
	return parser, chosen, err
}

// ConfigCheckCommand is `tidings config check`.
type ConfigCheckCommand struct {
	ProgramFlags

	File string `arg:"" help:"JSON file of settings." type:"existingfile"`
}

// Help explains what the flags cannot.
func (c *ConfigCheckCommand) Help() string {
	return `Reads the file as the program would, by itself: the environment of whoever checks is not the program's, so that it is left out. What is required and not in the file is named on standard output, as it may come from the environment. The files that settings name, as keys and certificates, are not opened. For example:

  tidings config check --program projector projector.json

Status 0: the file is in order; 1: it is not, and standard error says why, line by line; 2: wrong usage.`
}

// Run checks the file.
func (c *ConfigCheckCommand) Run(_ context.Context, tool *invocation) error {
	given := &invocation{}
	parser, chosen, err := c.parser(tool, given)
	if err != nil {
		return err
	}
	if err := forgetVariables(parser.Model.Node); err != nil {
		return err
	}
	file, err := openConfigFile(c.File)
	if err != nil {
		return err
	}
	flaws := file.flaws(given.name, parser.Model.Node)
	for _, name := range file.wrong(given.name, parser.Model.Node) {
		delete(file.values, name)
	}
	missing := waive(parser.Model.Node, file)
	given.file = file
	if err := together(parser, chosen, file); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			flaws = append(flaws, fmt.Errorf("%s: %s", c.File, line))
		}
	}
	for _, flaw := range flaws {
		fmt.Fprintln(os.Stderr, withoutPasswords(flaw.Error()))
	}
	if len(flaws) > 0 {
		return fmt.Errorf("%s is not in order, flaws: %d", c.File, len(flaws))
	}
	fmt.Printf("%s is in order for %s\n", c.File, c.Program)
	for _, text := range missing {
		fmt.Println("not in it, and required: " + text)
	}
	return nil
}

// forgetVariables takes the settings out of this process's environment: it has nothing
// else to do than to read a file.
func forgetVariables(grammar *kong.Node) error {
	for name := range variablesOf(grammar) {
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("leave out %s: %w", name, err)
		}
	}
	return nil
}

// wrong are the names of the settings that have a flaw of their own.
func (c configFile) wrong(program string, grammar *kong.Node) (names []string) {
	flags := flagsOf(grammar)
	for name := range c.values {
		if c.flaw(program, flags, name) != nil {
			names = append(names, name)
		}
	}
	return names
}

// waive requires nothing that is not in the file, and says what that is.
func waive(grammar *kong.Node, file configFile) (missing []string) {
	visit(grammar, func(node *kong.Node) {
		for _, flag := range node.Flags {
			if flag.Required && file.values[flag.Name] == nil {
				flag.Required = false
				if node.Parent == nil {
					missing = append(missing, "--"+flag.Name+" or "+strings.Join(flag.Envs, " or "))
				}
			}
		}
	})
	return missing
}

// together is what does not go together in a file whose single settings are in order.
func together(parser *kong.Kong, chosen []string, file configFile) error {
	if err := kong.Resolvers(file).Apply(parser); err != nil {
		return fmt.Errorf("read %s: %w", file.name, err)
	}
	_, err := parser.Parse(chosen)
	return err
}

// ConfigShowCommand is `tidings config show`.
type ConfigShowCommand struct {
	ProgramFlags

	File  string   `arg:"" optional:"" help:"JSON file of settings."`
	Flags []string `arg:"" optional:"" help:"Flags the program would be given, after --."`
}

// Help explains what the flags cannot.
func (c *ConfigShowCommand) Help() string {
	return `Prints the settings as the program would have them here and now: flags win over the environment, that over the file, and that over what is the default. $from says for each where it comes from. Secrets are shown as ***. What is printed is itself a file of settings, where nothing is masked. For example:

  tidings config show
  tidings config show --program projector projector.json
  tidings config show --program dev -- --listen 127.0.0.1:9090`
}

// Run prints the settings.
func (c *ConfigShowCommand) Run(_ context.Context, tool *invocation) error {
	given := &invocation{}
	parser, args, err := c.parser(tool, given)
	if err != nil {
		return err
	}
	file, flags := c.File, c.Flags
	if strings.HasPrefix(file, "-") {
		file, flags = "", slices.Insert(slices.Clone(flags), 0, file)
	}
	if file != "" {
		args = append([]string{"--config", file}, args...)
	}
	parsed, err := parser.Parse(append(args, flags...))
	if err != nil {
		return errors.New(withoutPasswords(err.Error()))
	}
	text, err := writeEffective(effectiveOf(parsed, given.file))
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}
