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
// retracted, expired or deleted by the time they would have been told, or that
// retention hides by the time they are read from history.
//
// Who receives what is decided as the read model decides it, at every event's
// position: by the periods of a subscription, their severities, their filters and
// what the user had muted.
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
// from the log. What an operator had the read model skip, the hub and everybody
// who reads the log pass over too, and a halted hub goes on by itself. Where the
// hub had folded the event before it was skipped, it forgets what it knows, and
// every reader catches up from history, so that live and the tables agree.
package live
