package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
)

// wrongNames are, for each name in a path, what it cannot be, percent-encoded.
var wrongNames = map[string][]string{
	"{user}": {
		"..", ".", "%2e%2e", "%00", "ann%00", "%FF", "%C0%AE", "a%2Fb", "ann%2F..%2Fbob", "-a", "~", "*", "%20", "a%20b", "%0D%0AX-Evil:%201", "%F0%9F%92%A9", "'%3B--", "%3Cscript%3E", "%25", "ann;x=1", "ann,bob",
		strings.Repeat("a", 129), strings.Repeat("a", 8000), "%ED%A0%80", "%E2%80%AE", "a%C3%A9", "\xff\xfe", "é",
	},
	"{topic}": {
		"..", ".", "%2F", "a%2F%2Fb", "a%2F..%2Fb", "%2e%2e%2fetc", "~x", "%7Ex", "%00", "a%00", "%FF", "*", "a%20b", "-a", "%0D%0Aa", "%E2%80%AE", "%C3%28", "a%2F", "%2Fa", strings.Repeat("a", 201), strings.Repeat("%C3%A9", 1500), "%CC%81",
		"a%5Cb", "%3F", "%23", "\x80",
	},
	"{id}":      {"0", "x", strings.Repeat("z", 36), "%7B00000000-0000-4000-8000-000000000001%7D", "urn:uuid:00000000-0000-4000-8000-000000000001", "00000000000040008000000000000001", "00000000-0000-4000-8000-00000000000g", "%00", "%FF", "..", "-1", "00000000-0000-0000-0000-000000000000"},
	"{version}": {"0", "-1", "abc", "2147483648", "99999999999999999999", "1e1", "0x1", "%00", "%FF", "..", "1.0", "%D9%A1"},
	"{name}":    {"other", "inbox%00", "INBOX", "..", "inbox%2F", "%FF", "inbox;x", strings.Repeat("i", 5000)},
	"{change}":  {"READ", "purge", "read%00", "..", "read;x", "%72ead%2F", "%FF", "read%20"},
}

var rightNames = strings.NewReplacer("{user}", "ann", "{topic}", "builds.main", "{change}", "read", "{name}", "inbox", "{version}", "99", "{id}", "00000000-0000-4000-8000-0000000000ff")

// hostileName is asked by one who may, about what there cannot be.
func (a *arsenal) hostileName(r *chance, q *hostile) {
	var names []string
	var asked row
	for len(names) == 0 {
		asked = pick(r, a.rows)
		for name := range strings.SplitSeq(asked.pattern, "/") {
			if wrongNames[name] != nil {
				names = append(names, name)
			}
		}
	}
	q.ask(asked)
	a.proper(r, q)
	name := pick(r, names)
	q.target = rightNames.Replace(strings.Replace(asked.pattern, name, pick(r, wrongNames[name]), 1))
	if strings.HasSuffix(q.target, "/explain") {
		q.target += "?user=ann"
	}
	q.want = []int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity}
}

// anywhere is a path of any route, open ones among them.
func (a *arsenal) anywhere(r *chance) string {
	if r.IntN(3) == 0 {
		_, path, _ := strings.Cut(strings.ReplaceAll(pick(r, public), "{asset}", "x.js"), " ")
		return path
	}
	return pick(r, a.rows).path
}

// nowhere are paths, methods and hosts that there are not.
func (a *arsenal) nowhere(r *chance, q *hostile) {
	q.method = http.MethodGet
	if r.IntN(2) == 0 {
		a.proper(r, q)
	}
	switch r.IntN(6) {
	case 0:
		q.target = pick(r, []string{
			"/.git/config", "/.env", "/wp-login.php", "/v1/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//evil.example/%2f..", "/v1//topics", "/V1/topics", "/v1/topics/", "/v1/users/ann/inbox/", "/v1", "/v2/topics", "/*",
			"/livez/", "/livez%2F", "/metrics%00", "/metrics;x", "/docs/..", "/docs/%2e%2e%2fgo.mod", "/docs/nothing.js", "/docs/%00", "/docs//", "/debug/pprof/", "/v1/topics#x", "/#", "/v1/topics%3Flimit=1", "/\\..\\..\\", "/%FF", "/\xff",
			"/v1/users/ann/inbox/stream/", "/" + strings.Repeat("a/", 4000), "/" + strings.Repeat("%2F", 3000), "/" + strings.Repeat("../", 3000), "/%25%30%30", "/v1/notifications/batch", "/v1/alerts", "/openapi.json.bak", "/readyz?%zz#", "/v1/users//inbox",
		})
		q.want = []int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnprocessableEntity}
		if strings.HasPrefix(q.target, "/readyz") { // which looks at no query
			q.target = "/readyz/" + q.target
		}
		if q.target == "/v1/notifications/batch" { // an id, for GET
			q.method = http.MethodPatch
		}
		if !q.has("Authorization") {
			q.want = append(q.want, http.StatusUnauthorized)
		}
	case 1:
		q.method = pick(r, []string{"TRACE", "TRACK", "PATCH", "OPTIONS", "PROPFIND", "get", "Post", "M-SEARCH", "DEBUG", "PURGE", "X", strings.Repeat("A", 2000), "GET~", "LINK"})
		q.target = a.anywhere(r)
		q.want = []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusForbidden}
	case 2:
		q.target, q.host = pick(r, a.rows).path, strangeHost(r)
		q.unread = true // some are no names at all
		q.want = []int{http.StatusMisdirectedRequest, http.StatusBadRequest}
	case 3:
		scheme := pick(r, []string{"http", "https", "ftp", "gopher", "ws", "HTTP", "x"})
		q.target = scheme + "://" + pick(r, []string{"evil.example", "evil.example:80", "169.254.169.254", "user:password@evil.example", servedAs + ".evil.example", "[2001:db8::1]"}) + pick(r, a.rows).path
		q.want = []int{http.StatusMisdirectedRequest}
	case 4:
		q.unread = true
		q.target = pick(r, []string{"/%zz", "/%", "/%2", "evil.example:80", "*", "/a b", "?x", "#", "file:///etc/passwd", "://", ":", "/\x01", "http://%zz/", "http://[::1/", "mailto:x@evil.example", "/\x7f", "javascript:alert(1)"})
		q.want = []int{http.StatusBadRequest, http.StatusNotFound, http.StatusMisdirectedRequest}
	default:
		q.unread, q.target = true, pick(r, a.rows).path
		switch r.IntN(4) {
		case 0:
			q.header("X-Huge", strings.Repeat("x", 40<<10))
			q.want = []int{http.StatusRequestHeaderFieldsTooLarge}
		case 1:
			for i := range 1200 {
				q.header(fmt.Sprintf("X-Many-%d", i), strings.Repeat("x", 24))
			}
			q.want = []int{http.StatusRequestHeaderFieldsTooLarge}
		case 2:
			q.target += "?" + strings.Repeat("x", 50<<10)
			q.want = []int{http.StatusRequestHeaderFieldsTooLarge}
		default:
			q.header("Expect", pick(r, []string{"200-ok", "everything", "x"}))
			q.want = []int{http.StatusExpectationFailed}
		}
	}
}

func strangeHost(r *chance) string {
	return pick(r, []string{
		"evil.example", servedAs + ".evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "0.0.0.0", "[::]", "169.254.169.254", "2130706433", "0x7f000001", "x" + servedAs,
		servedAs + "/x", "*", "a b", "%00", "evil.example\x80", ".", "..", strings.Repeat("a", 3000), "evil.example#" + servedAs, "evil.example, " + servedAs,
	})
}

// broken is what is no proper HTTP. None of it shows a credential: whatever the rest is
// taken for, nobody lets it in. What net/http by its own rules answers 501 (transfer
// codings) and 505 (versions) is left out.
func (a *arsenal) broken(r *chance, q *hostile) {
	q.broken, q.method = true, http.MethodPost
	const (
		publish  = "POST /v1/notifications HTTP/1.1\r\nHost: " + servedAs + "\r\nContent-Type: application/json\r\n"
		question = "GET /v1/topics HTTP/1.1\r\nHost: " + servedAs + "\r\n"
		body     = `{"to":["user:ann"],"title":"smuggled"}`
		inner    = "POST /v1/notifications HTTP/1.1\r\nHost: " + servedAs + "\r\nContent-Type: application/json\r\nContent-Length: 38\r\n\r\n" + body
	)
	right := "Authorization: Bearer " + a.right + "\r\n"
	length := pick(r, []string{"abc", "-1", "+38", "5, 6", "38,38,39", "0x26", "99999999999999999999", "", "3 8", "1e1", "38\r\nContent-Length: 39", "0\r\nContent-Length: 38", "٣٨"})
	chunks := pick(r, []string{
		"zz\r\n" + body + "\r\n0\r\n\r\n", "-1\r\nx\r\n0\r\n\r\n", "ffffffffffffffff\r\n" + body, "10000000000000000\r\nx", "26\r\n" + body + "XX0\r\n\r\n", "26\n" + body, "5\r\n{\"to\r\n", "\r\n\r\n", "26;" + strings.Repeat("x", 9000) + "\r\n" + body + "\r\n0\r\n\r\n",
		"0x26\r\n" + body + "\r\n0\r\n\r\n", " 26\r\n" + body + "\r\n0\r\n\r\n", "26 x\r\n" + body, "1\r\n{\r\n" + strings.Repeat("1;x=y\r\n \r\n", 3000), "2\r\n{}\r\n0\r\nX: \x00\r\n\r\n",
	})
	q.hide(a.right)
	q.raw = pick(r, []string{
		publish + "Content-Length: " + length + "\r\n\r\n" + body,
		publish + "Content-Length: 100\r\n\r\n" + body,         // the rest never comes
		publish + right + "Content-Length: 100\r\n\r\n" + body, // not even from one who may
		publish + right + "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"to\r\n",
		publish + right + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body + "\r\n0\r\n\r\n",
		publish + "Transfer-Encoding: chunked\r\n\r\n" + chunks,
		publish + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + inner,
		publish + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
		publish + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + inner,
		publish + " Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
		publish + "X: y\r\n\tTransfer-Encoding: chunked\r\n\r\n" + inner,
		publish + "Content-Length: 0\r\n\r\n" + inner,
		publish + "Trailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
		question + "X: a\x00b\r\n\r\n", question + "X: a\rb\r\n\r\n", question + "X Y: a\r\n\r\n", question + ": a\r\n\r\n", question + "X\r\n\r\n", question + "X\xff: a\r\n\r\n", question + "\x00: a\r\n\r\n",
		question + "Authorization: Bearer a\r\nb\r\n\r\n", question + "Authorization: Bearer a\x00\r\n\r\n", question + "Cookie: tidings_token=a\x01\r\n\r\n",
		question + "Host: evil.example\r\n\r\n", question + "X: " + strings.Repeat("x", 40<<10), question + strings.Repeat("X: y\r\n", 9000),
		"GET /v1/topics HTTP/1.1\r\n\r\n", "GET /v1/topics HTTP/1.0\r\n\r\n", "GET /v1/topics\r\n\r\n", "GET  /v1/topics  HTTP/1.1\r\nHost: t\r\n\r\n", "GET\t/v1/topics\tHTTP/1.1\r\nHost: t\r\n\r\n",
		"GET /v1/topics HTTP/1.1 HTTP/1.1\r\nHost: t\r\n\r\n", "GET /v1/topics http/1.1\r\nHost: t\r\n\r\n", "GET /v1/topics HTTP/1.\r\nHost: t\r\n\r\n", "GET /v1/topics HTTP/11\r\nHost: t\r\n\r\n",
		"G\x00T / HTTP/1.1\r\nHost: t\r\n\r\n", "(GET) / HTTP/1.1\r\nHost: t\r\n\r\n", " GET / HTTP/1.1\r\nHost: t\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "SSH-2.0-x\r\n", "\r\n\r\n\r\n", "x", "GET", "GET /v1/topics HTT",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", strings.Repeat("A", 50<<10), "POST /v1/notifications HTTP/1.1\r\nHost: " + servedAs + "\r\nExpect: 100-continue\r\nContent-Length: 38\r\n\r\n",
		"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n", "CONNECT /v1/topics HTTP/1.1\r\nHost: " + servedAs + "\r\n\r\n", question + "\r\n" + question + "\r\n" + question + "\r\n" + inner, "GET / HTTP/1.1\nHost: t\n\n",
	})
}
