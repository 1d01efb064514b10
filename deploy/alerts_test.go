package deploy

import (
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	alertsFile = "prometheus/alerts.yml"
	runbook    = "../docs/operations/alerts.md"
	runbookURL = "https://github.com/tidings-io/tidings/blob/main/docs/operations/alerts.md"
)

// promtool runs it here; without one the test is skipped, and in CI it fails.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := Program(os.Getenv("TIDINGS_PROMETHEUS_BIN"), "promtool")
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPrometheusTakesItsConfiguration(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"prometheus/prometheus.yml", "prometheus/prometheus.eventstore.yml"} {
		promtool(t, "check", "config", "--lint=all", "--lint-fatal", file)
	}
}

// TestAlertsKeepTheirTime is not in health, not before its time, and then.
func TestAlertsKeepTheirTime(t *testing.T) {
	t.Parallel()
	promtool(t, "test", "rules", "prometheus/alerts_test.yml")
}

func TestEachAlertIsTestedWithItsTime(t *testing.T) {
	t.Parallel()
	tests := read(t, "prometheus/alerts_test.yml")
	for _, alert := range alerts(t) {
		if !strings.Contains(tests, "- name: "+alert.Name+",") || !strings.Contains(tests, `exp_samples: [{labels: '{alertname="`+alert.Name+`"}', value: 1}]`) {
			t.Errorf("alerts_test.yml does not have %s fire", alert.Name)
		}
	}
}

func TestEachAlertSaysWhatToDo(t *testing.T) {
	t.Parallel()
	sections := map[string]string{}
	for _, section := range strings.Split(read(t, runbook), "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		sections[title] = text
	}
	all := alerts(t)
	for _, alert := range all {
		if severity := alert.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s has the severity %q, want critical or warning", alert.Name, severity)
		}
		if alert.For <= 0 {
			t.Errorf("%s does not say for how long its condition must hold", alert.Name)
		}
		for _, says := range []string{"summary", "description"} {
			if alert.Annotations[says] == "" {
				t.Errorf("%s has no %s", alert.Name, says)
			}
		}
		if want := runbookURL + "#" + url.PathEscape(strings.ToLower(alert.Name)); alert.Annotations["runbook_url"] != want {
			t.Errorf("%s leads to %s, want %s", alert.Name, alert.Annotations["runbook_url"], want)
		}
		for _, says := range []string{"**Means** ", "**Look** ", "**Do** "} {
			if !strings.Contains(sections[alert.Name], "\n"+says) {
				t.Errorf("%s: the section %s has no paragraph that begins %s", runbook, alert.Name, says)
			}
		}
	}
	for title := range sections {
		if !slices.ContainsFunc(all, func(a Alert) bool { return a.Name == title }) {
			t.Errorf("%s explains %s, which is no alert", runbook, title)
		}
	}
}

// TestAlertsNameJobsThatAreScraped: a selector of another job would never find anything.
func TestAlertsNameJobsThatAreScraped(t *testing.T) {
	t.Parallel()
	var jobs []string
	for _, job := range readYAML[prometheusConfig](t, "prometheus/prometheus.yml").ScrapeConfigs {
		jobs = append(jobs, job.JobName)
	}
	for _, alert := range alerts(t) {
		for _, match := range regexp.MustCompile(`job=~?"([a-z|]+)"`).FindAllStringSubmatch(alert.Expr, -1) {
			for job := range strings.SplitSeq(match[1], "|") {
				if !slices.Contains(jobs, job) {
					t.Errorf("%s asks for the job %s, but only %v are scraped", alert.Name, job, jobs)
				}
			}
		}
	}
}

func alerts(t *testing.T) []Alert {
	t.Helper()
	all, err := Alerts(alertsFile)
	if err != nil || len(all) == 0 {
		t.Fatalf("got %d alerts, %v", len(all), err)
	}
	return all
}
