// Package workload replays a history of subscriptions and publishes through the HTTP API and says whether the system
// ended where an independent computation says it must.
//
// A workload is a text file, one JSON object a line, in time order (see Op). The package reads and writes that format,
// generates workloads from a seed (Generate), computes in memory what a correct system ends with (Expect), drives a
// server with it (Import) and compares what the server then answers (Verification). It speaks to the server over HTTP
// alone and shares no code with it, so that both cannot be wrong in the same way.
//
// # Order
//
// Lines run concurrently, but never in an order that could change the outcome: the lines of one (user, topic) keep their
// order, a publish follows every earlier line on any of its topics, and a subscribe or unsubscribe follows the earlier
// publishes to its topic. Publishes that share a topic keep the file's order too: it costs no speed that can be
// measured (the longest chain of the real workload's 30,647 lines is 595 long), and inboxes then read as the file does.
//
// # Stopping and running again
//
// The importer keeps no notes. Each request carries a correlation id made of the workload's digest and the line's
// number; the server stores it with the event, and the next run reads the audit log to learn which lines are done.
package workload
