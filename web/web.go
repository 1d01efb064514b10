// Package web holds the page at "/": one file, embedded, with nothing to build
// and nothing fetched from elsewhere.
package web

import (
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"net/http"
	"strings"
)

//go:embed index.html
var page string

// Console serves the page under a content security policy that lets only the
// page's own script and style run and only this server be talked to.
func Console() http.Handler {
	policy := "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" +
		"; script-src '" + hash("script") + "'; style-src '" + hash("style") + "'"
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write([]byte(page)) // a reader that went away needs no answer
	})
}

// hash is the policy's name for the one element of this kind in the page.
func hash(element string) string {
	_, after, _ := strings.Cut(page, "<"+element+">")
	content, _, _ := strings.Cut(after, "</"+element+">")
	sum := sha256.Sum256([]byte(content))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
