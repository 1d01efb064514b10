package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// ConfigFlag is the flag that names a file of settings.
type ConfigFlag string

// BeforeResolve reads the file, and refuses all that is wrong with it at once.
func (c ConfigFlag) BeforeResolve(parser *kong.Kong, ctx *kong.Context, at *kong.Path, run *invocation) error {
	name, ok := ctx.FlagValue(at.Flag).(ConfigFlag)
	if !ok {
		return fmt.Errorf("--%s is no file of settings", at.Flag.Name)
	}
	file, err := openConfigFile(string(name))
	if err != nil {
		return err
	}
	if err := errors.Join(file.flaws(run.name, parser.Model.Node)...); err != nil {
		return err
	}
	run.file = file
	ctx.AddResolver(file)
	return nil
}

// configFile is a JSON object of values for flags, by their names without the dashes
// in front. What is no flag is refused, as who wrote it meant something; and its
// values give way to the environment, as the help says. Names that begin with a $ are
// for people.
type configFile struct {
	name   string
	values map[string]any // null stands for what is not given; numbers are text
}

// maxConfigBytes is far more than all settings there are.
const maxConfigBytes = 1 << 20

func openConfigFile(name string) (configFile, error) {
	opened, err := os.Open(name) //nolint:gosec // the operator says which file
	if err != nil {
		return configFile{}, fmt.Errorf("read the configuration: %w", err)
	}
	defer func() { _ = opened.Close() }() // it was only read
	return readConfigFile(name, io.LimitReader(opened, maxConfigBytes))
}

func readConfigFile(name string, text io.Reader) (configFile, error) {
	file := configFile{name: name, values: map[string]any{}}
	decoder := json.NewDecoder(text)
	decoder.UseNumber()
	var given map[string]any
	if err := decoder.Decode(&given); err != nil || given == nil {
		return file, fmt.Errorf("%s is no JSON object, such as {\"log-level\": \"debug\"}: %w", name, orEnd(err))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return file, fmt.Errorf("%s has something after its JSON object", name)
	}
	for name, value := range given {
		if strings.HasPrefix(name, "$") {
			continue
		}
		plain := plainName(name)
		if _, twice := file.values[plain]; twice {
			return file, fmt.Errorf("%s has %q twice, once with _ for -", file.name, plain)
		}
		file.values[plain] = asText(value)
	}
	return file, nil
}

// orEnd is for a file in which there is null.
func orEnd(err error) error {
	if err == nil {
		return errors.New("it is null")
	}
	return err
}

// plainName takes the underscores for dashes that people write in JSON.
func plainName(name string) string { return strings.ReplaceAll(name, "_", "-") }

// asText has numbers as they are written, which all flags understand.
func asText(value any) any {
	switch v := value.(type) {
	case json.Number:
		return v.String()
	case []any:
		for i := range v {
			v[i] = asText(v[i])
		}
	}
	return value
}

// Validate is kong's; what is wrong was said when the file was read.
func (configFile) Validate(*kong.Application) error { return nil }

// Resolve is the value of a flag that the environment does not give.
func (c configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if variableOf(flag) != "" {
		return nil, nil
	}
	return c.values[flag.Name], nil
}

// variableOf is the variable of the environment that gives a flag its value, or names
// the file that does; "" where none is set.
func variableOf(flag *kong.Flag) string {
	for _, variable := range flag.Envs {
		if _, given := os.LookupEnv(variable); given {
			return variable
		}
		if _, asFile := os.LookupEnv(variable + fileSuffix); asFile && flag.Tag.Has(secretTag) {
			return variable + fileSuffix
		}
	}
	return ""
}
