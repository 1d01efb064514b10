package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	fetchTimeout   = 5 * time.Second
	maxKeySetBytes = 1 << 20
	maxRedirects   = 3
)

// source is where a key set is fetched.
type source struct {
	url        string // "": nowhere
	client     *http.Client
	own        bool // whether the client's connections are ours to close
	algorithms []string
}

// newSource fails on a URL whose answer others could forge.
func newSource(address string, client *http.Client, algorithms []string) (source, error) {
	if address == "" {
		return source{}, nil
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return source{}, fmt.Errorf("URL of the key set: %w", quiet(err))
	}
	if err := trusted(parsed); err != nil {
		return source{}, fmt.Errorf("URL of the key set: %w", err)
	}
	own := client == nil
	if own {
		client = &http.Client{}
		if standard, ok := http.DefaultTransport.(*http.Transport); ok {
			client.Transport = standard.Clone() // connections that nobody else holds
		}
	}
	ours := *client
	ours.CheckRedirect = checkRedirect
	return source{url: address, client: &ours, own: own, algorithms: algorithms}, nil
}

// trusted lets https through, and http where nobody stands between us and the server.
func trusted(u *url.URL) error {
	switch {
	case u.Host == "":
		return errors.New("it names no host")
	case u.User != nil:
		return errors.New("it holds a user or a password: a key set is public")
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return errors.New("it is neither https nor http")
	case u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback():
		return errors.New("it is http to another machine, where anybody in between could put in keys: use https")
	default:
		return nil
	}
}

// checkRedirect never goes from https to http, not even on this machine: a server elsewhere does not choose what we ask here.
func checkRedirect(to *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return errors.New("too many redirects")
	case via[0].URL.Scheme != to.URL.Scheme && to.URL.Scheme != "https":
		return errors.New("a redirect to another scheme")
	default:
		return trusted(to.URL)
	}
}

func (s source) close() {
	if s.own {
		s.client.CloseIdleConnections()
	}
}

// fetch reads the key set. A set without any key that could be used is an error: it is more likely broken than meant.
func (s source) fetch(ctx context.Context) (document, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return document{}, fmt.Errorf("ask for the key set: %w", quiet(err))
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := s.client.Do(request)
	if err != nil {
		return document{}, fmt.Errorf("ask for the key set: %w", quiet(err))
	}
	defer answer.Body.Close() //nolint:errcheck // read as far as we want it
	if answer.StatusCode != http.StatusOK {
		return document{}, fmt.Errorf("ask for the key set: the answer has status %d", answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxKeySetBytes+1))
	switch {
	case err != nil:
		return document{}, fmt.Errorf("read the key set: %w", quiet(err))
	case len(text) > maxKeySetBytes:
		return document{}, fmt.Errorf("read the key set: it has more than %d bytes", maxKeySetBytes)
	}
	read, err := readKeySet(json.RawMessage(text), s.algorithms)
	if err != nil {
		return document{}, fmt.Errorf("read the key set: %w", err)
	}
	return read, nil
}

// quiet drops the URL from an error: its query may hold what is not to be logged.
func quiet(err error) error {
	if named, ok := errors.AsType[*url.Error](err); ok {
		return named.Err
	}
	return err
}
