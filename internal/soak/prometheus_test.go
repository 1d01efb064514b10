package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tidings-io/tidings/deploy"
)

const (
	// scrapeEvery is how often Prometheus asks the programs, and evaluates its rules.
	scrapeEvery = "1s"
	// alertRules are the rules as they are deployed.
	alertRules = "../../deploy/prometheus/alerts.yml"
	// queryDeadline is for one query on a busy machine.
	queryDeadline = 20 * time.Second
)

// prometheus is a real one, which scrapes programs and evaluates rules until it is stopped or the test is over.
type prometheus struct {
	*program

	url string
}

// sample is what a query answers for one series now.
type sample struct {
	labels map[string]string
	value  float64
}

// startPrometheus starts one that scrapes, for each job, the addresses (host:port) that serve /metrics, and evaluates
// the rule files. It returns when it is ready. Without Prometheus on this machine the test is skipped; in CI it fails.
func startPrometheus(t *testing.T, jobs map[string][]string, rules ...string) *prometheus {
	t.Helper()
	path, err := deploy.Program(os.Getenv("TIDINGS_PROMETHEUS_BIN"), "prometheus")
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
	dir, listen := t.TempDir(), freeAddress(t)
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, scrapeConfig(t, jobs, rules), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &prometheus{url: "http://" + listen, program: launch(t, "prometheus", path, "--config.file="+config, "--web.listen-address="+listen,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--enable-feature=exemplar-storage", "--log.level=warn")}
	eventually(t.Context(), t, readyDeadline, "Prometheus is ready", func() error { return succeeds(t.Context(), p.url+"/-/ready") })
	return p
}

func scrapeConfig(t *testing.T, jobs map[string][]string, rules []string) []byte {
	t.Helper()
	type object = map[string]any
	var scrapes []object
	for job, targets := range jobs {
		scrapes = append(scrapes, object{"job_name": job, "static_configs": []object{{"targets": targets}}})
	}
	for i, file := range rules {
		var err error
		if rules[i], err = filepath.Abs(file); err != nil {
			t.Fatal(err)
		}
	}
	text, err := yaml.Marshal(object{
		"global":         object{"scrape_interval": scrapeEvery, "scrape_timeout": scrapeEvery, "evaluation_interval": scrapeEvery},
		"rule_files":     rules,
		"scrape_configs": scrapes,
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// query asks for the samples of an expression now; none is no error.
func (p *prometheus) query(ctx context.Context, expr string) ([]sample, error) {
	var answer struct {
		Result []struct {
			Metric map[string]string  `json:"metric"`
			Value  [2]json.RawMessage `json:"value"`
		} `json:"result"`
	}
	if err := p.ask(ctx, "/api/v1/query", url.Values{"query": {expr}}, &answer); err != nil {
		return nil, err
	}
	var all []sample
	for _, series := range answer.Result {
		var text string
		if err := json.Unmarshal(series.Value[1], &text); err != nil {
			return nil, fmt.Errorf("query %s: %w", expr, err)
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("query %s: %w", expr, err)
		}
		all = append(all, sample{labels: series.Metric, value: value})
	}
	return all, nil
}

// hasExemplar is nil if a series of the last hour has an exemplar that names a trace.
func (p *prometheus) hasExemplar(ctx context.Context, metric string) error {
	var series []struct {
		Exemplars []struct {
			Labels map[string]string `json:"labels"`
		} `json:"exemplars"`
	}
	now := time.Now()
	form := url.Values{"query": {metric}, "start": {now.Add(-time.Hour).Format(time.RFC3339)}, "end": {now.Add(time.Minute).Format(time.RFC3339)}}
	if err := p.ask(ctx, "/api/v1/query_exemplars", form, &series); err != nil {
		return err
	}
	for _, s := range series {
		for _, exemplar := range s.Exemplars {
			if exemplar.Labels["trace_id"] != "" {
				return nil
			}
		}
	}
	return fmt.Errorf("%s has no exemplar with a trace_id in %d series", metric, len(series))
}

// rulesAreWell says of a rule that its last evaluation failed, or that there are none.
func (p *prometheus) rulesAreWell(ctx context.Context) error {
	var answer struct {
		Groups []struct {
			Rules []struct {
				Name   string `json:"name"`
				Health string `json:"health"`
				Error  string `json:"lastError"`
			} `json:"rules"`
		} `json:"groups"`
	}
	if err := p.ask(ctx, "/api/v1/rules", url.Values{}, &answer); err != nil {
		return err
	}
	rules := 0
	for _, group := range answer.Groups {
		for _, rule := range group.Rules {
			if rules++; rule.Health != "ok" {
				return fmt.Errorf("rule %s is %s: %s", rule.Name, rule.Health, rule.Error)
			}
		}
	}
	if rules == 0 {
		return errors.New("Prometheus knows no rules")
	}
	return nil
}

// ask asks Prometheus's API and decodes the data of its answer.
func (p *prometheus) ask(ctx context.Context, path string, form url.Values, data any) error {
	ctx, cancel := context.WithTimeout(ctx, queryDeadline)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path+"?"+form.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	said := struct {
		Error string `json:"error"`
		Data  any    `json:"data"`
	}{Data: data}
	if err := json.Unmarshal(text, &said); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %v: got %d %s", path, form, response.StatusCode, text)
	}
	return nil
}

// firing names the alerts that fire now, sorted.
func (p *prometheus) firing(ctx context.Context) ([]string, error) {
	return p.alerts(ctx, `ALERTS{alertstate="firing"}`)
}

// fired names the alerts that fire or fired since Prometheus was started, sorted.
func (p *prometheus) fired(ctx context.Context) ([]string, error) {
	return p.alerts(ctx, `max_over_time(ALERTS{alertstate="firing"}[1d])`)
}

// firedSince names those of certain labels that fire or fired since a time, to the second.
func (p *prometheus) firedSince(ctx context.Context, since time.Time, labels string) ([]string, error) {
	seconds := max(1, int(time.Since(since).Seconds()))
	return p.alerts(ctx, fmt.Sprintf(`max_over_time(ALERTS{alertstate="firing",%s}[%ds])`, labels, seconds))
}

func (p *prometheus) alerts(ctx context.Context, expr string) ([]string, error) {
	samples, err := p.query(ctx, "count by (alertname) ("+expr+")")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range samples {
		names = append(names, s.labels["alertname"])
	}
	slices.Sort(names)
	return names, nil
}

// untilFires waits until an alert has fired since the start.
func (p *prometheus) untilFires(ctx context.Context, t *testing.T, within time.Duration, alert string) {
	t.Helper()
	eventually(ctx, t, within, alert+" fires", func() error {
		fired, err := p.fired(ctx)
		if err == nil && !slices.Contains(fired, alert) {
			err = fmt.Errorf("only %v have", fired)
		}
		return err
	})
}

const (
	hastyFor   = "1s"
	hastyRange = "10s"
)

var (
	ruleFor     = regexp.MustCompile(`(?m)^(\s+for:) \w+`)
	ruleRange   = regexp.MustCompile(`\[\d+[smhd]\]`)
	ruleOffset  = regexp.MustCompile(`offset \d+[smhd]\b`)
	ruleForesee = regexp.MustCompile(`\], \d+\)`) // of predict_linear, in seconds
)

// hasty is an expression for a test that cannot wait: what looks back over minutes or hours looks back over seconds.
// Nothing else is different; its thresholds are those that are deployed.
func hasty(expr string) string {
	expr = ruleRange.ReplaceAllString(expr, "["+hastyRange+"]")
	expr = ruleOffset.ReplaceAllString(expr, "offset "+hastyFor)
	return ruleForesee.ReplaceAllString(expr, "], 10)")
}

// hastyRules writes the deployed rules again, hasty, each with its condition to hold for a second, and returns the file.
func hastyRules(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(alertRules)
	if err != nil {
		t.Fatal(err)
	}
	rules := hasty(ruleFor.ReplaceAllString(string(text), "$1 "+hastyFor))
	if strings.Count(rules, "for: "+hastyFor) != strings.Count(rules, "alert: ") {
		t.Fatalf("not every alert of %s says for how long its condition must hold", alertRules)
	}
	file := filepath.Join(t.TempDir(), "alerts.yml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestPrometheusSeesAProgramGo holds the harness to what it says, on the smallest thing there is to scrape.
func TestPrometheusSeesAProgramGo(t *testing.T) { // not parallel: it starts programs
	if testing.Short() {
		t.Skip("starts programs")
	}
	rules := filepath.Join(t.TempDir(), "rules.yml")
	const gone = `{"groups":[{"name":"test","rules":[{"alert":"Gone","expr":"up == 0","for":"1s"},{"alert":"Never","expr":"vector(1) > 2"}]}]}`
	if err := os.WriteFile(rules, []byte(gone), 0o600); err != nil {
		t.Fatal(err)
	}
	monitor := freeAddress(t)
	node := start(t, "tidings", "node", "--data", t.TempDir(), "--listen", freeAddress(t), "--monitor-listen", monitor)
	p := startPrometheus(t, map[string][]string{"node": {monitor}}, rules)
	eventually(t.Context(), t, readyDeadline, "the node is scraped", func() error {
		up, err := p.query(t.Context(), `up{job="node"} == 1`)
		if err == nil && (len(up) != 1 || up[0].value != 1) {
			err = fmt.Errorf("got %v, want it up", up)
		}
		return err
	})
	if fired, err := p.fired(t.Context()); err != nil || len(fired) > 0 {
		t.Errorf("got %v fired in health, %v, want nothing", fired, err)
	}
	node.kill()
	p.untilFires(t.Context(), t, readyDeadline, "Gone")
	if firing, err := p.firing(t.Context()); err != nil || !slices.Equal(firing, []string{"Gone"}) {
		t.Errorf("got %v firing, %v, want Gone alone", firing, err)
	}
	if _, err := p.query(t.Context(), "up =="); err == nil {
		t.Error("an expression that does not parse is no error")
	}
	p.stop(t)
}
