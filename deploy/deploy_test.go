package deploy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

type compose struct {
	Name        string             `yaml:"name"`
	Tidings     service            `yaml:"x-tidings"`
	Connections map[string]string  `yaml:"x-connections"`
	Secrets     map[string]secret  `yaml:"secrets"`
	Services    map[string]service `yaml:"services"`
	Volumes     map[string]volume  `yaml:"volumes"`
}

type volume struct{}

type secret struct {
	File string `yaml:"file"`
}

type service struct {
	Build           build                `yaml:"build"`
	Image           string               `yaml:"image"`
	Command         []string             `yaml:"command"`
	Environment     map[string]string    `yaml:"environment"`
	Secrets         []string             `yaml:"secrets"`
	Ports           []string             `yaml:"ports"`
	Volumes         []string             `yaml:"volumes"`
	DependsOn       map[string]condition `yaml:"depends_on"`
	Healthcheck     healthcheck          `yaml:"healthcheck"`
	Restart         string               `yaml:"restart"`
	StopGracePeriod time.Duration        `yaml:"stop_grace_period"`
}

type build struct {
	Context    string `yaml:"context"`
	Dockerfile string `yaml:"dockerfile"`
}

type condition struct {
	Condition string `yaml:"condition"`
}

type healthcheck struct {
	Test     []string      `yaml:"test"`
	Interval time.Duration `yaml:"interval"`
	Timeout  time.Duration `yaml:"timeout"`
	Retries  int           `yaml:"retries"`
}

var composeFiles = []string{"compose.yaml", "compose.eventstore.yaml"}

func TestComposeFilesHoldTogether(t *testing.T) {
	t.Parallel()
	exact := regexp.MustCompile(`^[a-z0-9/]+:(v?\d+\.\d+[a-z0-9.-]*|local)$`) // local: built here
	for _, file := range composeFiles {
		c := readCompose(t, file)
		for _, name := range []string{"store", "postgres", "api", "projector", "prometheus", "grafana"} {
			if _, ok := c.Services[name]; !ok {
				t.Errorf("%s: no service %s", file, name)
			}
		}
		for name, s := range c.Services {
			if !exact.MatchString(s.Image) {
				t.Errorf("%s: %s runs the image %q, which is no exact version and may name a host", file, name, s.Image)
			}
			checkVolumes(t, file, name, s, c.Volumes)
			checkDependencies(t, file, name, s, c.Services)
			for _, port := range s.Ports {
				if !strings.HasPrefix(port, "127.0.0.1:") {
					t.Errorf("%s: %s publishes %s beyond this machine, in clear", file, name, port)
				}
			}
		}
	}
}

// TestTheAPIAsksWhoCallsIt by a key that stands in no file of this repository, and in no image.
func TestTheAPIAsksWhoCallsIt(t *testing.T) {
	t.Parallel()
	for _, file := range composeFiles {
		c := readCompose(t, file)
		environment := c.Services["api"].Environment
		for _, open := range []string{"TIDINGS_INSECURE", "TIDINGS_ACCESS", "TIDINGS_JWT_SECRET"} {
			if value, given := environment[open]; given {
				t.Errorf("%s: the API is given %s=%s: it would be open, or its secret in this file", file, open, value)
			}
		}
		name, mounted := strings.CutPrefix(environment["TIDINGS_JWT_KEY_FILE"], "/run/secrets/")
		if !mounted || !slices.Contains(c.Services["api"].Secrets, name) {
			t.Errorf("%s: the API's key is in %q, want one of its secrets %v", file, environment["TIDINGS_JWT_KEY_FILE"], c.Services["api"].Secrets)
		}
		for service, s := range c.Services {
			for _, secret := range s.Secrets {
				if _, ok := c.Secrets[secret]; !ok {
					t.Errorf("%s: %s has the secret %s, which is not declared", file, service, secret)
				}
			}
		}
		for secret, s := range c.Secrets {
			if !strings.HasPrefix(s.File, secretsDir) {
				t.Errorf("%s: the secret %s is in %s, want it in %s", file, secret, s.File, secretsDir)
			}
		}
	}
	for ignores, line := range map[string]string{"../.gitignore": "/deploy/secrets/", "../.dockerignore": "deploy/secrets"} {
		if !slices.Contains(strings.Split(read(t, ignores), "\n"), line) {
			t.Errorf("%s has no line %s", ignores, line)
		}
	}
}

// secretsDir is in no repository and no image: .gitignore and .dockerignore name it.
const secretsDir = "./secrets/"

func checkVolumes(t *testing.T, file, name string, s service, volumes map[string]volume) {
	t.Helper()
	for _, mount := range s.Volumes {
		from, _, _ := strings.Cut(mount, ":")
		if strings.HasPrefix(from, ".") {
			if _, err := os.Stat(from); err != nil {
				t.Errorf("%s: %s mounts %s: %v", file, name, from, err)
			}
		} else if _, ok := volumes[from]; !ok {
			t.Errorf("%s: %s mounts the volume %s, which is not declared", file, name, from)
		}
	}
}

func checkDependencies(t *testing.T, file, name string, s service, services map[string]service) {
	t.Helper()
	for other, on := range s.DependsOn {
		target, ok := services[other]
		if !ok {
			t.Errorf("%s: %s depends on %s, which does not exist", file, name, other)
		}
		if on.Condition == "service_healthy" && len(target.Healthcheck.Test) == 0 {
			t.Errorf("%s: %s waits for %s to be healthy, which has no health check", file, name, other)
		}
	}
}

// TestComposeFilesDifferInTheStoreOnly keeps a change to one from being forgotten in the other.
func TestComposeFilesDifferInTheStoreOnly(t *testing.T) {
	t.Parallel()
	embedded, full := readCompose(t, composeFiles[0]), readCompose(t, composeFiles[1])
	if cmp.Equal(embedded.Services["store"], full.Services["store"]) {
		t.Error("the stores are the same")
	}
	delete(embedded.Services, "store")
	delete(full.Services, "store")
	for _, c := range []compose{embedded, full} { // what is scraped differs with the store
		for i, mount := range c.Services["prometheus"].Volumes {
			c.Services["prometheus"].Volumes[i] = strings.Replace(mount, "./prometheus/prometheus.eventstore.yml:", "./prometheus/prometheus.yml:", 1)
		}
	}
	if diff := cmp.Diff(embedded.Services, full.Services); diff != "" {
		t.Errorf("services differ (-%s +%s):\n%s", composeFiles[0], composeFiles[1], diff)
	}
}

// TestComposeSpeaksToOurPrograms asks the programs themselves which flags and variables they know.
func TestComposeSpeaksToOurPrograms(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the programs")
	}
	programs := buildPrograms(t)
	for _, file := range composeFiles {
		for name, s := range readCompose(t, file).Services {
			if s.Build.Dockerfile == "" {
				continue // not ours
			}
			help := helpOf(t, programs, s.Command)
			for _, word := range s.Command {
				if strings.HasPrefix(word, "--") && !strings.Contains(help, word+"=") && !strings.Contains(help, word+" ") {
					t.Errorf("%s: %s is given %s, which %v does not know", file, name, word, s.Command)
				}
			}
			for variable := range s.Environment {
				if !strings.Contains(help, "$"+variable) {
					t.Errorf("%s: %s is given %s, which %v does not read", file, name, variable, s.Command)
				}
			}
		}
	}
}

func buildPrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dir+string(filepath.Separator), "../cmd/...")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the programs: %v\n%s", err, out)
	}
	return dir
}

// helpOf runs a service's command, up to its first flag, with --help.
func helpOf(t *testing.T, programs string, command []string) string {
	t.Helper()
	args := slices.Clone(command)
	if flags := slices.IndexFunc(args, func(word string) bool { return strings.HasPrefix(word, "-") }); flags >= 0 {
		args = args[:flags]
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(programs, args[0]), append(args[1:], "--help")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v --help: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestImageHasTheProgramsThatComposeRuns(t *testing.T) {
	t.Parallel()
	dockerfile := read(t, "Dockerfile")
	for _, file := range composeFiles {
		for name, s := range readCompose(t, file).Services {
			if s.Build.Dockerfile == "" {
				continue
			}
			if s.Build.Dockerfile != "deploy/Dockerfile" || s.Build.Context != ".." {
				t.Errorf("%s: %s is built from %+v, want this directory's Dockerfile", file, name, s.Build)
			}
			if !strings.Contains(dockerfile, "/out/"+s.Command[0]+" ") {
				t.Errorf("%s: %s runs %s, which the image does not have", file, name, s.Command[0])
			}
		}
	}
}

type prometheusConfig struct {
	Global struct {
		ScrapeInterval     time.Duration `yaml:"scrape_interval"`
		ScrapeTimeout      time.Duration `yaml:"scrape_timeout"`
		EvaluationInterval time.Duration `yaml:"evaluation_interval"`
	} `yaml:"global"`
	ScrapeConfigs []struct {
		JobName       string `yaml:"job_name"`
		StaticConfigs []struct {
			Targets []string `yaml:"targets"`
		} `yaml:"static_configs"`
	} `yaml:"scrape_configs"`
	RuleFiles []string `yaml:"rule_files"`
}

func TestPrometheusScrapesWhereServicesListen(t *testing.T) {
	t.Parallel()
	for _, file := range composeFiles {
		services := readCompose(t, file).Services
		source, _, _ := strings.Cut(services["prometheus"].Volumes[0], ":")
		config := readYAML[prometheusConfig](t, source)
		if g := config.Global; g.ScrapeTimeout <= 0 || g.ScrapeTimeout > g.ScrapeInterval {
			t.Errorf("%s: scrape timeout %v, want at most the interval %v", source, g.ScrapeTimeout, g.ScrapeInterval)
		}
		if !slices.Equal(config.RuleFiles, []string{"alerts.yml"}) || !slices.Contains(services["prometheus"].Volumes, "./prometheus/alerts.yml:/etc/prometheus/alerts.yml:ro") {
			t.Errorf("%s: rules are read from %v, want alerts.yml, and %s to mount it beside", source, config.RuleFiles, file)
		}
		var scraped, serving []string
		for _, job := range config.ScrapeConfigs {
			for _, static := range job.StaticConfigs {
				scraped = append(scraped, static.Targets...)
			}
		}
		for name, s := range services {
			if _, port, listens := strings.Cut(monitored(s), ":"); listens {
				serving = append(serving, name+":"+port)
			}
		}
		slices.Sort(scraped)
		slices.Sort(serving)
		if !slices.Equal(scraped, serving) {
			t.Errorf("%s: Prometheus scrapes %v, but %v serve metrics", file, scraped, serving)
		}
	}
}

// monitored is where a service of ours serves its metrics; "" when it does not.
func monitored(s service) string {
	if at := slices.Index(s.Command, "--monitor-listen"); at >= 0 && at+1 < len(s.Command) {
		return s.Command[at+1]
	}
	return s.Environment["TIDINGS_LISTEN"]
}

type datasources struct {
	APIVersion  int `yaml:"apiVersion"`
	Datasources []struct {
		Name      string `yaml:"name"`
		UID       string `yaml:"uid"`
		Type      string `yaml:"type"`
		Access    string `yaml:"access"`
		URL       string `yaml:"url"`
		IsDefault bool   `yaml:"isDefault"`
		Editable  bool   `yaml:"editable"`
		JSONData  struct {
			TimeInterval time.Duration `yaml:"timeInterval"`
		} `yaml:"jsonData"`
	} `yaml:"datasources"`
}

type providers struct {
	APIVersion int `yaml:"apiVersion"`
	Providers  []struct {
		Name            string `yaml:"name"`
		Type            string `yaml:"type"`
		DisableDeletion bool   `yaml:"disableDeletion"`
		AllowUIUpdates  bool   `yaml:"allowUiUpdates"`
		Options         struct {
			Path string `yaml:"path"`
		} `yaml:"options"`
	} `yaml:"providers"`
}

func TestGrafanaFindsPrometheusAndTheBoard(t *testing.T) {
	t.Parallel()
	sources := readYAML[datasources](t, "grafana/provisioning/datasources/prometheus.yaml")
	if len(sources.Datasources) != 1 || sources.Datasources[0].UID != "prometheus" || sources.Datasources[0].URL != "http://prometheus:9090" {
		t.Errorf("data sources: got %+v, want the compose service prometheus", sources.Datasources)
	}
	for _, file := range []string{"prometheus/prometheus.yml", "prometheus/prometheus.eventstore.yml"} {
		scrape := readYAML[prometheusConfig](t, file).Global.ScrapeInterval
		if got := sources.Datasources[0].JSONData.TimeInterval; got != scrape {
			t.Errorf("Grafana believes that Prometheus scrapes every %v, %s says every %v", got, file, scrape)
		}
	}
	boards := readYAML[providers](t, "grafana/provisioning/dashboards/tidings.yaml").Providers
	for _, file := range composeFiles {
		mounts := readCompose(t, file).Services["grafana"].Volumes
		if want := "./grafana/dashboards:" + boards[0].Options.Path + ":ro"; !slices.Contains(mounts, want) {
			t.Errorf("%s: Grafana's mounts are %v, want %s among them", file, mounts, want)
		}
	}
}

func readCompose(t *testing.T, file string) compose {
	t.Helper()
	return readYAML[compose](t, file)
}

// readYAML refuses keys that T does not have, and a second document.
func readYAML[T any](t *testing.T, file string) T {
	t.Helper()
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(read(t, file))))
	decoder.KnownFields(true)
	var v T
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		t.Fatalf("%s: more than one document: %v", file, err)
	}
	return v
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
