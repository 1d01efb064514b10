package httpapi_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// wrongMembers are, for each route that takes a body, its members and what they cannot
// be. Null is the same as absent, and so here only where a member must be there.
var wrongMembers = map[string]map[string][]string{
	"POST /v1/notifications": {
		"to": {
			`[]`, `"topic:x"`, `[1]`, `[null]`, `{}`, `null`, `1e999`, `["user:"]`, `["nobody:x"]`, `["topic:a//b"]`, `["topic:a/../b"]`, `["user:a\u0000"]`, `["topic:~x"]`, `["user:a","user:a"]`,
			`["topic:caf\u00e9","topic:cafe\u0301"]`, `["` + strings.Repeat("a", 5000) + `"]`, `[` + numbered(101, `"user:u%d"`) + `]`, `[["user:a"]]`, `true`,
		},
		"title": {`""`, `1`, `[]`, `{}`, `null`, `true`, `"a\u0000"`, quoted(201), `["t"]`},
		"body":  {`1`, `[]`, `{}`, `"\u0000"`, quoted(8193), `false`},
		"data":  {`[]`, `"x"`, `1`, `true`, `{"a":` + quoted(66<<10) + `}`, `[{}]`},
		"severity": {
			`"extreme"`, `1`, `[]`, `"HIGH"`, `{}`, `"\u0000"`, `"high "`, quoted(500),
		},
		"sender":     {`1`, `[]`, `"\u0000"`, quoted(201), `{}`},
		"link":       {`"javascript:alert(1)"`, `"file:///etc/passwd"`, `"//evil.example"`, `"http://"`, `"https://a b"`, `1`, `"data:text/html,x"`, `"https://` + strings.Repeat("a", 2048) + `"`, `"http://[::1"`},
		"expires_at": {`"tomorrow"`, `1`, `"0000-00-00T00:00:00Z"`, `"1969-12-31T23:59:59Z"`, `"10000-01-01T00:00:00Z"`, `"2030-02-30T00:00:00Z"`, `{}`},
		"send_at":    {`"2030-01-01T00:00:00Z"`, `1`},
		"channels":   {`["email"]`, `"email"`, `1`},
	},
	"POST /v1/notifications/batch": {
		"notifications": {`[]`, `{}`, `"x"`, `1`, `null`, `true`, `[` + numbered(1001, `%d`) + `]`},
	},
	"POST /v1/alerts": {
		"target":   {`[]`, `["ann"]`, `["@"]`, `["@@"]`, `["@@@"]`, `[1]`, `[null]`, `"@ann"`, `null`, `{}`, `[` + numbered(101, `"@u%d"`) + `]`, `["@a","@a"]`, `["@a/b"]`, `["@@a//b"]`},
		"message":  {`""`, `1`, `null`, `[]`, `"\u0000"`, quoted(8193), `{}`},
		"severity": {`"extreme"`, `1`, `[]`},
	},
	"POST /v1/topics/{topic}/subscribers": {
		"add":    {`["!"]`, `"x"`, `1`, `[1]`, `[null]`, `{}`, `[]`, `null`, `["a","a"]`, `[` + numbered(1001, `"u%d"`) + `]`, `["\u0000"]`, `[["a"]]`},
		"remove": {`["!"]`, `"x"`, `1`, `[1]`, `[null]`, `{}`, `[` + numbered(1001, `"u%d"`) + `]`},
	},
	"PUT /v1/topics/{topic}": {
		"description": {`1`, `[]`, `{}`, `"\u0000"`, quoted(1001), `true`},
	},
	"PUT /v1/users/{user}/subscriptions/{topic}": {
		"min_severity": {`"extreme"`, `1`, `[]`, `{}`},
		"channels":     {`["email"]`, `"x"`, `1`, `{}`},
		"filter":       filters(),
	},
	"PUT /v1/users/{user}/preferences": {
		"quiet_hours": {
			`1`, `"x"`, `[]`, `{}`, `{"from":"25:00","to":"07:00","timezone":"UTC"}`, `{"from":"22:00","to":"22:00","timezone":"UTC"}`, `{"from":"22:00","to":"07:00","timezone":"../../etc/passwd"}`,
			`{"from":"22:00","to":"07:00","timezone":"Local"}`, `{"from":"22:00","to":"07:00","timezone":"UTC","x":1}`, `{"from":1,"to":2,"timezone":3}`,
		},
		"muted_topics": {`[1]`, `"x"`, `["~"]`, `{}`, `[null]`, `[` + numbered(1001, `"t%d"`) + `]`, `["a//b"]`},
		"channels": {
			`[]`, `1`, `{"E":{}}`, `{"email":1}`, `{"email":null}`, `{"email":{"min_severity":"x"}}`, `{"email":{"x":1}}`, `{"":{}}`, `{"` + strings.Repeat("a", 33) + `":{}}`, `{` + numbered(21, `"c%d":{}`) + `}`, `{"__proto__":{}}`,
		},
	},
	"POST /v1/users/{user}/inbox/{change}": {
		"ids":     {`[]`, `[1]`, `["x"]`, `"x"`, `{}`, `[null]`, `[` + numbered(1001, `%d`) + `]`, `["00000000-0000-4000-8000-000000000001","00000000-0000-4000-8000-000000000001"]`, `["{00000000-0000-4000-8000-000000000001}"]`},
		"through": {`1`, `"x"`, `"-1"`, `"9223372036854775807"`, `"01"`, `[]`, `{}`, `" 1"`, `""`},
	},
	"POST /v1/users/{user}/tokens/revoke":                     reasons(),
	"POST /v1/projections/{name}/pause":                       reasons(),
	"POST /v1/projections/{name}/resume":                      reasons(),
	"POST /v1/projections/{name}/versions/{version}/activate": reasons(),
	"POST /v1/projections/{name}/rebuild": {
		"reason": reasons()["reason"], "switch": {`"maybe"`, `1`, `[]`, `"AUTO"`},
	},
	"POST /v1/projections/{name}/skip": {
		"reason": append(reasons()["reason"], `""`, `null`), "position": {`1`, `"0"`, `"x"`, `"-1"`, `"9223372036854775808"`, `null`, `[]`},
	},
}

func reasons() map[string][]string {
	return map[string][]string{"reason": {`1`, `[]`, `{}`, `"\u0000"`, quoted(1001), `true`}}
}

// filters are texts that no filter is.
func filters() []string {
	all := []string{
		`1`, `[]`, `{}`, `"\u0000"`, quoted(2001),
	}
	for _, filter := range []string{
		`severity`, `1`, `nobody == 1`, `title.matches(data.x)`, `title.matches('(')`, `title.matches('` + strings.Repeat("(a+)+", 200) + `')`, `title.matches('a{1000}{1000}')`,
		`title.matches('` + strings.Repeat("x?", 400) + `')`, strings.Repeat("(", 900) + "true" + strings.Repeat(")", 900), strings.Repeat("!", 1999) + "x", strings.Repeat("[", 800) + strings.Repeat("]", 800),
		`title +`, `'`, `"`, `r'`, `b'\xff'`, `true &&`, `;`, `true; false`, `size(`, `has(title)`, `data.all(`, `[1,2].map(x, y, z, w, v)`, `1 + 'a' == 2`, `__proto__`, `system('id')`,
		`${7*7}`, `{{7*7}}`, `\u0000 == 1`, `true ? 1 : 2`, strings.Repeat("a.", 600) + "b", strings.Repeat("-", 1000) + "1",
	} {
		all = append(all, strconv.Quote(filter))
	}
	return all
}

// notJSON are texts that no JSON is, or not for everybody.
var notJSON = []string{
	" \n", "x", "{", "}", "[", "]", "{]", "{}{}", "{} x", "{},", "\x00", "{}\x00", "\xef\xbb\xbf{}", "{'a':1}", "{a:1}", "{\"a\":1,}", "{\"a\":}", "{\"a\" 1}", "// c\n{}", "/* c */{}",
	`{"a":NaN}`, `{"a":Infinity}`, `{"a":-Infinity}`, `{"a":undefined}`, `{"a":0x10}`, `{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":tru}`, `{"a":TRUE}`, `{"a":--1}`,
	"{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xf4\x90\x80\x80\"}", "{\"\xfe\":1}", "{\"a\":\"\n\"}", "{\"a\":\"\x01\"}", `{"a":"\x41"}`, `{"a":"\u12"}`, `{"a":"\`, `{"a":"`,
	`{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"\ud800":1}`, `{"a":"\ud800\u0041"}`, `{"a":"\uD83D\uD83D\uDE00"}`,
	"a=b&c=d", "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><x>&a;</x>", "--x\r\nContent-Disposition: form-data\r\n\r\n", "\x1f\x8b\x08\x00", "%PDF-1.7",
}

// notObjects are JSON, and no object.
var notObjects = []string{`[]`, `[{}]`, `"x"`, `1`, `null`, `true`, `-0`, `1e999`, strings.Repeat("9", 20_000), `"` + strings.Repeat("x", 20_000) + `"`}

var notJSONTypes = []string{
	"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=latin1", "application/json;charset=\"", "application/xml", "application/", "/", ";", "x",
	"application/jsonp", "text/json", "application/json, application/json", "application/JSON; charset=utf-16", "application/json; charset=utf-8; charset=latin1",
}

// hostileBody is sent by one who may, so that it is read.
func (a *arsenal) hostileBody(r *chance, q *hostile) {
	var taking []row
	for _, row := range a.rows {
		if wrongMembers[row.method+" "+row.pattern] != nil {
			taking = append(taking, row)
		}
	}
	row := pick(r, taking)
	q.method, q.target = row.method, row.path
	a.proper(r, q)
	q.want = []int{http.StatusBadRequest}
	media := "application/json"
	batch := strings.HasSuffix(row.path, "/batch")
	switch n := r.IntN(100); {
	case n < 50:
		q.send(wrongObject(r, row))
		q.want = []int{http.StatusUnprocessableEntity}
	case n < 65:
		q.send(pick(r, notJSON))
	case n < 70:
		q.send(pick(r, notObjects))
		q.want = []int{http.StatusUnprocessableEntity}
	case n < 78:
		depth := pick(r, []int{101, 102, 500, 5000, 20_000})
		opened, closed := pick(r, []string{"[", `{"a":`}), "]"
		if opened != "[" {
			closed = "}"
		}
		q.send(`{"data":` + strings.Repeat(opened, depth) + "1" + strings.Repeat(closed, depth-r.IntN(2)) + `}`)
	case n < 86:
		q.send(wrongObject(r, row))
		media = pick(r, notJSONTypes)
		q.want = []int{http.StatusUnsupportedMediaType}
	case n < 92:
		q.send(pick(r, []string{bomb, wrongObject(r, row)}))
		q.header("Content-Encoding", pick(r, []string{"gzip", "br", "deflate", "gzip, identity", "x"}))
		q.want = []int{http.StatusUnsupportedMediaType}
	case n < 95 && !batch:
		q.send(`{"title":"` + strings.Repeat("x", 300<<10) + `"}`)
		q.want = []int{http.StatusRequestEntityTooLarge}
	default:
		text := wrongObject(r, row)
		q.send(text[:1+r.IntN(len(text)-1)]) // an object that breaks off is none
	}
	if media != "" {
		q.header("Content-Type", media)
	}
	if r.IntN(3) == 0 {
		q.chunks = 1 + r.IntN(20)
	}
}

// wrongObject is what the route takes, but for one or more members.
func wrongObject(r *chance, row row) string {
	wrong := wrongMembers[row.method+" "+row.pattern]
	names := make([]string, 0, len(wrong))
	for name := range wrong {
		names = append(names, name)
	}
	slices.Sort(names)
	var members []string
	for name, value := range rightMembers[row.method+" "+row.pattern] {
		members = append(members, strconv.Quote(name)+":"+value)
	}
	slices.Sort(members)
	for range 1 + r.IntN(2) { // after the right ones: of members of one name the last counts
		name := pick(r, names)
		members = append(members, strconv.Quote(name)+":"+pick(r, wrong[name]))
	}
	if r.IntN(5) == 0 {
		members = append(members, pick(r, []string{`"__proto__":{"admin":true}`, `"":1`, `"\u0000":1`, `"to ":1`, `"TITLE":"x"`, `"$ne":null`, `"\u202e":1`, `"` + strings.Repeat("n", 3000) + `":1`}))
	}
	return "{" + strings.Join(members, ",") + "}"
}

var rightMembers = map[string]map[string]string{
	"POST /v1/notifications":               {"to": `["topic:builds.main"]`, "title": `"t"`},
	"POST /v1/alerts":                      {"target": `["@@builds.main"]`, "message": `"m"`},
	"POST /v1/topics/{topic}/subscribers":  {"add": `["ann"]`},
	"PUT /v1/topics/{topic}":               {"description": `"d"`},
	"POST /v1/users/{user}/inbox/{change}": {"ids": `["00000000-0000-4000-8000-000000000001"]`},
	"POST /v1/projections/{name}/skip":     {"position": `"1"`, "reason": `"r"`},
}
