package tracing

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
)

// tracesPath is where collectors take traces, below their address.
const tracesPath = "v1/traces"

// Endpoint is a collector's address.
type Endpoint struct{ url *url.URL }

// errEndpoint says no more, as the address may hold a password.
var errEndpoint = errors.New("it is not the address of a collector, such as http://127.0.0.1:4318")

// ParseEndpoint reads a collector's address, as OTEL_EXPORTER_OTLP_ENDPOINT has it: http
// or https; /v1/traces is added unless it is there. A user and password in it are sent as
// such. The error does not repeat it.
func ParseEndpoint(text string) (Endpoint, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return Endpoint{}, errEndpoint
	}
	if !strings.HasSuffix(u.Path, "/"+tracesPath) {
		u = u.JoinPath(tracesPath)
	}
	return Endpoint{u}, nil
}

// exporter sends spans there. What else it needs, such as headers or an authority, it
// takes from OpenTelemetry's own variables.
func (e Endpoint) exporter(ctx context.Context) (*otlptrace.Exporter, error) {
	open := *e.url
	open.User = nil
	options := []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(open.String()), otlptracehttp.WithTimeout(sendTimeout),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: time.Second, MaxInterval: sendTimeout / 2, MaxElapsedTime: sendTimeout,
		}),
	}
	if e.url.User != nil {
		password, _ := e.url.User.Password()
		basic := base64.StdEncoding.EncodeToString([]byte(e.url.User.Username() + ":" + password))
		options = append(options, otlptracehttp.WithHeaders(map[string]string{"Authorization": "Basic " + basic}))
	}
	return otlptracehttp.New(ctx, options...)
}
