package workload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Server is a Tidings API, as this package talks to it. Its methods are safe for concurrent use; its fields are set
// before the first call.
//
// A server that is away (connections refused or cut, answers that do not come, 429, 502, 503, 504) is asked again, with
// jittered waits and honouring Retry-After, until it has been away for Patience. Everything sent here is harmless when
// repeated. Any other refusal is final, that of a token (401, 403) too.
type Server struct {
	// URL is where the API is, such as http://127.0.0.1:8080.
	URL string
	// Token is shown with every request; "" shows none. It is in no error.
	Token string
	// Client sends the requests; nil means one made by NewClient.
	Client *http.Client
	// Patience is how long one request is tried again; 0 means 3 minutes.
	Patience time.Duration
	// Away is told, when not nil, each time a request has to wait for the server. It is called concurrently.
	Away func(why error)

	retries atomic.Int64
}

const (
	// connectionsKept is how many idle connections a client keeps: more than any concurrency that helps.
	connectionsKept = 1024
	// attemptTimeout bounds one attempt. It is longer than the server's own deadline on a command, so that an attempt
	// that was given up on here is not still running there when its successor is answered.
	attemptTimeout = 60 * time.Second
	// defaultPatience outlasts a server that is killed and has a long log to open.
	defaultPatience = 3 * time.Minute
	// maxAnswerBytes bounds an answer: 1,000 audit events of 64 KiB of data each is the largest that can be asked for.
	maxAnswerBytes = 128 << 20
)

// NewClient returns a client that keeps enough connections open for many requests at once. It follows nobody elsewhere:
// the API redirects nowhere, and a token is for this server alone.
func NewClient() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           dialer.DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			MaxIdleConns:          connectionsKept,
			MaxIdleConnsPerHost:   connectionsKept,
			IdleConnTimeout:       90 * time.Second,
			ResponseHeaderTimeout: attemptTimeout,
		},
	}
}

// Problem is an answer that says no, as RFC 9457 describes it.
type Problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"errors"`
}

// Error says all that the server said, in one line.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the server answered %d", p.Status)
	for _, part := range []string{p.Code, p.Title, p.Detail} {
		if part != "" {
			b.WriteString(": " + part)
		}
	}
	for _, e := range p.Errors {
		b.WriteString("; " + e.Field + ": " + e.Message)
	}
	return b.String()
}

// Request is one call to the API, ready to be sent any number of times.
type Request struct {
	Method  string
	Path    string // escaped
	Query   url.Values
	Headers map[string]string
	Body    any // nil for none
}

// Reply is what an answer carries besides its body.
type Reply struct {
	Status   int
	Replayed bool // an earlier request with the same Idempotency-Key did it
}

// Do sends a request until the server has answered it and decodes the answer's body. What the server refuses for good
// is a *Problem.
func (s *Server) Do(ctx context.Context, r Request, answer any) (Reply, error) {
	body, err := r.encoded()
	if err != nil {
		return Reply{}, err
	}
	var got Reply
	err = s.patiently(ctx, func() error {
		var err error
		got, err = s.attempt(ctx, r, body, answer)
		return err
	})
	return got, err
}

// Open sends a request until the server has begun to answer it, and returns the answer's body, to be read for as long
// as ctx lasts and to be closed. It is for answers that have no end, or none soon.
func (s *Server) Open(ctx context.Context, r Request) (io.ReadCloser, error) {
	body, err := r.encoded()
	if err != nil {
		return nil, err
	}
	var response *http.Response
	err = s.patiently(ctx, func() error {
		response, err = s.begin(ctx, r, body) //nolint:bodyclose // whoever opened it closes it
		return err
	})
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// patiently makes attempts until one has an answer, is refused for good, or patience ends.
func (s *Server) patiently(ctx context.Context, attempt func() error) error {
	waits := backoff.ExponentialBackOff{
		InitialInterval: 50 * time.Millisecond, Multiplier: 1.6, RandomizationFactor: 0.5, MaxInterval: 2 * time.Second,
	}
	waits.Reset()
	patience := s.Patience
	if patience == 0 {
		patience = defaultPatience
	}
	giveUp := time.Now().Add(patience)
	for {
		err := attempt()
		var away *awayError
		if err == nil || !errors.As(err, &away) || ctx.Err() != nil {
			return err
		}
		wait := max(waits.NextBackOff(), away.retryAfter)
		if time.Now().Add(wait).After(giveUp) {
			return fmt.Errorf("gave up after %s: %w", patience, err)
		}
		s.retries.Add(1)
		if s.Away != nil {
			s.Away(away)
		}
		if err := Pause(ctx, wait); err != nil {
			return err
		}
	}
}

// Retries is how many attempts beyond the first were made so far.
func (s *Server) Retries() int { return int(s.retries.Load()) }

func (s *Server) attempt(ctx context.Context, r Request, body []byte, answer any) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	response, err := s.begin(ctx, r, body)
	if err != nil {
		return Reply{}, err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end, or given up on
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return Reply{}, &awayError{err: fmt.Errorf("read the answer to %s %s: %w", r.Method, r.Path, err)}
	}
	got := Reply{Status: response.StatusCode, Replayed: response.Header.Get("Idempotency-Replayed") == "true"}
	if err := json.Unmarshal(text, answer); err != nil {
		return got, fmt.Errorf("decode the answer to %s %s: %w", r.Method, r.Path, err)
	}
	return got, nil
}

// maxProblemBytes bounds an answer that says no: far more than any problem has.
const maxProblemBytes = 1 << 20

// begin sends a request once and returns the answer that says yes, whose body is to be read and closed.
func (s *Server) begin(ctx context.Context, r Request, body []byte) (*http.Response, error) {
	sent, err := http.NewRequestWithContext(ctx, r.Method, s.address(r), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	for name, value := range r.Headers {
		sent.Header.Set(name, value)
	}
	if len(body) > 0 {
		sent.Header.Set("Content-Type", "application/json")
	}
	if s.Token != "" {
		sent.Header.Set("Authorization", "Bearer "+s.Token)
	}
	response, err := s.client().Do(sent)
	if err != nil {
		return nil, connectionError(err)
	}
	if response.StatusCode < http.StatusMultipleChoices {
		return response, nil
	}
	defer response.Body.Close() //nolint:errcheck // read to its end, or given up on
	text, err := io.ReadAll(io.LimitReader(response.Body, maxProblemBytes))
	if err != nil {
		return nil, &awayError{err: fmt.Errorf("read the answer to %s %s: %w", r.Method, r.Path, err)}
	}
	return nil, refusal(response, text)
}

func (s *Server) address(r Request) string {
	address := strings.TrimSuffix(s.URL, "/") + r.Path
	if len(r.Query) > 0 {
		address += "?" + r.Query.Encode()
	}
	return address
}

func (s *Server) client() *http.Client {
	if s.Client == nil {
		return sharedClient
	}
	return s.Client
}

// sharedClient is what servers without a client of their own use.
var sharedClient = NewClient()

func (r Request) encoded() ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := json.Marshal(r.Body)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return body, nil
}
