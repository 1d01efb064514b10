// Package projections folds the log into tables.
//
// The inbox projection owns every table of its schema but goose's own: who
// subscribed when (periods), what was published and to whom, what each user has
// and did with it. Rows and checkpoint move in one transaction, so the tables are
// always the fold of the log up to the checkpoint: the same rows for any cut into
// batches and any restarts, ids included, but for what retention has deleted and for
// how far fan-out is stored, neither of which changes an answer.
//
// One runner works at a time, the others stand by. Subscribers of a topic with the
// same filter are an audience, which a notification reaches as a whole or not at
// all. The inbox is stored per recipient for audiences up to StoreLimit
// subscribers, and left to be joined from periods and notifications for larger
// ones.
package projections
