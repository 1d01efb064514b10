package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/token"
)

// maxVerified are the tokens remembered whose signatures were found right, about
// 500 bytes each: checking one anew costs as much as all the rest of a request.
const maxVerified = 50_000

// Options say what an Authority works with.
type Options struct {
	Log    Log             // what was created and revoked
	Tokens *token.Verifier // nil: no token is taken, only API keys are
	Logger *slog.Logger    // nil: silent
	// Registerer takes the metrics of this package; nil: counted for nobody.
	Registerer prometheus.Registerer
}

// Authority says whose a credential is. It may be asked by any number of
// goroutines at once.
type Authority struct {
	tokens   *token.Verifier
	logger   *slog.Logger
	register *register
	verified *lru.Cache[[sha256.Size]byte, *Identity]
	asked    *prometheus.CounterVec
}

// New makes an Authority that lets nobody in before Run.
func New(o Options) (*Authority, error) {
	verified, _ := lru.New[[sha256.Size]byte, *Identity](maxVerified) // fails for sizes below 1 alone
	a := &Authority{tokens: o.Tokens, logger: o.Logger, register: newRegister(o.Log), verified: verified}
	if a.logger == nil {
		a.logger = slog.New(slog.DiscardHandler)
	}
	if err := a.count(o.Registerer); err != nil {
		return nil, err
	}
	return a, nil
}

// Run hears of what is revoked until ctx ends, and then answers nil.
func (a *Authority) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return a.register.follow(ctx, func(s events.Stored, err error) {
			a.logger.Error("an event about access cannot be read",
				"position", s.Position, "stream", s.Stream, "revision", s.Revision, "type", s.Type, "error", err)
		})
	})
	if a.tokens != nil {
		g.Go(func() error { return a.watchKeys(ctx) })
	}
	if err := g.Wait(); ctx.Err() == nil {
		return fmt.Errorf("follow what is revoked: %w", err)
	}
	return nil
}

// watchKeys ends what is open under a token whose signing key was taken away.
func (a *Authority) watchKeys(ctx context.Context) error {
	for {
		changed := a.tokens.Changed()
		a.register.all(func(w *watch) {
			if w.identity.Key == "" && !a.tokens.InForce(w.identity.claims) {
				w.end(refuse("the key that signed the token is no longer in force"))
			}
		})
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// Ready is nil once credentials can be checked.
func (a *Authority) Ready() error {
	select {
	case <-a.register.begun:
		return nil
	default:
		return errors.New("what was revoked is not known yet")
	}
}

// Authenticate says whose a credential is. The error is a *Refused, or
// ErrUnavailable, or ctx's.
func (a *Authority) Authenticate(ctx context.Context, credential string) (*Identity, error) {
	i, err := a.authenticate(ctx, credential)
	a.asked.WithLabelValues(outcome(err)).Inc()
	return i, err
}

func (a *Authority) authenticate(ctx context.Context, credential string) (*Identity, error) {
	if LooksLikeKey(credential) {
		return a.key(ctx, credential)
	}
	return a.token(ctx, credential)
}

// errUnknownKey is the answer to every key that cannot be right, so that it tells
// nobody which ids there are.
var errUnknownKey = refuse("there is no such API key")

func (a *Authority) key(ctx context.Context, credential string) (*Identity, error) {
	id, secret, ok := parseKey(credential)
	if !ok {
		return nil, errUnknownKey
	}
	holder := events.KeyStream(id)
	s, err := a.register.of(ctx, holder)
	switch {
	case err != nil:
		return nil, err
	case s.key == nil || !sameHash(s.key.Hash, hashSecret(secret)):
		return nil, errUnknownKey
	}
	i := &Identity{
		Subject: s.key.Subject, User: user(s.key.Subject), Scopes: known(s.key.Scopes), Key: id, holder: holder,
	}
	if s.key.ExpiresAt != nil {
		i.Expires = *s.key.ExpiresAt
	}
	if s.key.Topics != nil {
		if i.Topics, err = ParseTopics(s.key.Topics); err != nil {
			return nil, refuse("the API key's topics cannot be read: make a new key")
		}
	}
	if err := s.judge(i); err != nil {
		return nil, err
	}
	return i, unexpired(i)
}

func unexpired(i *Identity) error {
	if !i.Expires.IsZero() && !time.Now().Before(i.Expires) {
		if i.Key != "" {
			return refuse("the API key has expired")
		}
		return refuse("the token has expired")
	}
	return nil
}

func (a *Authority) token(ctx context.Context, credential string) (*Identity, error) {
	if a.tokens == nil {
		return nil, refuse("tokens are not taken here, API keys are")
	}
	sum := sha256.Sum256([]byte(credential))
	i, ok := a.verified.Get(sum)
	if !ok || !a.tokens.InForce(i.claims) {
		claims, err := a.tokens.Verify(ctx, credential)
		if err != nil {
			a.verified.Remove(sum)
			return nil, fromToken(err)
		}
		if i, err = bearer(claims); err != nil {
			return nil, err
		}
		ok = false
	}
	if err := unexpired(i); err != nil {
		return nil, err
	}
	if i.holder != "" {
		s, err := a.register.of(ctx, i.holder)
		if err != nil {
			return nil, err
		}
		if err := s.judge(i); err != nil {
			return nil, err
		}
	}
	if !ok {
		a.verified.Add(sum, i)
	}
	return i, nil
}

// bearer is whom a verified token is of.
func bearer(claims token.Claims) (*Identity, error) {
	i := &Identity{
		Subject: claims.Subject, User: user(claims.Subject), Scopes: known(claims.Scopes), Expires: claims.Expires, claims: claims,
	}
	if i.User != "" {
		i.holder = events.TokensStream(i.User)
	}
	if claims.Topics != nil {
		topics, err := ParseTopics(claims.Topics)
		if err != nil {
			return nil, refuse("the token's topics cannot be read: " + err.Error())
		}
		i.Topics = topics
	}
	return i, nil
}

// fromToken brings what package token answers to this package's words.
func fromToken(err error) error {
	var refused *token.Refused
	switch {
	case errors.As(err, &refused):
		return refuse(refused.Reason)
	case errors.Is(err, token.ErrUnavailable):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	default:
		return err
	}
}

// holds is nil while an identity that was let in would be let in again, as far as
// that is known without asking anybody.
func (a *Authority) holds(i *Identity) error {
	if i.Key == "" && a.tokens != nil && !a.tokens.InForce(i.claims) {
		return refuse("the key that signed the token is no longer in force")
	}
	s, _ := a.register.remembered(i.holder)
	return s.judge(i)
}
