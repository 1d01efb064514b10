package deploy

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"go.yaml.in/yaml/v3"
)

// Alert is a rule that says when somebody should look.
type Alert struct {
	Name        string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         time.Duration     `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// Alerts reads a file of rules, all of which are alerts.
func Alerts(file string) ([]Alert, error) {
	text, err := os.ReadFile(file) //nolint:gosec // a test names the file
	if err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	var rules struct {
		Groups []struct {
			Name  string  `yaml:"name"`
			Rules []Alert `yaml:"rules"`
		} `yaml:"groups"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&rules); err != nil {
		return nil, fmt.Errorf("read the rules of %s: %w", file, err)
	}
	var all []Alert
	for _, group := range rules.Groups {
		all = append(all, group.Rules...)
	}
	return all, nil
}
