package process

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// TokenFlags say which token a command shows to the API, and how it knows that it is
// the API. The token itself is no flag, as whoever lists the machine's processes would
// see it.
type TokenFlags struct {
	CAFlags

	TokenFile string `help:"File that holds the token to show to the API; without one the environment's TIDINGS_TOKEN counts." placeholder:"FILE" env:"TIDINGS_TOKEN_FILE"`
}

// maxTokenBytes is far more than a token of the longest kind has, and what any server
// takes as a header.
const maxTokenBytes = 16 << 10

// Token is the one to show, or "" for none. Errors do not repeat it.
func (f TokenFlags) Token() (string, error) { return readToken(f.TokenFile, "TIDINGS_TOKEN") }

// TargetTokenFlags are TokenFlags for the second of two APIs: a token is for one of them alone.
type TargetTokenFlags struct {
	ToTokenFile string `help:"File that holds the token to show to the API of --to; without one the environment's TIDINGS_TO_TOKEN counts." placeholder:"FILE" env:"TIDINGS_TO_TOKEN_FILE"`
}

// TargetToken is the one to show, or "" for none. Errors do not repeat it.
func (f TargetTokenFlags) TargetToken() (string, error) {
	return readToken(f.ToTokenFile, "TIDINGS_TO_TOKEN")
}

// readToken reads a token from a file or, without one, from a variable of the environment.
func readToken(name, variable string) (string, error) {
	if _, both := os.LookupEnv(variable); both && os.Getenv(variable+"_FILE") != "" {
		return "", fmt.Errorf("%[1]s and %[1]s_FILE are both set: unset one", variable)
	}
	if name == "" {
		return checkToken(os.Getenv(variable), variable)
	}
	file, err := os.Open(name) //nolint:gosec // the path is the caller's to choose
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxTokenBytes+1))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token, err := checkToken(string(text), name)
	if err == nil && token == "" {
		err = fmt.Errorf("%s holds no token", name)
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
