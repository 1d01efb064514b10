// Package filter judges notifications by what a subscriber asked of them: a
// filter is a boolean expression in the Common Expression Language
// (https://cel.dev) over title, severity, sender, topic and data.
//
// Judging is pure: the same filter and notification always give the same answer,
// in the projection, in the hub and when the log is read again. A filter that
// cannot be evaluated, as for a member of data that is missing or at more than
// its cost limit, does not match. The members of a map are visited in the order of
// their names, for what is found first must be the same everywhere.
package filter
