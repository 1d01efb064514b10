// Package node is the embedded event store: a gRPC server that speaks EventStoreDB's protocol over a log of this process, so
// that the application uses the official client for it and for a real cluster alike.
//
// It serves appends, reads, subscriptions, deletion and gossip: in clear and to everybody, as an insecure real node does, unless it is given a
// Certificate and Users. What it does not serve (persistent subscriptions, projections, batch appends, managing users) answers Unimplemented.
package node
