// Package access says who sends a request and what they may do.
//
// A credential is a token, which package token verifies, or an API key, whose
// hash the log holds. What was revoked is in the log too, in a short stream for
// each key and each user. The Authority reads such a stream when it first meets
// its holder, and follows those categories of the log from then on, so that it
// hears of a revocation within milliseconds and never reads what nobody shows. It
// therefore fails closed: whoever it has not met cannot be let in while the event
// store is away, and whoever it has met still is.
//
// It knows nothing of HTTP.
package access
