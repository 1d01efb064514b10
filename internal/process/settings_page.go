package process

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

const settingsIntroduction = `# Settings

<!-- Written by make gen from the programs' flags: change those. -->

Each setting comes from its flag, else from its variable of the environment, else from the file that ` + "`--config`" + ` names, else it has its default; ` + "`--help`" + ` of each program says the same.

- **The file** is a JSON object. A setting's key in it is its flag without the dashes in front (` + "`\"log-level\": \"debug\"`" + `); ` + "`_`" + ` stands for ` + "`-`" + ` too, ` + "`null`" + ` for what is not given, and keys that begin with ` + "`$`" + ` are for people.
  What is no setting of the program, or has no value that it can have, is refused when it starts, all of it at once; ` + "`tidings config check FILE --program projector`" + ` says so beforehand.
- **Durations** are written with their unit: ` + "`90s`, `1h30m`, `720h`" + `. Addresses to listen on are ` + "`host:port`" + `; port 0 takes a free one.
- **Secrets** are marked. Their variable with ` + "`_FILE`" + ` at its end names a file to read them from; as arguments they would show to everybody on the machine.
- ` + "`tidings config show [--program …] [FILE] [-- FLAGS]`" + ` prints what is in force and where each value comes from, secrets as ` + "`***`" + `; each program logs that at level debug when it starts. It is a file of settings itself.
- A variable that begins with ` + "`TIDINGS_`" + ` and means nothing to any program is warned of when one starts.
`

// SettingsPage is docs/settings.md: every setting of every program, and of the commands
// of the tool.
func SettingsPage(tool any) (string, error) {
	var page strings.Builder
	page.WriteString(settingsIntroduction)
	for _, one := range []struct {
		name    string
		grammar any
	}{{"api", &APICommand{}}, {"projector", &ProjectorCommand{}}, {"tidings", tool}} {
		parser, err := newParser(one.grammar, one.name)
		if err != nil {
			return "", fmt.Errorf("read the flags of %s: %w", one.name, err)
		}
		visit(parser.Model.Node, func(node *kong.Node) {
			writeSettings(&page, strings.TrimSpace(one.name+" "+strings.TrimPrefix(node.Path(), one.name)), node)
		})
	}
	page.WriteString("\n## Variables that are no flag's\n\n| variable | what it is |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(otherVariables)) {
		fmt.Fprintf(&page, "| `%s` | %s |\n", name, cell(otherVariables[name]))
	}
	return page.String(), nil
}

// writeSettings writes the table of a command, if it has settings of its own.
func writeSettings(page *strings.Builder, name string, node *kong.Node) {
	flags := slices.DeleteFunc(slices.Clone(node.Flags), func(flag *kong.Flag) bool {
		return flag.Name == "help" || flag.Name == "config"
	})
	if len(flags) == 0 {
		return
	}
	fmt.Fprintf(page, "\n## %s\n\n", name)
	if node.Help != "" {
		fmt.Fprintf(page, "%s\n\n", cell(node.Help))
	}
	page.WriteString("| flag, and key | variable | default | value, unit | what it means |\n|---|---|---|---|---|\n")
	for _, flag := range flags {
		fmt.Fprintf(page, "| %s | %s | %s | %s | %s |\n", shownFlag(flag), shownVariables(flag), shownDefault(flag), cell(shownKind(flag)), shownHelp(flag))
	}
}

func shownFlag(flag *kong.Flag) string {
	if flag.Hidden { // a flag would show it to others
		return "key `" + flag.Name + "`"
	}
	return "`--" + flag.Name + "`"
}

func shownVariables(flag *kong.Flag) string {
	if len(flag.Envs) == 0 {
		return ""
	}
	return "`" + strings.Join(flag.Envs, "` `") + "`"
}

func shownDefault(flag *kong.Flag) string {
	switch {
	case flag.Required:
		return "required"
	case flag.Default == "" && flag.IsBool():
		return "`false`"
	case flag.Default == "" || flag.Default == "-1" && strings.Contains(flag.Help, "Unless given"):
		return ""
	default:
		return "`" + flag.Default + "`"
	}
}

// shownKind is short: the page says at its top how values are written.
func shownKind(flag *kong.Flag) string {
	kind := kindOf(flag)
	switch name := strings.ToLower(flag.Name); {
	case strings.HasPrefix(kind, "a duration"):
		return "duration"
	case flag.PlaceHolder == "FILE" && kind == "a list of texts":
		return "files"
	case flag.PlaceHolder == "FILE":
		return "file"
	case kind == "a list of texts", flag.PlaceHolder == "LIST":
		return "list"
	case kind != "a text":
		return strings.NewReplacer("a whole number (", "whole number (", "a number (", "number (", "one of ", "").Replace(kind)
	case strings.HasSuffix(name, "listen"):
		return "host:port"
	case strings.HasSuffix(name, "url"):
		return "URL"
	case strings.HasSuffix(name, "data"):
		return "directory"
	default:
		return "text"
	}
}

func shownHelp(flag *kong.Flag) string {
	text := cell(flag.Help)
	if flag.Tag.Has(secretTag) {
		text = "**Secret.** " + text
	}
	return text
}

// cell is text that stays within its cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;", "*", "\\*").Replace(text)
}
