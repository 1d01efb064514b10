package httpapi

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The page is @stoplight/elements 9.0.25 (Apache-2.0; see docs/LICENSE), kept
// compressed; it talks to this server alone.
//
//go:embed docs/*.gz docs/index.html docs/errors.html
var docs embed.FS

// docsPolicy lets the page run its own scripts and ask this server. Its styles are
// partly made while it runs, so that they cannot be named one by one.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var docsAssets = map[string]string{ // media types by name
	"web-components.min.js": "text/javascript; charset=utf-8",
	"styles.min.css":        "text/css; charset=utf-8",
}

func docsPage(w http.ResponseWriter, _ *http.Request) error {
	page, err := docs.ReadFile("docs/index.html")
	if err != nil {
		return fmt.Errorf("read the docs page: %w", err)
	}
	writePage(w, page)
	return nil
}

func writePage(w http.ResponseWriter, page []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", docsPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	_, _ = w.Write(page) // the client may have gone
}

func docsAsset(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("asset")
	media, ok := docsAssets[name]
	if !ok {
		return &fault{code: codeNotFound}
	}
	text, err := docs.ReadFile("docs/" + name + ".gz")
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "public, max-age=3600")
	h.Add("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = w.Write(text) // the client may have gone
		return nil
	}
	plain, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	_, _ = io.Copy(w, plain) //nolint:gosec // our own file; the client may have gone
	return nil
}

// errorsPage is where the types of problems lead.
func errorsPage() endpoint {
	type row struct {
		Code, Title, Meaning string
		Status               int
	}
	var rows []row
	for _, code := range slices.Sorted(maps.Keys(kinds)) {
		k := kinds[code]
		rows = append(rows, row{Code: code, Title: k.title, Meaning: k.meaning, Status: k.status})
	}
	var page bytes.Buffer
	if err := template.Must(template.ParseFS(docs, "docs/errors.html")).Execute(&page, rows); err != nil {
		panic(fmt.Sprintf("httpapi: the page of errors: %v", err)) // it is made of constants
	}
	return func(w http.ResponseWriter, _ *http.Request) error {
		writePage(w, page.Bytes())
		return nil
	}
}
