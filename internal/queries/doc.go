// Package queries answers from the read model in Postgres: inbox pages, counts,
// notifications, subscriptions and topics, and the snapshots that live streams
// begin with.
//
// Every answer is read in one snapshot and carries the checkpoint of that
// snapshot, so that it is exact as of one position of the log. The package reads
// only: the tables are the inbox projection's, and the rule that joins stored rows
// with periods is written once per way of walking, in the statements under sql/.
//
// An answer as of the past is read from the same tables, by what they keep of
// changes and periods, or folded from the log where they no longer tell. Retention
// and expiry are rules of the answer, judged at its time: what the background has
// deleted was hidden already.
//
// Lists are paged by position or name, so that what arrives meanwhile moves
// nothing; a next cursor is given exactly when something follows.
package queries
