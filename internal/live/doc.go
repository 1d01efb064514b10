// Package live tells connected users what happens to their inboxes, as it
// happens, and joins that to what they missed.
//
// It owns the hub: one fold of the log per API process, for connected users
// only, and Follow, the one path by which a reader begins, reconnects, falls
// behind and catches up again.
//
// What a follower is promised: starting from the position it names it is told
// everything that concerns its user, once, in position order, whichever process
// it asks and however often it comes back. Left out are only items that were
// retracted, expired or deleted by the time they would have been told.
//
// How the two halves are joined. History (a snapshot of the read model) is
// complete up to the read model's checkpoint. The hub keeps the newest events of
// the log in a bounded window. A follower reads history page by page, then folds
// the window from the checkpoint on for its own user, and what is left of the
// window is folded in the same step, under the hub's lock, that enters the
// follower into the hub's maps. So no event can fall between the two, and none
// can be on both sides. When the checkpoint is older than the window the
// follower first waits for the projector and then reads the missing stretch from
// the log itself. When the hub is behind the checkpoint, the checkpoint is where
// the follower starts, and the hub's events up to it are skipped.
//
// What is bounded: the window (events and bytes), the frames and bytes that wait
// for one reader, the readers, the questions to the read model at once, and
// every wait. A reader whose queue is full loses the queue, never an event: it
// falls back to the position it had reached and catches up by the same path. The
// hub never waits for a reader.
//
// An event that cannot be decoded halts the hub: it is not skipped, since nobody
// can say whom it concerned. Streams end, Follow answers ErrUnavailable, Ready
// says why, tidings_live_halted is 1; a program that can read the event goes on
// from the log.
package live
