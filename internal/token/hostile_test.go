package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// TestTokensThatCannotBeVerified: whatever is wrong with them, the answer is the same.
func TestTokensThatCannotBeVerified(t *testing.T) {
	t.Parallel()
	good := signed(t, ours[RS256], nil, everyday(nil))
	claims := write(t, everyday(nil))
	symmetric := func(secret []byte) string {
		return signedText(t, Key{&material{algorithm: HS256, signs: secret}}, `{"alg":"HS256"}`, claims)
	}
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	es384 := must(jwt.NewWithClaims(jwt.SigningMethodES384, jwt.MapClaims(everyday(nil))).SignedString(p384))
	rs512 := must(jwt.NewWithClaims(jwt.SigningMethodRS512, jwt.MapClaims(everyday(nil))).SignedString(ours[RS256].signs))
	ps256 := must(jwt.NewWithClaims(jwt.SigningMethodPS256, jwt.MapClaims(everyday(nil))).SignedString(ours[RS256].signs))
	hs512 := must(jwt.NewWithClaims(jwt.SigningMethodHS512, jwt.MapClaims(everyday(nil))).SignedString(ours[HS256].signs))
	unsigned := func(algorithm string) string {
		return encode(`{"alg":"`+algorithm+`"}`) + "." + encode(claims) + "."
	}
	head := func(key Key, head members) string { return signed(t, key, head, everyday(nil)) }
	jwk := members{"kty": "oct", "k": encode("another secret, which is an attacker's own"), "alg": "HS256"}

	cases := map[string]string{
		"nothing":                                  "",
		"dots alone":                               "..",
		"no signature, as none":                    unsigned("none"),
		"no signature, as None":                    unsigned("None"),
		"no signature, as NONE":                    unsigned("NONE"),
		"no signature, as nOnE":                    unsigned("nOnE"),
		"no signature, of an algorithm that is":    unsigned("RS256"),
		"none, with a right signature":             withTampered(good, 0, encode(`{"alg":"none"}`)),
		"a public key's text as secret":            symmetric(public(t, ours[RS256])),
		"a public key's trimmed text as secret":    symmetric([]byte(strings.TrimSpace(string(public(t, ours[RS256]))))),
		"another public key's text as secret":      symmetric(public(t, ours[ES256])),
		"an empty secret":                          symmetric([]byte{}),
		"another's secret":                         head(theirs[HS256], nil),
		"another's RSA key":                        head(theirs[RS256], nil),
		"another's EC key":                         head(theirs[ES256], nil),
		"another's Ed25519 key":                    head(theirs[EdDSA], nil),
		"another curve":                            es384,
		"another curve's signature as ES256":       withTampered(es384, 0, encode(`{"alg":"ES256"}`)),
		"another hash":                             rs512,
		"another hash for secrets":                 hs512,
		"another padding":                          ps256,
		"another key's algorithm":                  head(ours[RS256], members{"alg": "ES256"}),
		"RS256 as HS256":                           head(ours[RS256], members{"alg": "HS256"}),
		"an algorithm in lower case":               head(ours[HS256], members{"alg": "hs256"}),
		"no algorithm":                             head(ours[HS256], members{"alg": nil}),
		"an algorithm that is no text":             head(ours[HS256], members{"alg": []string{"HS256"}}),
		"two algorithms":                           signedText(t, ours[HS256], `{"alg":"none","alg":"HS256"}`, claims),
		"two algorithms, one of them escaped":      signedText(t, ours[HS256], `{"alg":"none","\u0061lg":"HS256"}`, claims),
		"two names twice, deep in the header":      signedText(t, ours[HS256], `{"alg":"HS256","x":[{"a":1,"a":2}]}`, claims),
		"a header that is a list":                  signedText(t, ours[HS256], `["HS256"]`, claims),
		"a header that is null":                    signedText(t, ours[HS256], `null`, claims),
		"a header with something after it":         signedText(t, ours[HS256], `{"alg":"HS256"}{}`, claims),
		"a header that nests without end":          signedText(t, ours[HS256], `{"alg":"HS256","x":`+strings.Repeat("[", 3000), claims),
		"a header that is not UTF-8":               signedText(t, ours[HS256], "{\"alg\":\"HS256\",\"x\":\"\xff\"}", claims),
		"an extension that must be understood":     head(ours[HS256], members{"crit": []string{"exp"}}),
		"an empty list of extensions":              head(ours[HS256], members{"crit": []string{}}),
		"a payload that is not encoded":            head(ours[HS256], members{"crit": []string{"b64"}, "b64": false}),
		"a payload that says it is not encoded":    head(ours[HS256], members{"b64": false}),
		"a token in a token":                       head(ours[HS256], members{"cty": "JWT"}),
		"an encrypted token's header":              head(ours[HS256], members{"enc": "A256GCM"}),
		"a compressed token":                       head(ours[HS256], members{"zip": "DEF"}),
		"a proof, not an access token":             head(ours[HS256], members{"typ": "dpop+jwt"}),
		"a logout, not an access token":            head(ours[HS256], members{"typ": "logout+jwt"}),
		"a type that is no text":                   head(ours[HS256], members{"typ": 1}),
		"a key id that is no text":                 head(ours[HS256], members{"kid": 1}),
		"a key id that is null":                    signedText(t, ours[HS256], `{"alg":"HS256","kid":null}`, claims),
		"a key id that is a path":                  head(theirs[HS256], members{"kid": "../../../../dev/null"}),
		"a key id that is an empty file, as key":   symmetric(nil),
		"a key id that is a query":                 head(theirs[HS256], members{"kid": "x' UNION SELECT 'key"}),
		"a key that the token brings along":        head(theirs[HS256], members{"jwk": jwk}),
		"a key set that the token points to":       head(theirs[RS256], members{"jku": "https://127.0.0.1:1/keys"}),
		"a certificate that the token points to":   head(theirs[RS256], members{"x5u": "https://127.0.0.1:1/cert"}),
		"a certificate that the token brings":      head(theirs[RS256], members{"x5c": []string{base64.StdEncoding.EncodeToString(public(t, theirs[RS256]))}}),
		"claims that are another's":                withTampered(good, 1, encode(write(t, everyday(members{"sub": "bob"})))),
		"a signature cut short":                    good[:len(good)-3],
		"a signature of another token":             withTampered(good, 2, strings.Split(signed(t, ours[RS256], nil, everyday(members{"sub": "bob"})), ".")[2]),
		"no signature":                             withTampered(good, 2, ""),
		"something after it":                       good + "x",
		"a space after it":                         good + " ",
		"a line's end after it":                    good + "\n",
		"a line's end in it":                       good[:len(good)-8] + "\n" + good[len(good)-8:],
		"a scheme before it":                       "Bearer " + good,
		"a dot after it":                           good + ".",
		"a dot before it":                          "." + good,
		"a fourth part":                            good + ".x",
		"five parts, as encrypted tokens have":     good + ".x.y",
		"two parts":                                strings.Join(strings.Split(good, ".")[:2], "."),
		"padding":                                  good + "==",
		"padding in the header":                    withTampered(good, 0, strings.Split(good, ".")[0]+"="),
		"the other base64":                         strings.NewReplacer("-", "+", "_", "/").Replace(good) + "+",
		"a byte that is no text":                   good + "\x00",
		"claims that are no JSON":                  signedText(t, ours[HS256], `{"alg":"HS256"}`, `{"sub":`),
		"claims with something after them":         signedText(t, ours[HS256], `{"alg":"HS256"}`, claims+"x"),
		"a huge one":                               head(ours[HS256], members{"x": strings.Repeat("x", maxTokenBytes)}),
		"a huge one of dots":                       strings.Repeat(".", 1<<20),
		"a token without end, of another alphabet": strings.Repeat("é", 1<<20),
	}
	v := verifying(t, Options{})
	for name, token := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := v.Verify(t.Context(), token)
			if reason := refusedWith(t, err); reason != reasonUnverifiable || got.Subject != "" {
				t.Errorf("got %q and %+v, want %q", reason, got, reasonUnverifiable)
			}
		})
	}
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Errorf("the token that the others were made of: %v", err)
	}
}

// TestTheLastBitsOfASignatureCount: base64 has several last letters for the same bytes.
func TestTheLastBitsOfASignatureCount(t *testing.T) {
	t.Parallel()
	v := verifying(t, Options{})
	for algorithm, key := range ours {
		good := signed(t, key, nil, everyday(nil))
		accepted := 0
		for _, letter := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
			if _, err := v.Verify(t.Context(), good[:len(good)-1]+string(letter)); err == nil {
				accepted++
			}
		}
		if accepted != 1 {
			t.Errorf("%s: %d last letters are accepted, want 1", algorithm, accepted)
		}
	}
}

// TestClaimsThatAreRefused though the signature is right.
func TestClaimsThatAreRefused(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	until := write(t, time.Now().Add(time.Hour).Unix())
	cases := map[string]struct {
		claims any // members, or a text
		want   string
	}{
		"it ended longer ago than clocks differ":       {members{"exp": ago(31 * time.Second)}, reasonExpired},
		"it ended in 1970":                             {members{"exp": 0}, reasonExpired},
		"it begins later than clocks differ":           {members{"nbf": ago(-90 * time.Second)}, reasonNotYet},
		"it is of a later time than clocks differ":     {members{"iat": ago(-90 * time.Second)}, reasonNotYet},
		"it has no end":                                {members{"exp": nil}, "the token has no usable claim exp"},
		"its end is a text":                            {members{"exp": until}, "the token has no usable claim exp"},
		"its end is a list":                            {members{"exp": []int64{ago(-time.Hour)}}, "the token has no usable claim exp"},
		"its end is true":                              {members{"exp": true}, "the token has no usable claim exp"},
		"its subject ends in a space":                  {`{"sub":"ann ","exp":2e11}`, "the token has no usable claim sub"},
		"its subject has a space of no width":          {`{"sub":"ann\u200b","exp":2e11}`, "the token has no usable claim sub"},
		"its subject is written from right to left":    {`{"sub":"\u202enna","exp":2e11}`, "the token has no usable claim sub"},
		"its end is null":                              {`{"sub":"ann","exp":null}`, "the token has no usable claim exp"},
		"its end is not a number":                      {members{"exp": "NaN"}, "the token has no usable claim exp"},
		"its end is beyond all numbers":                {`{"sub":"ann","exp":1e999}`, "the token has no usable claim exp"},
		"its end is beyond all years":                  {`{"sub":"ann","exp":1e308}`, "the token has no usable claim exp"},
		"its end is beyond the year 9999":              {`{"sub":"ann","exp":253402300800}`, "the token has no usable claim exp"},
		"its end is beyond 63 bits":                    {`{"sub":"ann","exp":9223372036854775808}`, "the token has no usable claim exp"},
		"its end is before 1970":                       {`{"sub":"ann","exp":-1}`, "the token has no usable claim exp"},
		"its issue is beyond all years":                {`{"sub":"ann","exp":` + until + `,"iat":1e308}`, "the token has no usable claim iat"},
		"its issue is long before 1970":                {`{"sub":"ann","exp":` + until + `,"iat":-1e308}`, "the token has no usable claim iat"},
		"its issue is not a number":                    {members{"iat": "NaN"}, "the token has no usable claim iat"},
		"its beginning is an infinity":                 {members{"nbf": "Infinity"}, "the token has no usable claim nbf"},
		"it has no subject":                            {members{"sub": nil}, "the token has no usable claim sub"},
		"its subject is empty":                         {members{"sub": ""}, "the token has no usable claim sub"},
		"its subject is a number":                      {members{"sub": 1}, "the token has no usable claim sub"},
		"its subject is null":                          {`{"sub":null,"exp":` + until + `}`, "the token has no usable claim sub"},
		"its subject is too long":                      {members{"sub": strings.Repeat("é", 256)}, "the token has no usable claim sub"},
		"its subject has a control character":          {members{"sub": "ann\x00"}, "the token has no usable claim sub"},
		"its subject has an end of line":               {members{"sub": "ann\nbob"}, "the token has no usable claim sub"},
		"its subject has half a character":             {`{"sub":"\ud800","exp":` + until + `}`, "the token has no usable claim sub"},
		"its subject is in another case's member":      {`{"Sub":"ann","exp":` + until + `}`, "the token has no usable claim sub"},
		"it has two subjects":                          {`{"sub":"ann","sub":"bob","exp":` + until + `}`, reasonClaims},
		"it has two ends":                              {`{"sub":"ann","exp":1,"exp":` + until + `}`, reasonClaims},
		"it has something twice, deep inside":          {`{"sub":"ann","exp":` + until + `,"x":{"y":[{"z":1,"z":2}]}}`, reasonClaims},
		"its claims are a list":                        {`[1]`, reasonClaims},
		"its claims are null":                          {`null`, reasonClaims},
		"its scope is a number":                        {members{"scope": 1}, "the token has no usable claim scope"},
		"its scope is null":                            {`{"sub":"ann","exp":` + until + `,"scope":null}`, "the token has no usable claim scope"},
		"its scopes are not all texts":                 {members{"scope": []any{"publish", nil}}, "the token has no usable claim scope"},
		"one of its scopes has a space":                {members{"scope": []any{"publish admin"}}, "the token has no usable claim scope"},
		"its topics are a number":                      {members{"topics": 1}, "the token has no usable claim topics"},
		"its topics are null":                          {`{"sub":"ann","exp":` + until + `,"topics":null}`, "the token has no usable claim topics"},
		"its topics are an object":                     {members{"topics": members{}}, "the token has no usable claim topics"},
		"its topics are false":                         {members{"topics": false}, "the token has no usable claim topics"},
		"its topics are not all texts":                 {members{"topics": []any{"builds.*", 1}}, "the token has no usable claim topics"},
		"one of its topics is empty":                   {members{"topics": []any{""}}, "the token has no usable claim topics"},
		"it is of no issuer":                           {members{"iss": nil}, reasonIssuer},
		"it is of another issuer":                      {members{"iss": "them"}, reasonIssuer},
		"its issuer is a list":                         {members{"iss": []string{"us"}}, reasonIssuer},
		"it is for nobody":                             {members{"aud": nil}, reasonAudience},
		"it is for another":                            {members{"aud": "theirs"}, reasonAudience},
		"it is for others":                             {members{"aud": []string{"theirs", "others"}}, reasonAudience},
		"it is for an empty list":                      {members{"aud": []string{}}, reasonAudience},
		"its audience is a list with odd things in it": {members{"aud": []any{"ours", 1}}, reasonAudience},
	}
	v := verifying(t, Options{Issuer: "us", Audience: "ours"})
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, ok := c.claims.(string)
			if !ok {
				text = write(t, changed(everyday(members{"iss": "us", "aud": "ours"}), c.claims.(members)))
			} else {
				text = strings.Replace(text, `{"`, `{"iss":"us","aud":"ours","`, 1)
			}
			got, err := v.Verify(t.Context(), signedText(t, ours[HS256], `{"alg":"HS256"}`, text))
			if reason := refusedWith(t, err); reason != c.want || got.Subject != "" {
				t.Errorf("got %q and %+v, want %q", reason, got, c.want)
			}
			// Whoever cannot sign learns nothing of it.
			_, err = v.Verify(t.Context(), signedText(t, theirs[HS256], `{"alg":"HS256"}`, text))
			if reason := refusedWith(t, err); reason != reasonUnverifiable {
				t.Errorf("with a wrong signature: got %q, want %q", reason, reasonUnverifiable)
			}
		})
	}
}

// TestRefusalsHoldNothingOfTheToken, nor does what is printed of keys and claims.
func TestRefusalsHoldNothingOfTheToken(t *testing.T) {
	t.Parallel()
	v := verifying(t, Options{Keys: []Key{ours[HS256]}})
	_, err := v.Verify(t.Context(), "hunter2.hunter2.hunter2")
	secret := "hunter2 hunter2 hunter2 hunter2 hunter2"
	key := must(ParseKey([]byte(secret)))
	holder := struct {
		Key     Key
		inside  Key
		options Options
	}{key, key, Options{Keys: []Key{key}}}
	decimal := strings.Trim(fmt.Sprint([]byte("hunter2")), "[]")
	for _, text := range []string{
		fmt.Sprint(err), fmt.Sprintf("%v %+v %#v %s %q", key, key, key, key, key),
		fmt.Sprintf("%v", holder), fmt.Sprintf("%+v", holder), fmt.Sprintf("%#v", holder),
	} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, decimal) {
			t.Errorf("%s tells the secret", text)
		}
	}
}
