// Package house holds the rules of the whole tree as tests: who may import what and why, which
// packages are pure, that every package says what it is, that links in the documents lead
// somewhere, and that every metric named in a document or on a board exists.
//
// It promises nothing to other packages and is imported by none.
package house
