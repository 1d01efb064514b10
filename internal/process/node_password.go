package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/tidings-io/tidings/internal/eventstore/node"
)

// NodeHashPasswordCommand is `tidings node hash-password`.
type NodeHashPasswordCommand struct {
	Name string `arg:"" help:"Name of the user."`
}

// Run asks for a password, or reads it from standard input if that is no terminal, and prints the user's line of a users file.
func (c *NodeHashPasswordCommand) Run(ctx context.Context) error {
	password, err := readPassword(ctx, c.Name)
	if err != nil {
		return err
	}
	line, err := node.HashPassword(c.Name, password)
	if err != nil {
		return err
	}
	fmt.Println(line)
	return nil
}

// readPassword returns when ctx ends, with the terminal as it was.
func readPassword(ctx context.Context, name string) ([]byte, error) {
	read, restore := pipedPassword, func() error { return nil }
	if terminal := int(os.Stdin.Fd()); term.IsTerminal(terminal) {
		state, err := term.GetState(terminal)
		if err != nil {
			return nil, fmt.Errorf("read the password: %w", err)
		}
		read = func() ([]byte, error) { return typedPassword(terminal, name) }
		restore = func() error { return term.Restore(terminal, state) }
	}
	var password []byte
	ended := make(chan error, 1)
	go func() {
		var err error
		password, err = read()
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			return nil, fmt.Errorf("read the password: %w", err)
		}
		return password, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("read the password: %w", errors.Join(ctx.Err(), restore()))
	}
}

// typedPassword asks twice, and what is typed is not seen.
func typedPassword(terminal int, name string) ([]byte, error) {
	ask := func(question string) ([]byte, error) {
		fmt.Fprint(os.Stderr, question)
		defer fmt.Fprintln(os.Stderr)
		return term.ReadPassword(terminal)
	}
	first, err := ask("Password of " + name + ": ")
	if err != nil {
		return nil, err
	}
	second, err := ask("Once more: ")
	if err == nil && !bytes.Equal(first, second) {
		err = errors.New("the two are not the same")
	}
	return first, err
}

// pipedPassword is all of standard input but the end of its line.
func pipedPassword() ([]byte, error) {
	const most = 4096 // far more than a password can have
	text, err := io.ReadAll(io.LimitReader(os.Stdin, most))
	return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r")), err
}
