package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// errNobody: no process has the log open, as far as its socket tells.
var errNobody = errors.New("no process serves this event log")

// startingWithin is how long a process that has the log may take to make its socket.
const startingWithin = 3 * time.Second

// viaNode has the process that has the log in dir do a task; where none has, do does it. A process that is just starting, or ending, has the
// log and no socket for a moment.
func viaNode(ctx context.Context, dir, task string, request controlRequest, progress eventlog.Progress, do func() error) (controlLine, error) {
	for began := time.Now(); ; {
		line, err := askNode(ctx, dir, task, request, progress)
		if !errors.Is(err, errNobody) {
			return line, err
		}
		err = do()
		if !errors.Is(err, eventlog.ErrInUse) {
			return controlLine{}, err
		}
		if time.Since(began) > startingWithin {
			return controlLine{}, fmt.Errorf("%w, and it does not answer on %s: is it another user's, or older than this program?", err, controlFile)
		}
		select {
		case <-time.After(controlTellEach):
		case <-ctx.Done():
			return controlLine{}, ctx.Err()
		}
	}
}

// askNode is errNobody when no process answers. When ctx ends the task is ended, and has ended when it returns.
func askNode(ctx context.Context, dir, task string, request controlRequest, progress eventlog.Progress) (controlLine, error) {
	address, release, err := socketAddress(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return controlLine{}, errNobody
	}
	if err != nil {
		return controlLine{}, err
	}
	defer release()
	client := &http.Client{Transport: &http.Transport{
		DialContext:       dialControl(address),
		DisableKeepAlives: true,
	}}
	line, err := askOn(ctx, client, task, request, progress)
	if ctx.Err() != nil && !errors.Is(err, errNobody) {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), controlPause)
		defer cancel()
		if response, err := post(ending, client, "idle", controlRequest{}); err == nil {
			_ = response.Body.Close() // it was waited for, and says nothing
		}
		return controlLine{}, ctx.Err()
	}
	return line, err
}

func askOn(ctx context.Context, client *http.Client, task string, request controlRequest, progress eventlog.Progress) (controlLine, error) {
	response, err := post(ctx, client, task, request)
	if err != nil {
		return controlLine{}, err
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, controlRequestBytes)) // half of it says something, too
		return controlLine{}, fmt.Errorf("the node answers %s: %s", response.Status, bytes.TrimSpace(text))
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, controlLineBytes)
	for lines.Scan() {
		var line controlLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return controlLine{}, fmt.Errorf("what the node answers: %w", err)
		}
		switch {
		case line.Error != "":
			return controlLine{}, errors.New(line.Error)
		case line.Backup != nil || line.Verified != nil || line.Stats != nil:
			return line, nil
		case line.Progress != nil && progress != nil:
			progress(line.Progress.Step, line.Progress.Done, line.Progress.Total)
		}
	}
	if err := lines.Err(); err != nil {
		return controlLine{}, fmt.Errorf("what the node answers: %w", err)
	}
	return controlLine{}, errors.New("the node ended before the task did")
}

func post(ctx context.Context, client *http.Client, task string, request controlRequest) (*http.Response, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://node/"+task, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return client.Do(r)
}

func dialControl(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: controlPause}).DialContext(ctx, "unix", address)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("%w: %w", errNobody, err)
		}
		if err != nil {
			return nil, err
		}
		return patientConn{conn}, nil
	}
}

// patientConn gives up on a silence.
type patientConn struct{ net.Conn }

func (c patientConn) Read(buf []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(controlPause)); err != nil {
		return 0, err
	}
	return c.Conn.Read(buf)
}

func (c patientConn) Write(text []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(controlPause)); err != nil {
		return 0, err
	}
	return c.Conn.Write(text)
}
