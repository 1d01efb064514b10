package process

import (
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// version is what this program was built from: the module's version, else the commit,
// else "devel".
func version() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := build.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return "devel"
}

// buildInfo is 1, for the version in its label.
func buildInfo() prometheus.Collector {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "tidings_build_info", Help: "1, for the version that runs.",
	}, []string{"version"})
	info.WithLabelValues(version()).Set(1)
	return info
}
