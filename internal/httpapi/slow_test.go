package httpapi

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a network without buffers, in the bubble's time: what nobody reads cannot
// be written, and a goroutine that is left at the end fails the test.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newPipes() *pipes { return &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

func (p *pipes) Dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.accepted <- server
	return client, nil
}

// inSlowWorld serves a handler behind the edge; in the end everything must be gone.
func inSlowWorld(t *testing.T, encrypt bool, inside http.HandlerFunc, test func(t *testing.T, network *pipes)) {
	t.Helper()
	edge := edgeOf(t, Config{}, inside)
	pair := ownPair(t)
	synctest.Test(t, func(t *testing.T) {
		network := newPipes()
		var listener net.Listener = network
		if encrypt {
			listener = Encrypted(network, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair, nil })
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- Serve(ctx, listener, edge, nil, slog.New(slog.DiscardHandler)) }()
		test(t, network)
		synctest.Wait()
		began := time.Now()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("got %v, want an end without error", err)
		}
		if took := time.Since(began); took >= shutdownTimeout {
			t.Errorf("the end took %s: a connection was still held", took)
		}
	})
}

// ownPair is valid whatever time it is.
func ownPair(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// gone waits until the server has hung up, and answers how long that took.
func gone(conn net.Conn) time.Duration {
	began := time.Now()
	_, _ = io.Copy(io.Discard, conn)
	return time.Since(began)
}

func TestSlowHeadersEnd(t *testing.T) {
	t.Parallel()
	inSlowWorld(t, false, func(http.ResponseWriter, *http.Request) { t.Error("it was served") }, func(t *testing.T, network *pipes) {
		conn, _ := network.Dial(t.Context(), "", "")
		defer conn.Close()
		dripped := make(chan struct{})
		go func() { // a header that grows for ever
			defer close(dripped)
			_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: t\r\nX-Slow: ")
			for err == nil {
				time.Sleep(time.Second) // the bubble's time
				_, err = io.WriteString(conn, "x")
			}
		}()
		if got := gone(conn); got != readHeaderTimeout {
			t.Errorf("it was let for %s, want %s", got, readHeaderTimeout)
		}
		_ = conn.Close()
		<-dripped
	})
}

func TestSlowHandshakesEnd(t *testing.T) {
	t.Parallel()
	inSlowWorld(t, true, func(http.ResponseWriter, *http.Request) { t.Error("it was served") }, func(t *testing.T, network *pipes) {
		conn, _ := network.Dial(t.Context(), "", "")
		defer conn.Close()
		if got := gone(conn); got != readHeaderTimeout {
			t.Errorf("it was let for %s, want %s", got, readHeaderTimeout)
		}
	})
}

func TestSlowBodiesEnd(t *testing.T) {
	t.Parallel()
	for name, framing := range map[string]string{"of a known length": "Content-Length: 10000\r\n\r\n", "in chunks": "Transfer-Encoding: chunked\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var failed error
			inSlowWorld(t, false, func(w http.ResponseWriter, r *http.Request) {
				if _, failed = readBody(w, r, maxBodyBytes); failed != nil {
					writeProblem(w, r, problemOf(failed))
				}
			}, func(t *testing.T, network *pipes) {
				conn, _ := network.Dial(t.Context(), "", "")
				defer conn.Close()
				dripped := make(chan struct{})
				go func() {
					defer close(dripped)
					_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: t\r\n"+framing)
					for err == nil {
						time.Sleep(time.Second) // the bubble's time
						_, err = io.WriteString(conn, map[bool]string{true: "1\r\nx\r\n", false: "x"}[strings.Contains(framing, "chunked")])
					}
				}()
				began := time.Now()
				answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); answer.StatusCode != http.StatusRequestTimeout || took > bodyTimeout {
					t.Errorf("got %s after %s, want 408 after %s", answer.Status, took, bodyTimeout)
				}
				_ = conn.Close()
				<-dripped
				if p := problemOf(failed); p.Code != codeTimeout {
					t.Errorf("got %v, want %s", failed, codeTimeout)
				}
			})
		})
	}
}

// large is more than any buffer holds.
var large = make([]byte, 8<<20)

// TestWhoeverDoesNotRead holds nothing for longer than a minute.
func TestWhoeverDoesNotRead(t *testing.T) {
	t.Parallel()
	for name, encrypt := range map[string]bool{"in clear": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var took time.Duration
			var failed error
			inSlowWorld(t, encrypt, func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(90 * time.Second) // the bubble's time: only what is being taken is bounded
				began := time.Now()
				_, failed = w.Write(large)
				took = time.Since(began)
			}, func(t *testing.T, network *pipes) {
				conn, _ := network.Dial(t.Context(), "", "")
				defer conn.Close()
				if encrypt {
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}) // 1.3 sends tickets, to be read
				}
				if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: t\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(90*time.Second + writeTimeout)
				synctest.Wait()
				if failed == nil || took != writeTimeout {
					t.Errorf("the answer ended with %v after %s, want a failure after %s", failed, took, writeTimeout)
				}
			})
		})
	}
}

// TestWhoeverDoesNotReadHTTP2: the stream ends, though its connection is well.
func TestWhoeverDoesNotReadHTTP2(t *testing.T) {
	t.Parallel()
	var took time.Duration
	var failed error
	inSlowWorld(t, true, func(w http.ResponseWriter, _ *http.Request) {
		began := time.Now()
		_, failed = w.Write(large)
		took = time.Since(began)
	}, func(t *testing.T, network *pipes) {
		client, answer := getHTTP2(t, network)
		defer client.CloseIdleConnections()
		defer answer.Body.Close()
		time.Sleep(2 * writeTimeout)
		synctest.Wait()
		if failed == nil || took != writeTimeout {
			t.Errorf("the answer ended with %v after %s, want a failure after %s", failed, took, writeTimeout)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err == nil {
			t.Error("got a whole answer, want that it broke off")
		}
	})
}

func getHTTP2(t *testing.T, network *pipes) (*http.Client, *http.Response) {
	t.Helper()
	transport := &http.Transport{
		DialContext: network.Dial, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	client := &http.Client{Transport: transport}
	answer, err := client.Get("https://t/")
	if err != nil {
		t.Fatal(err)
	}
	if answer.ProtoMajor != 2 {
		t.Errorf("got %s, want HTTP/2", answer.Proto)
	}
	return client, answer
}

// TestAConnectionIsUsedAgain after longer than an answer may take: the deadline of the answer before is not the next one's.
func TestAConnectionIsUsedAgain(t *testing.T) {
	t.Parallel()
	inSlowWorld(t, false, func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body) // the server first says 100 Continue
		if err != nil || string(body) != "x" {
			t.Errorf("got %q, %v, want x", body, err)
		}
	}, func(t *testing.T, network *pipes) {
		conn, _ := network.Dial(t.Context(), "", "")
		defer conn.Close()
		answers := bufio.NewReader(conn)
		for range 3 {
			go func() {
				_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
			}()
			for _, want := range []int{http.StatusContinue, http.StatusOK} {
				answer, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatal(err)
				}
				if answer.StatusCode != want {
					t.Fatalf("got %s, want %d", answer.Status, want)
				}
				if want == http.StatusContinue {
					go func() { _, _ = io.WriteString(conn, "x") }()
				}
			}
			time.Sleep(writeTimeout + time.Second) // the bubble's time
		}
	})
}

// TestSilentStreams are not ended by the deadline of what they said last: HTTP/2 would.
func TestSilentStreams(t *testing.T) {
	t.Parallel()
	const silence = 5 * time.Minute
	kinds := map[string]func(w http.ResponseWriter) error{
		"server-sent events": func(w http.ResponseWriter) error {
			s := &eventStream{w: w, control: http.NewResponseController(w), options: StreamOptions{WriteTimeout: 10 * time.Second}}
			err := s.open()
			time.Sleep(silence)
			return errors.Join(err, s.flush([]byte("data: 1\n\n")))
		},
		"lines": func(w http.ResponseWriter) error {
			l := &lineWriter{w: w, control: http.NewResponseController(w)}
			err := l.write(fmt.Appendln(nil, strings.Repeat("x", exportBytes)))
			time.Sleep(silence)
			return errors.Join(err, l.write([]byte("1\n")))
		},
	}
	for name, stream := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var failed error
			inSlowWorld(t, true, func(w http.ResponseWriter, _ *http.Request) { failed = stream(w) }, func(t *testing.T, network *pipes) {
				client, answer := getHTTP2(t, network)
				defer client.CloseIdleConnections()
				defer answer.Body.Close()
				text, err := io.ReadAll(answer.Body)
				if err != nil || failed != nil || !strings.HasSuffix(strings.TrimSpace(string(text)), "1") {
					t.Errorf("the stream ended with %v, and %v, want its last words", err, failed)
				}
			})
		})
	}
}
