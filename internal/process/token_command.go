package process

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tidings-io/tidings/internal/access"
	"github.com/tidings-io/tidings/internal/token"
)

// TokenCommand is `tidings token`, for those who have no issuer of tokens, or not yet.
type TokenCommand struct {
	Sub    string        `name:"sub" required:"" help:"The user whose token it is." placeholder:"USER"`
	Scope  []string      `help:"What it permits, of publish, subscribe, inbox, audit and admin; several with commas or spaces between them, or the flag again." default:"publish,subscribe,inbox" placeholder:"SCOPE"`
	Topics []string      `help:"Patterns of topics, such as builds.*, to which publish and subscribe are limited; without the flag they are not, and --topics= permits none." placeholder:"PATTERN"`
	For    time.Duration `name:"for" help:"How long it is valid." default:"1h"`

	Key    string `help:"File of the key that signs it: a private key in PEM, or a secret. Without a file the secret is taken from the environment's TIDINGS_JWT_SECRET; there is no flag for it, since others can see flags." placeholder:"FILE" env:"TIDINGS_JWT_KEY_FILE"`
	NewKey string `help:"Write a new random secret to this file first, which must not exist, and sign with it; give the file to the API as its key." placeholder:"FILE"`

	Issuer   string `help:"Who made it (iss), if the API asks for that." placeholder:"NAME" env:"TIDINGS_JWT_ISSUER"`
	Audience string `help:"For whom it is (aud), if the API asks for that." placeholder:"NAME" env:"TIDINGS_JWT_AUDIENCE"`
}

// Help explains what the flags cannot.
func (c *TokenCommand) Help() string {
	return `Makes a token and prints it, alone, on standard output, for example:

  tidings token --new-key jwt.secret --sub ann
  TIDINGS_JWT_KEY_FILE=jwt.secret tidings token --sub ann --scope inbox --for 10m

Whoever has the key can be anybody: it belongs to the API's operator. In production, tokens come from your issuer.`
}

// Validate refuses what means nothing.
func (c *TokenCommand) Validate() error {
	if c.For <= 0 {
		return errors.New("--for must be more than 0")
	}
	for _, name := range separate(c.Scope) {
		if !slices.Contains(access.AllScopes, access.Scope(name)) {
			return fmt.Errorf("--scope: there is no scope %q: there are publish, subscribe, inbox, audit and admin", name)
		}
	}
	if _, err := access.ParseTopics(separate(c.Topics)); err != nil {
		return fmt.Errorf("--topics: %w", err)
	}
	return nil
}

// Run prints a token.
func (c *TokenCommand) Run(context.Context) error {
	made, err := c.token(os.Getenv("TIDINGS_JWT_SECRET"), time.Now())
	if err != nil {
		return err
	}
	fmt.Println(made)
	return nil
}

func (c *TokenCommand) token(secret string, now time.Time) (string, error) {
	key, err := c.key(secret)
	if err != nil {
		return "", err
	}
	return token.Sign(key, token.SignClaims{
		Subject: c.Sub, Scopes: separate(c.Scope), Topics: separate(c.Topics),
		Issuer: c.Issuer, Audience: c.Audience, Lifetime: c.For,
	}, now)
}

// key is the new one, else the file's, else the environment's: what was asked for most plainly.
func (c *TokenCommand) key(secret string) (token.Key, error) {
	switch {
	case c.NewKey != "":
		if err := writeSecret(c.NewKey); err != nil {
			return token.Key{}, err
		}
		return token.ReadKey(c.NewKey)
	case c.Key != "":
		return token.ReadKey(c.Key)
	case secret != "":
		key, err := token.ParseKey([]byte(secret))
		if err != nil {
			return token.Key{}, fmt.Errorf("TIDINGS_JWT_SECRET: %w", err)
		}
		return key, nil
	default:
		return token.Key{}, errors.New("there is no key to sign with: give --key FILE or set TIDINGS_JWT_SECRET, or let --new-key FILE make one")
	}
}

// separate is nil only for nil: no names given are none, but a flag without names is a list without any.
func separate(given []string) []string {
	if given == nil {
		return nil
	}
	names := []string{}
	for _, text := range given {
		names = append(names, strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	return names
}

// secretBytes makes secrets that nobody guesses, and 43 characters of base64.
const secretBytes = 32

// writeSecret never replaces a file: tokens in use would be worth nothing.
func writeSecret(name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator says which file
	if err != nil {
		return fmt.Errorf("write a new key: %w", err)
	}
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails
	_, err = file.WriteString(base64.RawURLEncoding.EncodeToString(secret) + "\n")
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(fmt.Errorf("write a new key: %w", err), os.Remove(name)) // half a secret would be one, and stay
	}
	return nil
}
