package process

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/tidings-io/tidings/internal/certificate"
	"github.com/tidings-io/tidings/internal/eventstore/node"
	"github.com/tidings-io/tidings/internal/httpapi"
)

// NodeAccessFlags say who may call the node. Given, they are in force on every address, --insecure or not.
type NodeAccessFlags struct {
	TLSCert   string `name:"tls-cert" help:"PEM file of the certificate to show callers, with those between it and its authority; read again when it changes." placeholder:"FILE" env:"TIDINGS_NODE_TLS_CERT"`
	TLSKey    string `name:"tls-key" help:"PEM file of its private key; read again when it changes." placeholder:"FILE" env:"TIDINGS_NODE_TLS_KEY"`
	UsersFile string `name:"users-file" help:"Who may call: lines of name:hash, as tidings node hash-password and htpasswd -B make them; read again when it changes." placeholder:"FILE" env:"TIDINGS_NODE_USERS_FILE"`
}

// check refuses flags that do not go together, and an address that others can reach without TLS and users, unless insecure is said.
func (f NodeAccessFlags) check(address string, insecure bool) error {
	encrypted := f.TLSCert != ""
	switch {
	case encrypted != (f.TLSKey != ""):
		return errors.New("--tls-cert and --tls-key go together: give both or none")
	case f.UsersFile != "" && !encrypted:
		return errors.New("--users-file needs --tls-cert and --tls-key: passwords would cross the network in clear, and clients do not send them then")
	case encrypted && f.UsersFile != "", insecure:
		return httpapi.CheckListen(address, true) // whether it is an address at all
	case httpapi.CheckListen(address, true) != nil || httpapi.CheckListen(address, false) == nil:
		return httpapi.CheckListen(address, false)
	}
	missing := "--tls-cert, --tls-key and --users-file"
	if encrypted {
		missing = "--users-file"
	}
	return fmt.Errorf("listen address %q can be reached from outside, and there is no access control: add %s, "+
		"or use 127.0.0.1, or --insecure if something else protects it", address, missing)
}

// open reads the files; what is not asked for is nil.
func (f NodeAccessFlags) open(logger *slog.Logger) (shown *certificate.Certificate, users *node.Users, err error) {
	if f.TLSCert != "" {
		if shown, err = certificate.Open(f.TLSCert, f.TLSKey, logger); err != nil {
			return nil, nil, err
		}
	}
	if f.UsersFile != "" {
		if users, err = node.OpenUsers(f.UsersFile, logger); err != nil {
			return nil, nil, err
		}
	}
	return shown, users, nil
}
