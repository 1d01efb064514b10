// Package limits says how much of what somebody may do: token buckets for users, keys and
// addresses that hold over all API instances together, quotas of a day, and caps of open readers.
//
// Buckets are local, so that a Take never waits for anything. Each instance lets through a share
// of the limit. Once a second it tells the others how often each of its busy buckets is asked, and
// takes of the limit what its demand is of the demand of all; until it knows that everybody has
// read its demand it takes no more than the limit ÷ instances. So all together let through the
// limit, whichever instances the requests come to, but for the second or so that news takes to
// spread. Without the exchange every instance keeps to the limit ÷ the instances last known: never
// unlimited, never closed.
//
// Quotas are sums in Postgres, to which each instance adds once a second what it has let through.
// What the others let through since is not known yet: all together may hand out about a second's
// traffic of theirs too much.
//
// Names never leave the process, and are not even kept in it: see Name.
package limits
