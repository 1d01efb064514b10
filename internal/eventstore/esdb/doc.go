// Package esdb is the event store over the official EventStoreDB client; no
// other package imports that client. It works with EventStoreDB, KurrentDB and
// the embedded node, and survives each of them going away and coming back
// without a restart of the process.
//
// The client by itself does not: it gives up for good about a second after a
// connection was refused, calls caught in that moment never return, and waiting
// for a connection ignores the caller's context. Therefore:
//
//   - One goroutine, the supervisor, makes the connections. A new client is
//     shown to callers only after it has answered. At the first sign that its
//     connection broke no further call is given to it, and the supervisor makes
//     the next one, with jittered backoff, for ever. Every five seconds the
//     connection in use has to answer a small read.
//   - Every call into the client runs in a goroutine of its own, which is left
//     behind when the caller's deadline has passed and the client does not
//     return. Such goroutines end when the store is back. At most
//     maxAbandoned are left behind; from then on calls are refused.
//   - While the store is known to be away, calls fail with
//     events.ErrStoreUnavailable once it has been away for a second, at once
//     after that.
package esdb
