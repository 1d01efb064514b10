package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings-io/tidings/internal/access"
	"github.com/tidings-io/tidings/internal/certificate"
	"github.com/tidings-io/tidings/internal/token"
)

const (
	accessOpen     = "open"
	accessRequired = "required"
)

// AccessFlags say who may call the API.
type AccessFlags struct {
	Access       string        `help:"open: everybody may do everything. required: each request shows a token or an API key. Unless given: required where there is a --jwt-… to check tokens by, else open." enum:",open,required" default:"" placeholder:"open|required" env:"TIDINGS_ACCESS" filled:""`
	JWTKey       []string      `name:"jwt-key" help:"File of a key that tokens are signed with: a public key or certificate in PEM (RS256, ES256, EdDSA), or a secret of at least 32 bytes (HS256). May be given again, while one replaces another." placeholder:"FILE" env:"TIDINGS_JWT_KEY_FILE" sep:","`
	JWTSecret    string        `name:"jwt-secret" hidden:"" help:"Secret that tokens are signed with (HS256)." env:"TIDINGS_JWT_SECRET" filled:"" secret:""`
	JWKSURL      string        `name:"jwks-url" help:"Where the keys of the issuer of tokens are fetched, as a JSON Web Key Set: https, or http on this machine." placeholder:"URL" env:"TIDINGS_JWKS_URL" filled:"" secret:"url"`
	JWTAlgorithm []string      `name:"jwt-algorithm" help:"Algorithms let through: HS256, RS256, ES256, EdDSA. Unless given: those of the keys, and all but HS256 for a key set." placeholder:"NAME" env:"TIDINGS_JWT_ALGORITHMS" sep:","`
	JWTIssuer    string        `name:"jwt-issuer" help:"Issuer (iss) that tokens must name; needed with --jwks-url." placeholder:"NAME" env:"TIDINGS_JWT_ISSUER" filled:""`
	JWTAudience  string        `name:"jwt-audience" help:"Audience (aud) that tokens must be for; needed with --jwks-url." placeholder:"NAME" env:"TIDINGS_JWT_AUDIENCE" filled:""`
	JWTSkew      time.Duration `name:"jwt-skew" help:"By how much the issuer's clock may be ahead; a token ends when it says, all the same." default:"30s" env:"TIDINGS_JWT_SKEW"`
	QueryToken   bool          `help:"Take tokens in the query string too, as access_token, for clients that can send neither headers nor cookies. Proxies may log it." env:"TIDINGS_QUERY_TOKEN"`
}

// tokens says whether there is a way to check tokens.
func (f *AccessFlags) tokens() bool {
	return len(f.JWTKey) > 0 || f.JWTSecret != "" || f.JWKSURL != ""
}

// blank names a setting that says how tokens are checked, and does not say it: a
// variable that is set to nothing, or a flag without a value.
func (f *AccessFlags) blank() string {
	if f.JWTKey != nil && !slices.ContainsFunc(f.JWTKey, func(file string) bool { return file != "" }) || slices.Contains(f.JWTKey, "") {
		return "--jwt-key (TIDINGS_JWT_KEY_FILE)"
	}
	for _, variable := range []string{"TIDINGS_JWT_KEY_FILE", "TIDINGS_JWT_SECRET", "TIDINGS_JWKS_URL", "TIDINGS_ACCESS"} {
		if value, given := os.LookupEnv(variable); given && value == "" {
			return variable
		}
	}
	return ""
}

// required says whether requests must show who they are from.
func (f *AccessFlags) required() bool {
	return f.Access == accessRequired || f.Access == "" && f.tokens()
}

// Validate refuses what does not go together.
func (f *AccessFlags) Validate() error {
	switch {
	case f.Access != accessOpen && f.blank() != "":
		return fmt.Errorf("%s is given and empty, which would leave access as it is without it: give it a value, or --access open", f.blank())
	case !f.tokens() && (f.JWTIssuer != "" || f.JWTAudience != "" || len(f.JWTAlgorithm) > 0):
		return errors.New("--jwt-issuer, --jwt-audience and --jwt-algorithm mean nothing without --jwt-key or --jwks-url")
	case f.Access == accessOpen && f.tokens():
		return errors.New("--access open and a way to check tokens do not go together: leave one of them out")
	case f.JWKSURL != "" && (f.JWTIssuer == "" || f.JWTAudience == ""):
		return errors.New("--jwks-url needs --jwt-issuer and --jwt-audience: the issuer's keys sign tokens for other services too")
	case f.QueryToken && !f.required():
		return errors.New("--query-token means nothing without access control")
	}
	return nil
}

// open reads the keys; nil where access is open.
func (f *AccessFlags) open(log access.Log, logger *slog.Logger, registerer prometheus.Registerer) (*AccessControl, error) {
	if !f.required() {
		return nil, nil
	}
	control := &AccessControl{QueryToken: f.QueryToken}
	options := token.Options{
		KeySetURL: f.JWKSURL, Algorithms: f.JWTAlgorithm, Issuer: f.JWTIssuer, Audience: f.JWTAudience, Skew: f.JWTSkew,
		Logger: logger, Registerer: registerer,
	}
	for _, file := range f.JWTKey {
		key, err := token.ReadKey(file)
		if err != nil {
			return nil, err
		}
		if key.Algorithm() == token.HS256 && certificate.ReadableByAll(file) {
			logger.Warn("everybody on this machine may read a key that makes tokens: chmod o-r it", "file", file)
		}
		options.Keys = append(options.Keys, key)
	}
	if f.JWTSecret != "" {
		key, err := token.ParseKey([]byte(f.JWTSecret))
		if err != nil {
			return nil, fmt.Errorf("TIDINGS_JWT_SECRET: %w", err)
		}
		options.Keys = append(options.Keys, key)
	}
	if f.tokens() {
		tokens, err := token.NewVerifier(options)
		if err != nil {
			return nil, err
		}
		control.Tokens = tokens
	}
	authority, err := access.New(access.Options{Log: log, Tokens: control.Tokens, Logger: logger, Registerer: registerer})
	control.Authority = authority
	return control, err
}

// AccessControl is what checks who calls an API.
type AccessControl struct {
	*access.Authority

	Tokens     *token.Verifier // nil: API keys alone are taken
	QueryToken bool
}

// parts are what must run for it.
func (c *AccessControl) parts() []func(context.Context) error {
	switch {
	case c == nil:
		return nil
	case c.Tokens == nil:
		return []func(context.Context) error{c.Run}
	default:
		return []func(context.Context) error{c.Run, c.Tokens.Run}
	}
}

// ready is nil once credentials can be checked.
func (c *AccessControl) ready(context.Context) error {
	if c.Tokens == nil {
		return c.Ready()
	}
	return errors.Join(c.Ready(), c.Tokens.Ready())
}
