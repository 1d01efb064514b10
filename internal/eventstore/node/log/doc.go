// Package eventlog is the storage of the embedded event store: one ordered, durable log of events that is also many streams.
//
// It promises:
//
//   - An append is decided and written in one critical section, all of it or nothing, and answered after the disk has it.
//   - Positions start at 1, grow by 1 an event, follow the order of commits and are never used twice, not even after a crash.
//     The events of one append are adjacent.
//   - Readers and followers see an event only after it is durable, and never block a writer: a follower keeps nothing but its
//     own position, so a slow one costs no memory and delays nobody.
//   - Once a write to the disk has failed, every later append fails until the log is opened again, because nobody knows what the
//     disk holds. Reading goes on.
//   - A directory is open in one process at a time.
//
// Expected revisions, idempotency, deletion and stream metadata follow EventStoreDB. The package knows nothing of networks.
package eventlog
