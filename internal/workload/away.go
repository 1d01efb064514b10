package workload

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// awayError is a failure that another attempt may not meet.
type awayError struct {
	err        error
	retryAfter time.Duration
}

func (e *awayError) Error() string { return e.err.Error() }
func (e *awayError) Unwrap() error { return e.err }

// connectionError says whether another attempt may fare better: yes, but for what no waiting mends.
func connectionError(err error) error {
	var dns *net.DNSError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound,
		errors.As(err, &authority),
		errors.As(err, &hostname),
		strings.Contains(err.Error(), "unsupported protocol scheme"):
		return fmt.Errorf("reach the server: %w", err)
	default:
		return &awayError{err: err}
	}
}

func refusal(response *http.Response, text []byte) error {
	problem := &Problem{}
	if err := json.Unmarshal(text, problem); err != nil {
		problem.Detail = string(text[:min(len(text), 200)]) // a proxy's page; enough to recognise it
	}
	problem.Status = response.StatusCode
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &awayError{err: problem, retryAfter: retryAfter(response.Header)}
	default:
		return problem
	}
}

// retryAfter reads the header in seconds; a date, which the API does not send, counts as none.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// Pause waits, for as long as ctx lasts.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
