package process

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// logKeys are all that lines of the log may have: whoever writes rules over logs must be able to know them. Those of an
// event, and of a request, are always these words.
var logKeys = []string{
	"time", "level", "msg", "error",
	"stream", "revision", "position", "type", "command_id", "correlation_id", "trace_id", // of events, and of what caused them
	"route", "method", "status", "took", "reasons", // of requests
	"projection", "schema", "state", "version", "before", "head", "skipped", // of the read model
	"line", "said", "client_level", "data", // of the parts of dev
	"actor", "kind", "filter", "after", "events", "ended", // of reads of the audit trail
}

// TestTheLogInJSON: every line of a small run is a JSON object with a time, a level and a message, and no key that is not
// known; nothing of what was published is in it, and what a request did can be found by its id.
func TestTheLogInJSON(t *testing.T) {
	t.Parallel()
	cmd, log := program(t, "dev", nil, "--log-format=json", "--log-level=debug",
		"--data="+t.TempDir(), "--listen=127.0.0.1:0", "--store-listen=127.0.0.1:0", "--self-check-every=0")
	cmd.Stdout = nil // it says where it is ready
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("it is not ready: %s", log)
	}
	s := &system{url: strings.TrimPrefix(lines.Text(), "ready ")}
	s.publish(t, "Traceparent", caller)
	s.do(t, http.MethodGet, "/v1/users/ann-user/inbox?limit="+hush, "", "Authorization", "Bearer "+hush)
	s.must(t, http.MethodGet, "/v1/audit/events?user=ann-user", "")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("it ended with %v: %s", err, log)
	}
	answered := map[string]bool{}
	for line := range strings.Lines(log.String()) {
		var said map[string]any
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Errorf("not JSON: %s", line)
			continue
		}
		checkLine(t, said, line)
		if said["msg"] == "a request was answered" && said["correlation_id"] == "request-1" {
			answered[said["route"].(string)] = said["method"] == "POST" && said["status"] == 201.0 &&
				said["took"].(float64) < programPatience.Seconds() && said["trace_id"] == callersTrace
		}
	}
	if want := "/v1/notifications"; len(answered) != 1 || !answered[want] {
		t.Errorf("got of the request %v, want one line, of %s, with method, status, seconds and trace", answered, want)
	}
	if strings.Contains(log.String(), hush) {
		t.Errorf("what was published, or a credential, is in the log:\n%s", log)
	}
}

func checkLine(t *testing.T, said map[string]any, line string) {
	t.Helper()
	at, _ := said["time"].(string)
	if _, err := time.Parse(time.RFC3339Nano, at); err != nil {
		t.Errorf("the time %q is not one: %s", at, line)
	}
	if level, _ := said["level"].(string); !slices.Contains([]string{"DEBUG", "INFO", "WARN", "ERROR"}, level) {
		t.Errorf("the level %q is not one: %s", level, line)
	}
	if text, _ := said["msg"].(string); text == "" {
		t.Errorf("it says nothing: %s", line)
	}
	keys := keysOf(t, line)
	for i, key := range keys {
		if !slices.Contains(logKeys, key) {
			t.Errorf("the key %q is not known: %s", key, line)
		}
		if slices.Contains(keys[:i], key) {
			t.Errorf("the key %q is there twice: %s", key, line)
		}
	}
}

// keysOf are an object's own keys, each as often as it is there.
func keysOf(t *testing.T, object string) (keys []string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(object))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		key, err := d.Token()
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.(string))
	}
	return keys
}
