package main

import (
	"strings"

	"github.com/tidings-io/tidings/deploy"
)

const (
	boardWidth = 24 // Grafana's
	// schema is the form of dashboards that the Grafana of the compose files reads without converting it.
	schema = 41
)

// source is the variable that says which Prometheus is asked.
var source = deploy.Source{Type: "prometheus", UID: "${datasource}"}

func (b board) grafana(name string) deploy.Board {
	out := deploy.Board{
		UID: "tidings-" + name, Title: b.title, Description: b.about, Tags: []string{"tidings"}, SchemaVersion: schema, Version: 1,
		Timezone: "browser", Refresh: "10s", Time: deploy.TimeRange{From: "now-30m", To: "now"},
		Templating: deploy.Templating{List: []deploy.Variable{{Name: "datasource", Label: "Prometheus", Type: "datasource", Query: "prometheus"}}},
		Links:      []deploy.Link{},
	}
	for _, to := range b.links {
		out.Links = append(out.Links, deploy.Link{Title: to, Type: "link", URL: "/d/tidings-" + to, KeepTime: true})
	}
	x, y, tallest := 0, 0, 0
	for i, p := range b.panels {
		drawn := p.grafana(i + 1)
		if x+drawn.GridPos.W > boardWidth {
			x, y, tallest = 0, y+tallest, 0
		}
		drawn.GridPos.X, drawn.GridPos.Y = x, y
		x, tallest = x+drawn.GridPos.W, max(tallest, drawn.GridPos.H)
		out.Panels = append(out.Panels, drawn)
	}
	return out
}

func (p panel) grafana(id int) deploy.Panel {
	out := deploy.Panel{
		ID: id, Type: "timeseries", Title: p.question, Description: p.about, Datasource: source,
		GridPos:     deploy.GridPos{H: 8, W: 8},
		FieldConfig: deploy.FieldConfig{Defaults: deploy.FieldDefaults{Unit: p.unit, Thresholds: p.limit.thresholds()}, Overrides: []struct{}{}},
		Options:     deploy.Options{Legend: &deploy.Legend{DisplayMode: "table", Placement: "bottom", Calcs: []string{"lastNotNull", "max"}}},
	}
	if p.stat {
		out.Type, out.GridPos = "stat", deploy.GridPos{H: 4, W: 4}
		out.Options = deploy.Options{ReduceOptions: &deploy.ReduceOptions{Calcs: []string{"lastNotNull"}}}
	} else if p.limit.alert != "" {
		out.FieldConfig.Defaults.Custom = map[string]any{"thresholdsStyle": map[string]string{"mode": "line"}}
	}
	if p.limit.alert != "" {
		out.Description += " Alert: " + p.limit.alert + "."
	}
	for i, l := range p.lines {
		out.Targets = append(out.Targets, deploy.Target{
			RefID: string(rune('A' + i)), Datasource: source, Expr: l.expr, LegendFormat: l.legend,
			Exemplar: strings.HasPrefix(l.expr, "histogram_quantile("),
		})
	}
	return out
}

// thresholds colour what an alert is about.
func (l limit) thresholds() *deploy.Thresholds {
	if l.alert == "" {
		return nil
	}
	before, after := "green", "red"
	if l.below {
		before, after = after, before
	}
	return &deploy.Thresholds{Mode: "absolute", Steps: []deploy.Step{{Color: before}, {Color: after, Value: &l.at}}}
}
