package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Board is a dashboard of Grafana, as far as ours use what it can. deploy/boards writes them.
type Board struct {
	UID           string     `json:"uid"`
	Title         string     `json:"title"`
	Description   string     `json:"description"`
	Tags          []string   `json:"tags"`
	SchemaVersion int        `json:"schemaVersion"`
	Version       int        `json:"version"`
	Editable      bool       `json:"editable"`
	Timezone      string     `json:"timezone"`
	Refresh       string     `json:"refresh"`
	Time          TimeRange  `json:"time"`
	Templating    Templating `json:"templating"`
	Links         []Link     `json:"links"`
	Panels        []Panel    `json:"panels"`
}

// TimeRange is what a board shows until somebody chooses.
type TimeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Templating are a board's variables.
type Templating struct {
	List []Variable `json:"list"`
}

// Variable is the data source: ours have no other.
type Variable struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Type  string `json:"type"`
	Query string `json:"query"`
}

// Link leads to another board.
type Link struct {
	Title    string `json:"title"`
	Type     string `json:"type"`
	URL      string `json:"url"`
	KeepTime bool   `json:"keepTime"`
}

// Source is the data source that a panel asks.
type Source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// Panel answers the question that is its title.
type Panel struct {
	ID          int         `json:"id"`
	Type        string      `json:"type"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Datasource  Source      `json:"datasource"`
	GridPos     GridPos     `json:"gridPos"`
	FieldConfig FieldConfig `json:"fieldConfig"`
	Options     Options     `json:"options"`
	Targets     []Target    `json:"targets"`
}

// GridPos is a panel's place; a board is 24 wide.
type GridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

// FieldConfig says how values are shown.
type FieldConfig struct {
	Defaults  FieldDefaults `json:"defaults"`
	Overrides []struct{}    `json:"overrides"`
}

// FieldDefaults hold for all of a panel's values.
type FieldDefaults struct {
	Unit       string         `json:"unit"`
	Min        int            `json:"min"`
	Thresholds *Thresholds    `json:"thresholds,omitempty"`
	Custom     map[string]any `json:"custom,omitempty"`
}

// Thresholds colour values from each step on.
type Thresholds struct {
	Mode  string `json:"mode"`
	Steps []Step `json:"steps"`
}

// Step is where a colour begins; the first has no value.
type Step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

// Options are those of a panel's type.
type Options struct {
	Legend        *Legend        `json:"legend,omitempty"`
	ReduceOptions *ReduceOptions `json:"reduceOptions,omitempty"`
}

// Legend names the lines of a time series, with their last and highest values.
type Legend struct {
	DisplayMode string   `json:"displayMode"`
	Placement   string   `json:"placement"`
	Calcs       []string `json:"calcs"`
}

// ReduceOptions say which value of a series a stat shows.
type ReduceOptions struct {
	Calcs []string `json:"calcs"`
}

// Target is a question to Prometheus.
type Target struct {
	RefID        string `json:"refId"`
	Datasource   Source `json:"datasource"`
	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat"`
	Exemplar     bool   `json:"exemplar"`
}

// Boards reads the dashboards of a directory, in the order of their names. What a Board does not have is an error.
func Boards(dir string) ([]Board, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("find the boards in %s: %d files, %w", dir, len(files), err)
	}
	all := make([]Board, len(files))
	for i, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // a test names the directory
		if err != nil {
			return nil, fmt.Errorf("read a board: %w", err)
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&all[i]); err != nil {
			return nil, fmt.Errorf("read the board %s: %w", file, err)
		}
	}
	return all, nil
}
