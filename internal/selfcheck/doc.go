// Package selfcheck doubts the read model: now and then it folds the inboxes of
// some users, picked at random, from the log itself, and compares them with what
// the tables say at the same position. What differs is counted and logged together
// with the command that repairs it; nothing is repaired here.
//
// It never competes with the projection: the log is read at a bounded pace, and
// each user's tables are read in one short snapshot.
package selfcheck
