// Package httpapi is the edge: it turns HTTP requests into commands and queries,
// and their outcomes into HTTP answers.
//
// It owns the routes, the reading of requests, the one map from errors to
// statuses (problem.go), the OpenAPI document made from the same table as the
// routes, and the serving itself. It decides nothing and stores nothing: what
// may happen is decided by package commands, and what is so is answered by
// package queries and the live hub.
//
// Every answer carries X-Request-Id; every error is an RFC 9457 problem that
// never repeats what was sent.
package httpapi
