// Package deploy holds what it takes to run Tidings elsewhere: the image, two compose files, the configuration of
// Prometheus with its alerts, and Grafana's boards. Its tests read all of it strictly; what reads alerts and boards is
// exported for the tests that try them on a real Prometheus.
package deploy

//go:generate go run ./boards grafana/dashboards
