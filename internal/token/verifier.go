package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// Options say which tokens are accepted. There must be a key or a key set.
type Options struct {
	// Keys are there from the start and never change; at most three for each algorithm.
	Keys []Key
	// KeySetURL is where a key set is fetched: https, or http on this machine. "": there is none.
	KeySetURL string
	// Algorithms are those let through. None given: those that Keys are for, and RS256, ES256 and EdDSA if there is a key set.
	Algorithms []string
	// Issuer and Audience are what tokens must say; "": they may say anything.
	Issuer, Audience string
	// Skew is by how much the issuer's clock may differ from ours; 0: 30 seconds.
	Skew time.Duration
	// Refresh is how often the key set is fetched; 0: every 20 seconds, so that a rotation is in force within 60.
	Refresh time.Duration
	// Client fetches the key set; nil: one of its own. What it says of redirects is replaced.
	Client *http.Client
	// Logger gets what happens to the key set; nil: nothing does.
	Logger *slog.Logger
	// Registerer gets the metrics of the key set; nil: none are kept.
	Registerer prometheus.Registerer
}

const (
	defaultSkew = 30 * time.Second
	maxSkew     = 10 * time.Minute // with more, the times of tokens mean little
	// maxChecks bounds the signatures checked for one token: they cost up to 0.1 ms each, and anybody may send a token.
	maxChecks = 4
	// maxStatic leaves one check to a key of the set.
	maxStatic = maxChecks - 1
)

// Verifier checks tokens. It may be used by many at once.
type Verifier struct {
	algorithms []string
	static     []Key
	expects    expectations
	set        *keySet
}

// NewVerifier fails on options that contradict each other or mean nothing. Nothing is fetched before Run.
func NewVerifier(o Options) (*Verifier, error) {
	algorithms, err := o.algorithms()
	if err != nil {
		return nil, err
	}
	if o.Skew == 0 {
		o.Skew = defaultSkew
	}
	if o.Skew < 0 || o.Skew > maxSkew {
		return nil, fmt.Errorf("a clock skew of %s: it must be more than 0 and at most %s", o.Skew, maxSkew)
	}
	set, err := newKeySet(o, algorithms)
	if err != nil {
		return nil, err
	}
	return &Verifier{
		algorithms: algorithms, static: slices.Clone(o.Keys), set: set,
		expects: expectations{issuer: o.Issuer, audience: o.Audience, skew: o.Skew},
	}, nil
}

// algorithms are those that are let through.
func (o Options) algorithms() ([]string, error) {
	if len(o.Keys) == 0 && o.KeySetURL == "" {
		return nil, errors.New("there is neither a key nor a key set to verify tokens with")
	}
	let := slices.Clone(o.Algorithms)
	for _, algorithm := range let {
		if methods[algorithm] == nil {
			return nil, fmt.Errorf("%q is no algorithm that is known here: they are HS256, RS256, ES256 and EdDSA", algorithm)
		}
	}
	if len(let) == 0 && o.KeySetURL != "" {
		let = []string{RS256, ES256, EdDSA}
	}
	each := map[string]int{}
	for _, key := range o.Keys {
		algorithm := key.Algorithm()
		each[algorithm]++
		switch {
		case algorithm == "":
			return nil, errors.New("one of the keys is none")
		case each[algorithm] > maxStatic:
			return nil, fmt.Errorf("there are more than %d keys for %s", maxStatic, algorithm)
		case slices.Contains(let, algorithm):
		case len(o.Algorithms) > 0:
			return nil, fmt.Errorf("there is a key for %s, which is not among the algorithms", algorithm)
		default:
			let = append(let, algorithm)
		}
	}
	return let, nil
}

// methods read and check tokens of one algorithm each, and judge no claims: that is done here, more strictly.
var methods = map[string]*jwt.Parser{HS256: only(HS256), RS256: only(RS256), ES256: only(ES256), EdDSA: only(EdDSA)}

func only(algorithm string) *jwt.Parser {
	return jwt.NewParser(jwt.WithValidMethods([]string{algorithm}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
}

// Run fetches the key set, again and again, until ctx ends; without a key set it only waits for that. One Run at a time.
func (v *Verifier) Run(ctx context.Context) error { return v.set.run(ctx) }

// Verify returns what a token says if it is to be believed, now. The error is a *Refused, or an ErrUnavailable. It takes up to two seconds when the
// token names a key that the key set did not have when last fetched.
func (v *Verifier) Verify(ctx context.Context, token string) (Claims, error) {
	h, ok := readHeader(token)
	if !ok || !slices.Contains(v.algorithms, h.algorithm) {
		return Claims{}, refuse(reasonUnverifiable)
	}
	key, text, err := v.signer(ctx, token, h)
	if err != nil {
		return Claims{}, err
	}
	claims, err := v.expects.read(text, time.Now())
	if err != nil {
		return Claims{}, err
	}
	claims.signedBy = key.print
	return claims, nil
}

// signer finds the key that a token was signed with, and returns the token's claims with it. A key of the set that the token names is the only
// one it can be. Else the static keys come first: they are tried also when the set is out of reach.
func (v *Verifier) signer(ctx context.Context, token string, h header) (Key, []byte, error) {
	checks := maxChecks
	keys := v.set.keys.Load()
	if !keys.has(h.keyID) {
		static := forAlgorithm(v.static, h.algorithm)
		checks -= len(static)
		if key, text, ok := signedWith(token, static); ok {
			return key, text, nil
		}
	}
	if v.set.none() || h.algorithm == HS256 { // a key set has no secrets
		return Key{}, nil, refuse(reasonUnverifiable)
	}
	if h.keyID != "" && !keys.has(h.keyID) || keys.usable() != nil {
		keys = v.set.again(ctx)
	}
	if err := keys.usable(); err != nil {
		return Key{}, nil, err
	}
	candidates := forAlgorithm(keys.named(h.keyID), h.algorithm)
	if key, text, ok := signedWith(token, candidates[:min(len(candidates), checks)]); ok {
		return key, text, nil
	}
	return Key{}, nil, refuse(reasonUnverifiable)
}

// signedWith finds the key among those given that made a token's signature.
func signedWith(token string, keys []Key) (Key, []byte, bool) {
	for _, key := range keys {
		var claims payload
		_, err := methods[key.algorithm].ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return key.verifies, nil })
		if err == nil {
			return key, claims.text, true
		}
	}
	return Key{}, nil, false
}

func forAlgorithm(keys []Key, algorithm string) (of []Key) {
	for _, key := range keys {
		if key.algorithm == algorithm {
			of = append(of, key)
		}
	}
	return of
}

// payload keeps the claims as they are written. The fields that it inherits stay empty: they make it what the library takes for claims.
type payload struct {
	jwt.RegisteredClaims

	text json.RawMessage
}

// UnmarshalJSON keeps the text.
func (p *payload) UnmarshalJSON(text []byte) error { return p.text.UnmarshalJSON(text) }

// InForce tells whether the key that verified a token still would. It is false of Claims that no Verify returned.
func (v *Verifier) InForce(c Claims) bool {
	signed := func(key Key) bool { return key.print == c.signedBy }
	return slices.ContainsFunc(v.static, signed) || slices.ContainsFunc(v.set.keys.Load().list, func(key setKey) bool { return signed(key.Key) })
}

// Changed is closed when other keys are in force than at the time of the call. Whoever holds claims for long takes it first, asks InForce, and then
// waits for it.
func (v *Verifier) Changed() <-chan struct{} { return v.set.changes() }

// Ready is nil when every token can be verified or refused, else it says why not and is an ErrUnavailable.
func (v *Verifier) Ready() error {
	if v.set.none() {
		return nil
	}
	return v.set.keys.Load().usable()
}
