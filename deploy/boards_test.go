package deploy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const boardSource = "${datasource}"

// TestBoards checks the boards' form; that their metrics exist is the house's to check, and that their questions are
// answered that of internal/soak.
func TestBoards(t *testing.T) {
	t.Parallel()
	limits := thresholds(t)
	uids := map[string]bool{}
	for _, b := range boards(t) {
		if b.UID == "" || uids[b.UID] || b.Title == "" || b.Description == "" {
			t.Errorf("the board %q has the uid %q, which must be there once, and the description %q", b.Title, b.UID, b.Description)
		}
		uids[b.UID] = true
		if len(b.Templating.List) != 1 || b.Templating.List[0].Type != "datasource" || "${"+b.Templating.List[0].Name+"}" != boardSource {
			t.Errorf("%s has the variables %+v, want the data source alone", b.UID, b.Templating.List)
		}
		seen := map[int]bool{}
		for _, p := range b.Panels {
			at := b.UID + ", " + p.Title
			if seen[p.ID] {
				t.Errorf("%s: the id %d is used twice", at, p.ID)
			}
			seen[p.ID] = true
			if p.GridPos.X+p.GridPos.W > 24 {
				t.Errorf("%s sticks out of the board", at)
			}
			checkPanel(t, at, p)
			checkLimit(t, at, p, limits)
		}
	}
	for _, b := range boards(t) {
		if len(b.Links) == 0 {
			t.Errorf("%s leads nowhere", b.UID)
		}
		for _, link := range b.Links {
			if uid := strings.TrimPrefix(link.URL, "/d/"); !uids[uid] {
				t.Errorf("%s leads to %s, which is no board", b.UID, link.URL)
			}
		}
		if b.UID == "tidings-overview" && len(b.Links) != len(uids)-1 {
			t.Errorf("the overview leads to %d of %d boards", len(b.Links), len(uids)-1)
		}
	}
}

func checkPanel(t *testing.T, at string, p Panel) {
	t.Helper()
	if !strings.HasSuffix(p.Title, "?") {
		t.Errorf("%s is no question", at)
	}
	if p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
		t.Errorf("%s has the description %q, the unit %q and %d targets", at, p.Description, p.FieldConfig.Defaults.Unit, len(p.Targets))
	}
	for _, target := range p.Targets {
		checkQuery(t, at, target.Expr, target.LegendFormat)
		if target.Datasource.UID != boardSource || p.Datasource.UID != boardSource {
			t.Errorf("%s asks another data source than %s", at, boardSource)
		}
		if quantile := strings.Contains(target.Expr, "histogram_quantile"); target.Exemplar != quantile {
			t.Errorf("%s: exemplars are shown: %t, want them where a histogram is: %s", at, target.Exemplar, target.Expr)
		}
	}
}

// checkLimit holds a panel's threshold to that of the alert which it names.
func checkLimit(t *testing.T, at string, p Panel, limits map[string]string) {
	t.Helper()
	named := regexp.MustCompile(`Alert: (\w+)\.$`).FindStringSubmatch(p.Description)
	steps := p.FieldConfig.Defaults.Thresholds
	if (named == nil) != (steps == nil) {
		t.Errorf("%s has thresholds without naming its alert, or the other way round: %q", at, p.Description)
	}
	if named == nil || steps == nil {
		return
	}
	limit, known := limits[named[1]]
	if !known {
		t.Errorf("%s names %s, which is no alert", at, named[1])
	}
	if got := strconv.FormatFloat(*steps.Steps[1].Value, 'f', -1, 64); limit != "" && got != limit {
		t.Errorf("%s changes its colour at %s, and %s fires at %s", at, got, named[1], limit)
	}
}

// thresholds are the numbers that alerts compare with at their ends, where these are measures: 0 and 1 only say yes or
// no, as does a panel in its own way.
func thresholds(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, alert := range alerts(t) {
		all[alert.Name] = ""
		match := regexp.MustCompile(`[<>=]=? ([0-9.]+)((?: \* [0-9]+)?)$`).FindStringSubmatch(alert.Expr)
		if match == nil || strings.Contains(alert.Expr, "== ") || match[1] == "0" {
			continue
		}
		value, err := strconv.ParseFloat(match[1], 64)
		if factor := strings.TrimPrefix(match[2], " * "); err == nil && factor != "" {
			var times float64
			times, err = strconv.ParseFloat(factor, 64)
			value *= times
		}
		if err != nil {
			t.Fatalf("%s: %v", alert.Name, err)
		}
		all[alert.Name] = strconv.FormatFloat(value, 'f', -1, 64)
	}
	return all
}

// by finds the labels that a query keeps, and legend those that are shown.
var (
	by     = regexp.MustCompile(`by \(([a-z_, ]+)\)`)
	legend = regexp.MustCompile(`\{\{([a-z_]+)\}\}`)
)

// labels is the closed set of labels; none is per user, topic or stream.
var labels = []string{"le", "outcome", "projection", "event", "route", "instance", "policy", "kind", "reason", "state", "version"}

func checkQuery(t *testing.T, at, expr, shown string) {
	t.Helper()
	var kept []string
	for _, match := range by.FindAllStringSubmatch(expr, -1) {
		kept = append(kept, strings.Split(match[1], ", ")...)
	}
	for _, label := range kept {
		if !slices.Contains(labels, label) {
			t.Errorf("%s: unknown label %s: %s", at, label, expr)
		}
	}
	if shown == "" {
		t.Errorf("%s: a line has no name: %s", at, expr)
	}
	for _, match := range legend.FindAllStringSubmatch(shown, -1) {
		if !slices.Contains(kept, match[1]) {
			t.Errorf("%s shows the label %s, which the query drops: %s", at, match[1], expr)
		}
	}
}

func boards(t *testing.T) []Board {
	t.Helper()
	all, err := Boards("grafana/dashboards")
	if err != nil {
		t.Fatal(err)
	}
	return all
}
