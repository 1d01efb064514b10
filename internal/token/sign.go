package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// SignClaims are what a token made here says.
type SignClaims struct {
	Subject string
	Scopes  []string
	// Topics limit what the token permits; nil: they do not, empty: no topic is permitted.
	Topics []string
	// Issuer and Audience are left out if "".
	Issuer, Audience string
	// Lifetime is from now to the token's end.
	Lifetime time.Duration
}

// Sign makes a token, for development. What it makes is what Verify reads, given the key. Its times are to the microsecond: a token made just after a
// user's tokens were revoked is told from those made just before.
func Sign(key Key, c SignClaims, now time.Time) (string, error) {
	if key.material == nil || key.signs == nil {
		return "", errors.New("sign a token: this needs a private key or a secret")
	}
	if err := c.check(now); err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	token, err := jwt.NewWithClaims(jwt.GetSigningMethod(key.algorithm), c.claims(now)).SignedString(key.signs)
	switch {
	case err != nil:
		return "", fmt.Errorf("sign a token: %w", err)
	case len(token) > maxTokenBytes:
		return "", fmt.Errorf("sign a token: it would have %d bytes, more than the %d that are read of one", len(token), maxTokenBytes)
	}
	return token, nil
}

// check refuses what Verify would.
func (c SignClaims) check(now time.Time) error {
	switch {
	case !isSubject(c.Subject):
		return fmt.Errorf("the subject must have 1 to %d characters, all of which can be seen, and no space around them", maxSubject)
	case slices.ContainsFunc(c.Scopes, isNoName):
		return errors.New("a scope is a name without spaces")
	case slices.ContainsFunc(c.Topics, isNoName):
		return errors.New("a topic's pattern has no spaces, and is not empty")
	case c.Lifetime <= 0:
		return errors.New("the lifetime must be more than 0")
	case now.Unix() < 0 || now.Add(c.Lifetime).Unix() >= lastSecond:
		return errors.New("the token must begin after 1970 and end before the year 9999 does")
	default:
		return nil
	}
}

func (c SignClaims) claims(now time.Time) jwt.MapClaims {
	claims := jwt.MapClaims{"sub": c.Subject, "iat": numericDate(now), "exp": numericDate(now.Add(c.Lifetime))}
	if len(c.Scopes) > 0 {
		claims["scope"] = strings.Join(c.Scopes, " ")
	}
	if c.Topics != nil {
		claims["topics"] = c.Topics
	}
	if c.Issuer != "" {
		claims["iss"] = c.Issuer
	}
	if c.Audience != "" {
		claims["aud"] = c.Audience
	}
	return claims
}

// numericDate writes a time as tokens do, to the microsecond.
func numericDate(t time.Time) json.Number {
	micros := t.UnixMicro()
	second := int64(time.Second / time.Microsecond)
	return json.Number(fmt.Sprintf("%d.%06d", micros/second, micros%second))
}
