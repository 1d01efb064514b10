package filter

import (
	"bytes"
	"encoding/json"
)

// members are those of a notification's data, as filters see them: numbers that
// are written as integers are integers, where 64 bits hold them. What is no object
// has none.
func members(data json.RawMessage) map[string]any {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var all map[string]any
	if decoder.Decode(&all) != nil || all == nil {
		return map[string]any{}
	}
	for name, value := range all {
		all[name] = numbered(value)
	}
	return all
}

func numbered(value any) any {
	switch value := value.(type) {
	case json.Number:
		if n, err := value.Int64(); err == nil {
			return n
		}
		n, _ := value.Float64() // one that is too large is infinite
		return n
	case map[string]any:
		for name, inner := range value {
			value[name] = numbered(inner)
		}
	case []any:
		for i, inner := range value {
			value[i] = numbered(inner)
		}
	}
	return value
}
