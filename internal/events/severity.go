package events

import (
	"fmt"
	"slices"
)

// Severity says how urgent a notification is. The zero value is SeverityLow.
type Severity uint8

// The severities, in rising order. Their numbers are stored in read models only;
// the log holds their names.
const (
	SeverityLow Severity = iota
	SeverityNormal
	SeverityHigh
	SeverityCritical
)

// SeverityNames are the names of all severities in rising order.
var SeverityNames = []string{"low", "normal", "high", "critical"}

// ParseSeverity reads a severity's name.
func ParseSeverity(name string) (Severity, error) {
	i := slices.Index(SeverityNames, name)
	if i < 0 {
		return 0, fmt.Errorf("%.64q is no severity: low, normal, high or critical", name) // no more than this of what may be very long
	}
	return Severity(i), nil //nolint:gosec // an index into four names
}

// String is the severity's name.
func (s Severity) String() string {
	if int(s) < len(SeverityNames) {
		return SeverityNames[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// MarshalText writes the name.
func (s Severity) MarshalText() ([]byte, error) {
	if int(s) >= len(SeverityNames) {
		return nil, fmt.Errorf("%s cannot be stored", s)
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads the name.
func (s *Severity) UnmarshalText(text []byte) error {
	parsed, err := ParseSeverity(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}
