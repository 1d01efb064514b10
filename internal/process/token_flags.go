package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// TokenFlags say which token a command shows to the API. The token itself is no flag,
// as whoever lists the machine's processes would see it.
type TokenFlags struct {
	TokenFile string `help:"File that holds the token to show to the API; without one the environment's TIDINGS_TOKEN counts." placeholder:"FILE" env:"TIDINGS_TOKEN_FILE"`
}

// maxTokenBytes is far more than a token of the longest kind has, and what any server
// takes as a header.
const maxTokenBytes = 16 << 10

// Token is the one to show, or "" for none. Errors do not repeat it.
func (f TokenFlags) Token() (string, error) {
	if _, both := os.LookupEnv("TIDINGS_TOKEN"); both && os.Getenv("TIDINGS_TOKEN_FILE") != "" {
		return "", errors.New("TIDINGS_TOKEN and TIDINGS_TOKEN_FILE are both set: unset one")
	}
	if f.TokenFile == "" {
		return checkToken(os.Getenv("TIDINGS_TOKEN"), "TIDINGS_TOKEN")
	}
	file, err := os.Open(f.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxTokenBytes+1))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token, err := checkToken(string(text), f.TokenFile)
	if err == nil && token == "" {
		err = fmt.Errorf("%s holds no token", f.TokenFile)
	}
	return token, err
}

// checkToken is the text without white space around it, where it can be sent.
func checkToken(text, from string) (string, error) {
	token := strings.TrimSpace(text)
	isOdd := func(c rune) bool { return c <= ' ' || c > '~' }
	if len(text) > maxTokenBytes || strings.ContainsFunc(token, isOdd) {
		return "", fmt.Errorf("what %s holds is no token: it is too long, or has characters that tokens do not have", from)
	}
	return token, nil
}
