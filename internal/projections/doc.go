// Package projections folds the log into tables.
//
// The inbox projection owns every table of its schema but goose's own: who
// subscribed when (periods), what was published and to whom, what each user has
// and did with it. Rows and checkpoint move in one transaction, so the tables are
// always the fold of the log up to the checkpoint: the same rows for any cut into
// batches and any restarts, surrogate ids aside.
//
// One runner works at a time, the others stand by. The inbox is stored per
// recipient for topics up to StoreLimit subscribers, and left to be joined from
// periods and notifications for larger ones.
package projections
