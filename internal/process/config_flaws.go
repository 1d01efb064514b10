package process

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// flaws are all that is wrong with the single settings of a file, as a program reads
// it, by their names. What does not go together is for the program's Validate.
func (c configFile) flaws(program string, grammar *kong.Node) (flaws []error) {
	flags := flagsOf(grammar)
	for _, name := range slices.Sorted(maps.Keys(c.values)) {
		if err := c.flaw(program, flags, name); err != nil {
			flaws = append(flaws, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	return flaws
}

// flaw is what is wrong with one setting; nil: nothing.
func (c configFile) flaw(program string, flags map[string][]*kong.Flag, name string) error {
	those := flags[name]
	if len(those) == 0 {
		return unknownSetting(program, flags, name)
	}
	value := c.values[name]
	if value == nil {
		return nil
	}
	var err error
	for _, flag := range those { // of several commands, of which one may be meant
		if err = accepts(flag, value); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%q %w", name, err)
}

// unknownSetting says what may have been meant.
func unknownSetting(program string, flags map[string][]*kong.Flag, name string) error {
	if others := programsWith(name); len(others) > 0 {
		return fmt.Errorf("%q is a setting of %s, not of %s", name, strings.Join(others, ", "), program)
	}
	if near := nearest(name, slices.Collect(maps.Keys(flags))); near != "" {
		return fmt.Errorf("there is no setting %q of %s: is %q meant?", name, program, near)
	}
	return fmt.Errorf("there is no setting %q of %s", name, program)
}

// A flag with the tag filled may be left out, but not given and empty: whoever gave it
// meant something that would not hold, as what an empty variable was put in for does.
const filledTag = "filled"

var errEmptied = errors.New("is given and empty: give it a value, or leave it out")

// emptied refuses arguments, and settings of a file, that are given and empty though
// they must not be.
func emptied(parsed *kong.Context) error {
	for _, at := range parsed.Path {
		if at.Flag != nil && at.Flag.Tag.Has(filledTag) && at.Flag.Target.Kind() == reflect.String && at.Flag.Target.String() == "" {
			return fmt.Errorf("--%s %w", at.Flag.Name, errEmptied)
		}
	}
	return nil
}

// accepts is nil for a value that a flag can have. Its errors repeat no value that may
// be secret.
func accepts(flag *kong.Flag, value any) error {
	target := reflect.New(flag.Target.Type()).Elem()
	scan := kong.Scan().PushTyped(value, kong.FlagValueToken)
	err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, target)
	secret := flag.Tag.Has(secretTag)
	if text, ok := value.(string); ok && secret && strings.Contains(text, mask) {
		return fmt.Errorf("has %s where a secret was left out: write the secret, or leave the setting out", mask)
	}
	if value == "" && flag.Tag.Has(filledTag) {
		return errEmptied
	}
	if err == nil && flag.Enum != "" && !flag.EnumMap()[fmt.Sprint(target)] {
		err = errors.New("not one of those")
	}
	switch {
	case err == nil:
		return nil
	case secret:
		return fmt.Errorf("is not %s", kindOf(flag))
	default:
		return fmt.Errorf("is not %s: %v", kindOf(flag), shown(value))
	}
}

// shown is a wrong value as its writer knows it.
func shown(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	return withoutPasswords(fmt.Sprint(value))
}

// kindOf says what values a flag takes.
func kindOf(flag *kong.Flag) string {
	if flag.Enum != "" {
		return "one of " + strings.Join(slices.DeleteFunc(flag.EnumSlice(), func(one string) bool { return one == "" }), ", ")
	}
	t := flag.Target.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	unit := ""
	if of := flag.Tag.Get(unitTag); of != "" {
		unit = " (" + of + ")"
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration with its unit, such as 90s or 1h30m"
	case t == reflect.TypeFor[slog.Level]():
		return "one of debug, info, warn, error"
	case t == reflect.TypeFor[time.Time]():
		return "a time such as 2026-05-03T00:00:00Z"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number" + unit
	case reflect.Float32, reflect.Float64:
		return "a number" + unit
	case reflect.Slice:
		return "a list of texts"
	default:
		return "a text"
	}
}
