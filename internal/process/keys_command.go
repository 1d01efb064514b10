package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tidings-io/tidings/internal/access"
	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/eventstore/esdb"
)

// KeysCommand is `tidings keys`: it works on the event store itself, so that the
// first key can be made before anybody can call the API.
type KeysCommand struct {
	Create KeysCreateCommand `cmd:"" help:"Make an API key and print it, this once: only its hash is kept."`
	List   KeysListCommand   `cmd:"" help:"Show all API keys there ever were."`
	Revoke KeysRevokeCommand `cmd:"" help:"Refuse an API key from now on, and end the streams it opened."`
}

// KeysFlags say where the event store is.
type KeysFlags struct {
	EventStoreURL string `name:"eventstore-url" help:"Address of the event store, as its clients write it: esdb://user:password@host:2113?tls=true." default:"esdb://127.0.0.1:2113?tls=false" env:"EVENTSTORE_URL" secret:"url"`
	JSON          bool   `name:"json" help:"Print JSON, for programs."`
}

const (
	keysTimeout    = 15 * time.Second
	maxKeyText     = 200 // bytes of a name or a subject
	operatorPrefix = "operator:"
)

// with opens the event store for what f does.
func (c KeysFlags) with(ctx context.Context, f func(context.Context, *Store) error) error {
	store, err := esdb.Open(c.EventStoreURL, esdb.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("event store address: %w", err)
	}
	defer store.Close()
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	err = f(ctx, &Store{Store: store})
	if errors.Is(err, events.ErrStoreUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: say where the event store is with --eventstore-url", err)
	}
	return err
}

// operator is who runs the command, as the log names them.
func operator() events.Metadata {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return ownMetadata(operatorPrefix + name)
}

// KeysCreateCommand is `tidings keys create`.
type KeysCreateCommand struct {
	KeysFlags
	Name    string        `arg:"" help:"What the key is for."`
	Subject string        `help:"Who those are that show it: the actor of what they do, and the user whose inbox they reach. Unless given: the name." placeholder:"NAME"`
	Scope   []string      `help:"What it may do: publish, subscribe, inbox, audit, admin." default:"publish" sep:","`
	Topics  []string      `help:"Patterns of the topics that it may publish and subscribe to, such as builds.*; user:* lets it name users. Unless given: any." placeholder:"PATTERN" sep:","`
	For     time.Duration `help:"How long it is valid; 0 is until it is revoked." default:"0s"`
}

// Validate refuses what no key can have.
func (c *KeysCreateCommand) Validate() error {
	if c.Scope = slices.Compact(slices.Sorted(slices.Values(separate(c.Scope)))); len(c.Scope) == 0 {
		return errors.New("--scope names none: a key without a scope may do nothing")
	}
	for _, name := range c.Scope {
		if !slices.Contains(access.AllScopes, access.Scope(name)) {
			return fmt.Errorf("--scope: there is no scope %q: there are publish, subscribe, inbox, audit and admin", name)
		}
	}
	if c.Subject == "" {
		c.Subject = c.Name
	}
	for flag, text := range map[string]string{"the name": c.Name, "--subject": c.Subject} {
		if text == "" || len(text) > maxKeyText || strings.TrimSpace(text) != text || !utf8.ValidString(text) ||
			strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) {
			return fmt.Errorf("%s has 1 to %d bytes of characters that can be seen, without spaces around them", flag, maxKeyText)
		}
	}
	if c.For < 0 {
		return errors.New("--for must not be negative")
	}
	return c.checkTopics()
}

// checkTopics refuses patterns that cannot match anything: who gave them meant
// something else.
func (c *KeysCreateCommand) checkTopics() error {
	if c.Topics == nil {
		return nil
	}
	if c.Topics = separate(c.Topics); len(c.Topics) == 0 {
		return errors.New("--topics names no pattern: leave it out for any topic")
	}
	if _, err := access.ParseTopics(c.Topics); err != nil {
		return fmt.Errorf("--topics: %w", err)
	}
	for _, pattern := range c.Topics {
		like := strings.ReplaceAll(pattern, "*", "a")
		name, ofUsers := strings.CutPrefix(like, "user:")
		_, err := events.ParseTopic(like)
		if ofUsers {
			_, err = events.ParseUser(name)
		}
		if err != nil {
			return fmt.Errorf("--topics %s matches nothing: %w", pattern, err)
		}
	}
	return nil
}

// Run prints the key on standard output, and what else there is to say on standard
// error.
func (c *KeysCreateCommand) Run(ctx context.Context) error {
	id, key, hash := access.NewKey()
	created := events.KeyCreated{Key: id, Name: c.Name, Hash: hash, Subject: c.Subject, Scopes: c.Scope, Topics: c.Topics}
	if c.For > 0 {
		expires := time.Now().UTC().Add(c.For).Truncate(time.Second)
		created.ExpiresAt = &expires
	}
	return c.with(ctx, func(ctx context.Context, store *Store) error {
		if _, err := commands.Handle(ctx, store, operator(), commands.CreateKey{Key: created}); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(os.Stdout, map[string]any{"id": id, "key": key, "subject": created.Subject, "scopes": created.Scopes, "expires_at": created.ExpiresAt})
		}
		fmt.Fprintf(os.Stderr, "API key %s of %s, scope %s: keep it now, it is not shown again; tidings keys revoke %s refuses it\n",
			id, created.Subject, strings.Join(created.Scopes, ","), id)
		fmt.Println(key)
		return nil
	})
}

// KeysRevokeCommand is `tidings keys revoke`.
type KeysRevokeCommand struct {
	KeysFlags
	ID     []string `arg:"" help:"Ids, as tidings keys list shows them; a whole key is taken for its id."`
	Reason string   `help:"Why; it is kept in the log." placeholder:"TEXT"`
}

// Validate refuses what is no id, without repeating what may be a secret.
func (c *KeysRevokeCommand) Validate() error {
	for i, text := range c.ID {
		id, ok := access.ParseKeyID(text)
		if !ok {
			return fmt.Errorf("argument %d is no id of an API key: tidings keys list shows them", i+1)
		}
		c.ID[i] = string(id)
	}
	return nil
}

// Run revokes one after the other.
func (c *KeysRevokeCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(ctx context.Context, store *Store) error {
		for _, id := range c.ID {
			receipt, err := commands.Handle(ctx, store, operator(), commands.RevokeKey{Key: events.KeyID(id), Reason: c.Reason})
			switch {
			case err != nil:
				return err
			case c.JSON:
				err = printJSON(os.Stdout, map[string]any{"id": id, "revoked": true, "position": receipt.Position})
			case receipt.Changed:
				fmt.Printf("%s is revoked\n", id)
			default:
				fmt.Printf("%s was revoked before\n", id)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// KeysListCommand is `tidings keys list`.
type KeysListCommand struct{ KeysFlags }

// listedKey is a key as it is shown.
type listedKey struct {
	ID        events.KeyID `json:"id"`
	Name      string       `json:"name"`
	Subject   string       `json:"subject"`
	Scopes    []string     `json:"scopes"`
	Topics    []string     `json:"topics,omitempty"`
	CreatedAt time.Time    `json:"created_at"`
	CreatedBy string       `json:"created_by"`
	ExpiresAt *time.Time   `json:"expires_at,omitempty"`
	RevokedAt *time.Time   `json:"revoked_at,omitempty"`
	RevokedBy string       `json:"revoked_by,omitempty"`
	Reason    string       `json:"reason,omitempty"`
}

// Run prints a table, or JSON.
func (c *KeysListCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(ctx context.Context, store *Store) error {
		keys, err := listKeys(ctx, store)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(os.Stdout, map[string]any{"items": keys})
		}
		return showKeys(os.Stdout, keys, time.Now())
	})
}

// listKeys folds all keys from the log, in the order in which they were made.
func listKeys(ctx context.Context, store *Store) ([]*listedKey, error) {
	keys := []*listedKey{}
	byID := map[events.KeyID]*listedKey{}
	for stored, err := range store.ReadAll(ctx, 0, events.Filter{Category: events.CategoryKey}) {
		if err != nil {
			return nil, err
		}
		r, err := events.Decode(stored)
		if err != nil {
			return nil, err
		}
		switch e := r.Event.(type) {
		case events.KeyCreated:
			key := &listedKey{
				ID: e.Key, Name: e.Name, Subject: e.Subject, Scopes: e.Scopes, Topics: e.Topics,
				CreatedAt: r.At, CreatedBy: r.Metadata.Actor, ExpiresAt: e.ExpiresAt,
			}
			keys, byID[e.Key] = append(keys, key), key
		case events.KeyRevoked:
			if key := byID[e.Key]; key != nil {
				key.RevokedAt, key.RevokedBy, key.Reason = &r.At, r.Metadata.Actor, e.Reason
			}
		}
	}
	return keys, nil
}

func showKeys(out io.Writer, keys []*listedKey, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ID\tNAME\tSUBJECT\tSCOPES\tTOPICS\tCREATED\tSTATE") // Flush says
	for _, k := range keys {
		state := "valid"
		switch {
		case k.RevokedAt != nil:
			state = strings.TrimSpace("revoked " + k.RevokedAt.UTC().Format(time.RFC3339) + " " + k.Reason)
		case k.ExpiresAt != nil && !now.Before(*k.ExpiresAt):
			state = "expired " + k.ExpiresAt.UTC().Format(time.RFC3339)
		case k.ExpiresAt != nil:
			state = "valid until " + k.ExpiresAt.UTC().Format(time.RFC3339)
		}
		topics := "any"
		if k.Topics != nil {
			topics = strings.Join(k.Topics, ",")
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Subject, strings.Join(k.Scopes, ","), topics,
			k.CreatedAt.UTC().Format(time.RFC3339), state)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the keys: %w", err)
	}
	return nil
}
