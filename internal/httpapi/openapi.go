package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/tidings-io/tidings/internal/events"
)

const (
	documentPattern = "/openapi.json"
	apiVersion      = "1.0.0"
	schemaPrefix    = "#/components/schemas/"
)

// positionText is how a position looks: too large a number for JavaScript.
type positionText string

// Schema describes it.
func (positionText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: "^(0|[1-9][0-9]*)$", Description: "A position in the log, in decimal."}
}

// uuidText is how an id looks.
type uuidText string

// Schema describes it.
func (uuidText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid"}
}

// severityText is how a severity looks.
type severityText string

// Schema describes it.
func (severityText) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, name := range severityNames {
		s.Enum = append(s.Enum, name)
	}
	return s
}

// targetText is how a target looks.
type targetText string

// Schema describes it.
func (targetText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: "^(topic|user):", Description: "topic:<topic> or user:<user>"}
}

// jsonText is JSON handed through as it came.
type jsonText json.RawMessage

// Schema describes it.
func (jsonText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "JSON as it was sent."}
}

// document describes all routes in OpenAPI 3.1.
type document struct {
	*huma.OpenAPI

	registry huma.Registry
}

// openAPI makes the document once and serves it.
func openAPI(routes []route) endpoint {
	text, err := json.MarshalIndent(describe(routes).OpenAPI, "", " ")
	if err != nil {
		panic(fmt.Sprintf("httpapi: encode the OpenAPI document: %v", err)) // it is made of constants
	}
	text = append(bytes.TrimSpace(text), '\n')
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = w.Write(text) // the client may have gone
		return nil
	}
}

func describe(routes []route) document {
	registry := huma.NewMapRegistry(schemaPrefix, func(t reflect.Type, hint string) string {
		return strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "Doc")
	})
	registry.RegisterTypeAlias(reflect.TypeFor[uuid.UUID](), reflect.TypeFor[uuidText]())
	registry.RegisterTypeAlias(reflect.TypeFor[events.Position](), reflect.TypeFor[positionText]())
	registry.RegisterTypeAlias(reflect.TypeFor[events.Severity](), reflect.TypeFor[severityText]())
	registry.RegisterTypeAlias(reflect.TypeFor[events.Target](), reflect.TypeFor[targetText]())
	registry.RegisterTypeAlias(reflect.TypeFor[json.RawMessage](), reflect.TypeFor[jsonText]())
	d := document{registry: registry, OpenAPI: &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Tidings", Version: apiVersion,
			Description: "Notifications with a durable inbox and a live stream that neither loses nor repeats. Positions are decimal strings; times are RFC 3339 in UTC; errors are RFC 9457 problems.",
		},
		Paths:      map[string]*huma.PathItem{},
		Components: &huma.Components{Schemas: registry},
	}}
	for _, rt := range routes {
		d.add(rt)
	}
	open(registry)
	return d
}

// open lets answers have more members than are described, as the API changes by
// adding. Lists are never null.
func open(registry huma.Registry) {
	for name, schema := range registry.Map() {
		for _, property := range schema.Properties {
			if property.Type == huma.TypeArray {
				property.Nullable = false
			}
		}
		if !strings.HasSuffix(name, "Body") {
			schema.AdditionalProperties = nil
		}
	}
}

func (d document) add(rt route) {
	item := d.Paths[rt.pattern]
	if item == nil {
		item = &huma.PathItem{}
		d.Paths[rt.pattern] = item
	}
	op := &huma.Operation{
		OperationID: rt.id, Summary: rt.summary, Tags: []string{rt.group},
		Parameters: d.params(rt), RequestBody: d.requestBody(rt), Responses: d.responses(rt),
	}
	switch rt.method {
	case http.MethodGet:
		item.Get = op
	case http.MethodPut:
		item.Put = op
	case http.MethodPost:
		item.Post = op
	case http.MethodDelete:
		item.Delete = op
	default:
		panic("httpapi: no place in the OpenAPI document for " + rt.method)
	}
}

func (d document) schema(like any) *huma.Schema {
	return d.registry.Schema(reflect.TypeOf(like), true, "")
}

// params are those of the path, by its pattern, of the query, and the headers
// that go with the route's kind.
func (d document) params(rt route) []*huma.Param {
	var params []*huma.Param
	for _, part := range strings.Split(rt.pattern, "{")[1:] {
		name, _, _ := strings.Cut(part, "}")
		params = append(params, &huma.Param{
			Name: name, In: "path", Required: true, Schema: pathSchema(name), Description: pathDocs[name],
		})
	}
	for _, p := range rt.params {
		schema := *d.schema(p.like)
		for _, value := range p.enum {
			schema.Enum = append(schema.Enum, value)
		}
		params = append(params, &huma.Param{Name: p.name, In: "query", Schema: &schema, Description: p.doc})
	}
	header := func(name, doc string) {
		params = append(params, &huma.Param{Name: name, In: "header", Schema: &huma.Schema{Type: huma.TypeString}, Description: doc})
	}
	if rt.keyed {
		header("Idempotency-Key", "1 to 255 characters: the same key and body give the same answer, for ever.")
	}
	if len(rt.commands) > 0 {
		header("Prefer", "wait=N: wait up to N seconds (30 at most) until the inbox has passed the command's position.")
	}
	if rt.reads {
		params = append(params, &huma.Param{
			Name: "wait_for", In: "query", Schema: d.schema(events.Position(0)),
			Description: "The answer is at least as new as this position.",
		})
		header("Tidings-Position", "The same as wait_for.")
	}
	if rt.stream {
		header("Last-Event-ID", "Where to resume: a position, or earliest.")
	}
	if rt.group != groupOperations {
		header("X-Request-Id", "1 to 128 visible ASCII characters; the correlation id of the events the request causes.")
	}
	return params
}

var pathDocs = map[string]string{
	"user":   "1 to 128 characters of A-Z a-z 0-9 . _ @ : + -, the first a letter, digit, _ or +.",
	"topic":  "1 to 200 characters: Unicode letters, marks, digits and . _ : / @ + -, the first a letter or digit; percent-encoded.",
	"id":     "A notification's id.",
	"change": "What to do with the items.",
}

func pathSchema(name string) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	switch name {
	case "id":
		s.Format = "uuid"
	case "change":
		s.Enum = []any{"read", "unread", "seen", "archive", "unarchive", "delete"}
	}
	return s
}

func (d document) requestBody(rt route) *huma.RequestBody {
	if rt.body == nil {
		return nil
	}
	return &huma.RequestBody{
		Required: !rt.optional,
		Content:  map[string]*huma.MediaType{"application/json": {Schema: d.schema(rt.body)}},
	}
}

func (d document) responses(rt route) map[string]*huma.Response {
	responses := map[string]*huma.Response{}
	for status, like := range rt.answers {
		responses[strconv.Itoa(status)] = d.response(rt, status, like)
	}
	byStatus := map[int][]string{}
	for _, code := range rt.codes() {
		status := kinds[code].status
		byStatus[status] = append(byStatus[status], code)
	}
	for status, codes := range byStatus {
		slices.Sort(codes)
		responses[strconv.Itoa(status)] = &huma.Response{
			Description: strings.Join(slices.Compact(codes), ", "),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: d.schema(Problem{})}},
		}
	}
	return responses
}

func (d document) response(rt route, status int, like any) *huma.Response {
	response := &huma.Response{Description: http.StatusText(status)}
	if media, ok := like.(mediaType); ok {
		response.Content = map[string]*huma.MediaType{string(media): {}}
	} else {
		response.Content = map[string]*huma.MediaType{"application/json": {Schema: d.schema(like)}}
	}
	if _, ok := like.(auditPage); ok {
		response.Content[ndjson] = &huma.MediaType{}
	}
	if len(rt.commands) > 0 {
		response.Headers = map[string]*huma.Param{
			"Tidings-Position": {Schema: d.schema(events.Position(0)), Description: "The position of the command's last event."},
		}
	}
	return response
}
