package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/tidings-io/tidings/internal/httpapi"
	"github.com/tidings-io/tidings/internal/queries"
)

// ProjectionsCommand is `tidings projections`: it asks and orders through the API.
type ProjectionsCommand struct {
	Status   ProjectionsStatusCommand   `cmd:"" help:"Say how far each version of the read model is, and which serves."`
	Rebuild  ProjectionsRebuildCommand  `cmd:"" help:"Fold a new version beside the one that serves; it takes over once it has caught up."`
	Activate ProjectionsActivateCommand `cmd:"" help:"Have a version serve once it has caught up: one that was held, or one that was replaced."`
	Drop     ProjectionsDropCommand     `cmd:"" help:"Drop the tables of a version that does not serve."`
	Pause    ProjectionsPauseCommand    `cmd:"" help:"Stop folding; readers are answered from what there is."`
	Resume   ProjectionsResumeCommand   `cmd:"" help:"Go on folding."`
	Skip     ProjectionsSkipCommand     `cmd:"" help:"Pass over the event at which the projection is halted."`
	Parity   ProjectionsParityCommand   `cmd:"" help:"Show for whom a rebuilt version says something else, and what."`
}

// ProjectionsFlags say where the API is, and what it is shown.
type ProjectionsFlags struct {
	TokenFlags

	URL  string `name:"url" help:"Where the API is." default:"http://127.0.0.1:8080" env:"TIDINGS_URL"`
	JSON bool   `name:"json" help:"Print what the API answers, for programs."`
}

// OrderFlags are what all orders have.
type OrderFlags struct {
	ProjectionsFlags
	Reason string `help:"Why; it is kept in the log." placeholder:"TEXT"`
}

const (
	projectionsTimeout = 30 * time.Second
	// answerBytes are more than any answer about projections has.
	answerBytes = 16 << 20
	// rebuildLook is how often a rebuild that is waited for is looked at.
	rebuildLook = 500 * time.Millisecond
)

// ask sends a request and returns the answer's body; a problem is an error that
// says what it means.
func (f ProjectionsFlags) ask(ctx context.Context, method, path string, body any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, projectionsTimeout)
	defer cancel()
	token, err := f.Token()
	if err != nil {
		return nil, err
	}
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(f.URL, "/")+"/v1/projections"+path, sent)
	if err != nil {
		return nil, fmt.Errorf("--url %s: %w", f.URL, err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client, err := f.Client()
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections() // a rebuild that is waited for asks often, and each time anew
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the API does not answer: %w: say where it is with --url", err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	answer, err := io.ReadAll(io.LimitReader(response.Body, answerBytes))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if response.StatusCode < http.StatusMultipleChoices {
		return answer, nil
	}
	var problem httpapi.Problem
	if json.Unmarshal(answer, &problem) != nil || problem.Code == "" {
		return nil, fmt.Errorf("%s answered %s: is this the API of tidings?", f.URL, response.Status)
	}
	return nil, fmt.Errorf("%s: %s", problem.Code, problem.Detail)
}

// order sends one and prints what was answered.
func (f OrderFlags) order(ctx context.Context, method, path string, body map[string]any, done string) error {
	if f.Reason != "" && method != http.MethodDelete {
		body["reason"] = f.Reason
	}
	var sent any
	if method != http.MethodDelete {
		sent = body
	}
	answer, err := f.ask(ctx, method, "/inbox"+path, sent)
	if err != nil {
		return err
	}
	if f.JSON {
		fmt.Print(string(answer))
		return nil
	}
	fmt.Println(done)
	return nil
}

func (f ProjectionsFlags) versions(ctx context.Context) ([]queries.Version, []byte, error) {
	answer, err := f.ask(ctx, http.MethodGet, "", nil)
	if err != nil {
		return nil, nil, err
	}
	var all struct {
		Items []queries.Version `json:"items"`
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		return nil, nil, fmt.Errorf("read the answer: %w", err)
	}
	return all.Items, answer, nil
}

// ProjectionsStatusCommand is `tidings projections status`.
type ProjectionsStatusCommand struct{ ProjectionsFlags }

// Run prints a table, or the API's answer.
func (c *ProjectionsStatusCommand) Run(ctx context.Context) error {
	versions, answer, err := c.versions(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		fmt.Print(string(answer))
		return nil
	}
	return showVersions(os.Stdout, versions)
}

func showVersions(out io.Writer, versions []queries.Version) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAME\tVERSION\tSERVES\tSTATE\tPOSITION\tHEAD\tLAG\tEVENTS/S\tLEFT\tREASON") // Flush says
	for _, v := range versions {
		serves, left := "", ""
		if v.Serving {
			serves = "yes"
		}
		if v.SecondsLeft != nil {
			left = (time.Duration(*v.SecondsLeft) * time.Second).String()
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%d\t%.0f\t%s\t%s\n",
			v.Name, v.Version, serves, v.State, v.Position, v.Head, v.LagEvents, v.EventsPerSecond, left, v.Reason)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the versions: %w", err)
	}
	return nil
}

// ProjectionsRebuildCommand is `tidings projections rebuild`.
type ProjectionsRebuildCommand struct {
	OrderFlags
	Switch string `help:"auto: the new version takes over once it has caught up; manual: it waits for activate." enum:"auto,manual" default:"auto"`
	Wait   bool   `help:"Show the progress until the new version serves, or is ready."`
}

// Run orders the rebuild and waits for it where it is told to.
func (c *ProjectionsRebuildCommand) Run(ctx context.Context) error {
	body := map[string]any{"switch": c.Switch}
	if c.Reason != "" {
		body["reason"] = c.Reason
	}
	answer, err := c.ask(ctx, http.MethodPost, "/inbox/rebuild", body)
	if err != nil {
		return err
	}
	var ordered struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(answer, &ordered); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if c.JSON {
		fmt.Print(string(answer))
	} else {
		fmt.Printf("version %d is rebuilt\n", ordered.Version)
	}
	if !c.Wait {
		return nil
	}
	return c.await(ctx, ordered.Version, os.Stderr)
}

// await shows how far a version is until it serves, or is ready to.
func (c *ProjectionsRebuildCommand) await(ctx context.Context, version int, out *os.File) error {
	var bar *progressbar.ProgressBar
	if term.IsTerminal(int(out.Fd())) {
		bar = progressbar.NewOptions64(1, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("events folded"),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionSetWidth(30))
		defer func() { _ = bar.Clear() }() // a terminal that cannot be written to is no reason to stop
	}
	for {
		versions, _, err := c.versions(ctx)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if v.Version != version {
				continue
			}
			if bar != nil {
				bar.ChangeMax64(int64(v.Head))   //nolint:gosec // at most MaxPosition
				_ = bar.Set64(int64(v.Position)) //nolint:gosec // as above
			}
			switch {
			case v.Serving, c.Switch == "manual" && v.State == "ready":
				return nil
			case v.Halted != nil:
				return fmt.Errorf("version %d is halted at position %s: %s: skip the event with `tidings projections skip --position %s --reason …`, or drop the version",
					version, v.Halted.Position, v.Halted.Reason, v.Halted.Position)
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("the rebuild goes on; see `tidings projections status`")
		case <-time.After(rebuildLook):
		}
	}
}

// ProjectionsActivateCommand is `tidings projections activate`.
type ProjectionsActivateCommand struct {
	OrderFlags
	Version int `arg:"" help:"Which version."`
}

// Run orders it.
func (c *ProjectionsActivateCommand) Run(ctx context.Context) error {
	path := fmt.Sprintf("/versions/%d/activate", c.Version)
	return c.order(ctx, http.MethodPost, path, map[string]any{}, fmt.Sprintf("version %d serves once it has caught up", c.Version))
}

// ProjectionsDropCommand is `tidings projections drop`.
type ProjectionsDropCommand struct {
	OrderFlags
	Version int `arg:"" help:"Which version."`
}

// Run orders it.
func (c *ProjectionsDropCommand) Run(ctx context.Context) error {
	path := fmt.Sprintf("/versions/%d?reason=%s", c.Version, url.QueryEscape(c.Reason))
	return c.order(ctx, http.MethodDelete, path, nil, fmt.Sprintf("version %d is dropped", c.Version))
}

// ProjectionsPauseCommand is `tidings projections pause`.
type ProjectionsPauseCommand struct{ OrderFlags }

// Run orders it.
func (c *ProjectionsPauseCommand) Run(ctx context.Context) error {
	return c.order(ctx, http.MethodPost, "/pause", map[string]any{}, "the projection pauses")
}

// ProjectionsResumeCommand is `tidings projections resume`.
type ProjectionsResumeCommand struct{ OrderFlags }

// Run orders it.
func (c *ProjectionsResumeCommand) Run(ctx context.Context) error {
	return c.order(ctx, http.MethodPost, "/resume", map[string]any{}, "the projection goes on")
}

// ProjectionsSkipCommand is `tidings projections skip`.
type ProjectionsSkipCommand struct {
	ProjectionsFlags
	Position uint64 `help:"Position of the event at which it is halted: tidings projections status names it." required:"" unit:"position" placeholder:"POS"`
	Reason   string `help:"Why it may be passed over; it is kept in the log." placeholder:"TEXT" required:""`
}

// Run orders it.
func (c *ProjectionsSkipCommand) Run(ctx context.Context) error {
	at := strconv.FormatUint(c.Position, 10)
	f := OrderFlags{ProjectionsFlags: c.ProjectionsFlags, Reason: c.Reason}
	return f.order(ctx, http.MethodPost, "/skip", map[string]any{"position": at}, "the event at position "+at+" is skipped")
}

// ProjectionsParityCommand is `tidings projections parity`.
type ProjectionsParityCommand struct {
	ProjectionsFlags
	Version int `arg:"" help:"Of the rebuilt version."`
}

// Run prints the whole report.
func (c *ProjectionsParityCommand) Run(ctx context.Context) error {
	for cursor, first := "", true; first || cursor != ""; first = false {
		answer, err := c.ask(ctx, http.MethodGet, fmt.Sprintf("/inbox/versions/%d/parity?limit=100&cursor=%s", c.Version, url.QueryEscape(cursor)), nil)
		if err != nil {
			return err
		}
		var page queries.Parity
		if err := json.Unmarshal(answer, &page); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		cursor = page.NextCursor
		if c.JSON {
			fmt.Print(string(answer)) // a page a line
			continue
		}
		if first {
			fmt.Printf("%d of %d users differ between version %d and version %d at position %s\n",
				page.DifferingUsers, page.Users, page.Against, page.Version, page.Position)
		}
		for _, user := range page.Items {
			for _, d := range user.Differences {
				fmt.Println(describeDifference(user, d))
			}
		}
	}
	return nil
}

func describeDifference(user queries.UserParity, d queries.Difference) string {
	of := d.Kind + " " + d.Position.String()
	if d.Topic != nil {
		of += " " + string(*d.Topic)
	}
	if d.NotificationID != nil {
		of += " " + d.NotificationID.String()
	}
	return fmt.Sprintf("%s  %s: %s", user.User, of, d.Difference)
}
