package process

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// configFile is a JSON object of values for flags, by their names without the dashes
// in front. What is no flag is refused, as who wrote it meant something; and its
// values give way to the environment, as the help says.
type configFile map[string]any

// readConfigFile is a kong.ConfigurationLoader.
func readConfigFile(file io.Reader) (kong.Resolver, error) {
	var given map[string]any
	if err := json.NewDecoder(file).Decode(&given); err != nil {
		return nil, fmt.Errorf("the configuration file is a JSON object, such as {\"log-level\": \"debug\"}: %w", err)
	}
	values := configFile{}
	for name, value := range given {
		plain := plainName(name)
		if _, twice := values[plain]; twice {
			return nil, fmt.Errorf("the configuration file has %q twice, once with _ for -", plain)
		}
		values[plain] = value
	}
	return values, nil
}

// plainName takes the underscores for dashes that people write in JSON.
func plainName(name string) string { return strings.ReplaceAll(name, "_", "-") }

// Validate refuses names that no flag of the program has.
func (c configFile) Validate(app *kong.Application) error {
	flags := map[string]bool{}
	var gather func(*kong.Node)
	gather = func(node *kong.Node) {
		for _, flag := range node.Flags {
			flags[flag.Name] = true
		}
		for _, child := range node.Children {
			gather(child)
		}
	}
	gather(app.Node)
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if !flags[name] {
			return fmt.Errorf("the configuration file has %q, and there is no flag --%s", name, name)
		}
	}
	return nil
}

// Resolve is the value of a flag that the environment does not give.
func (c configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, variable := range flag.Envs {
		_, given := os.LookupEnv(variable)
		_, asFile := os.LookupEnv(variable + fileSuffix)
		if given || asFile && flag.Tag.Has(secretTag) {
			return nil, nil
		}
	}
	return c[flag.Name], nil
}
