// Package inbox is the language of reading: what a user's inbox and stream
// consist of, and the one rule that says what is in them.
//
// Queries and the live hub answer in these words without seeing each other.
// Everything here is pure.
package inbox
