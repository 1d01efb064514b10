package process

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/alecthomas/kong"
)

// Where the value of a setting may come from, the strongest first.
const (
	fromFlag     = "flag"
	fromVariable = "environment"
	fromFile     = "file"
	fromDefault  = "default"
)

// effective is a setting as it is in force.
type effective struct {
	name  string
	value any    // as a file would have it, masked; nil: it has none
	from  string // which of the four, and which variable
}

// effectiveOf are the settings of the command that was chosen, in the order of its help.
func effectiveOf(parsed *kong.Context, file configFile) (all []effective) {
	given := map[*kong.Flag]bool{}
	for _, at := range parsed.Path {
		if at.Flag != nil && !at.Resolved {
			given[at.Flag] = true
		}
	}
	for _, flag := range parsed.Flags() {
		if flag.Name == "help" || flag.Name == "config" {
			continue
		}
		one := effective{name: flag.Name, value: plainValue(flag), from: fromDefault}
		switch variable := variableOf(flag); {
		case given[flag]:
			one.from = fromFlag
		case variable != "":
			one.from = fromVariable + " " + variable
		case file.values[flag.Name] != nil:
			one.from = fromFile
		}
		all = append(all, one)
	}
	return all
}

// plainValue is a flag's value as a file would have it.
func plainValue(flag *kong.Flag) any {
	target := flag.Target
	if target.Kind() == reflect.Pointer {
		if target.IsNil() {
			return nil
		}
		target = target.Elem()
	}
	switch v := target.Interface().(type) {
	case time.Duration:
		return v.String()
	case time.Time:
		if v.IsZero() {
			return nil
		}
		return v.Format(time.RFC3339Nano)
	case slog.Level:
		text, _ := v.MarshalText() // never fails
		return string(bytes.ToLower(text))
	}
	switch target.Kind() {
	case reflect.String:
		if target.String() == "" {
			return nil
		}
		return maskedFlag(flag, target.String())
	case reflect.Slice:
		if target.Len() == 0 {
			return nil
		}
	}
	return target.Interface()
}

// writeEffective writes settings as a file of them, in their order, which names where
// each comes from under $from.
func writeEffective(all []effective) ([]byte, error) {
	var text bytes.Buffer
	text.WriteString("{\n  \"$from\": {")
	for i, one := range all {
		text.WriteString(map[bool]string{true: "\n", false: ",\n"}[i == 0])
		if err := writeMember(&text, "    ", one.name, one.from); err != nil {
			return nil, err
		}
	}
	text.WriteString("\n  }")
	for _, one := range all {
		text.WriteString(",\n")
		if err := writeMember(&text, "  ", one.name, one.value); err != nil {
			return nil, err
		}
	}
	text.WriteString("\n}\n")
	return text.Bytes(), nil
}

func writeMember(text *bytes.Buffer, indent, name string, value any) error {
	encoder := json.NewEncoder(text)
	encoder.SetEscapeHTML(false) // addresses have & in them, and people read this
	fmt.Fprintf(text, "%s%q: ", indent, name)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	text.Truncate(text.Len() - 1) // the line's end
	return nil
}

// logEffective says once with which settings a program began.
func logEffective(logger *slog.Logger, all []effective) {
	var values, from []any
	for _, one := range all {
		if one.value == nil {
			continue
		}
		values = append(values, slog.Any(one.name, one.value))
		if one.from != fromDefault {
			from = append(from, slog.String(one.name, one.from))
		}
	}
	logger.Debug("the settings in force", slog.Group("settings", values...), slog.Group("from", from...))
}
