package httpapi

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/tidings-io/tidings/internal/events"
	"github.com/tidings-io/tidings/internal/limits"
)

// class is what a route's requests count as.
func (rt route) class() limits.Class {
	switch {
	case rt.stream:
		return limits.Connects
	case len(rt.commands) > 0:
		return limits.Commands
	default:
		return limits.Queries
	}
}

// limitAddress takes one from the bucket of the client's address: before it is
// known who sends the request, as finding that out costs something too.
func (a *api) limitAddress(w http.ResponseWriter, r *http.Request, class limits.Class) error {
	name := limitName(address(r))
	if a.limits == nil || name == "" {
		return nil
	}
	return limited(w, a.limits.Take(limits.Address, name, class))
}

// limitIdentity takes one from the bucket of whoever sent the request: an API key's
// own, or the subject's.
func (a *api) limitIdentity(w http.ResponseWriter, r *http.Request, class limits.Class) error {
	if a.limits == nil {
		return nil
	}
	i := identity(r)
	if i.Key != "" {
		return limited(w, a.limits.Take(limits.Key, string(i.Key), class))
	}
	return limited(w, a.limits.Take(limits.User, i.Subject, class))
}

// limited tells the client of a limit (draft-ietf-httpapi-ratelimit-headers-10) and
// refuses what is above it.
func limited(w http.ResponseWriter, v limits.Verdict) error {
	if !v.Limited {
		return nil
	}
	h := w.Header()
	h.Add("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", v.Policy, v.Quota, v.Window))
	h.Add("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", v.Policy, v.Remaining, seconds(v.Reset)))
	if v.OK {
		return nil
	}
	f := &fault{code: codeRateLimited, retryAfter: v.RetryAfter}
	f.detail = fmt.Sprintf("the limit %s, %d in %d s, is reached: try again in %d s", v.Policy, v.Quota, v.Window, seconds(v.RetryAfter))
	return f
}

// seconds are whole ones, as headers have them, never too few.
func seconds(d time.Duration) int64 { return max(1, int64(math.Ceil(d.Seconds()))) }

// spend counts notifications against the day's quota of whoever publishes. What is
// not published after all is given back.
func (a *api) spend(r *http.Request, n int) error {
	if a.limits == nil {
		return nil
	}
	v := a.limits.Spend(subject(r), n)
	switch {
	case v.OK || !v.Limited:
		return nil
	case int64(n) > v.Quota:
		return flaw("notifications", "has more entries than the %d that the quota lets through in a day: split it", v.Quota)
	}
	return &fault{
		code: codeQuotaExceeded, retryAfter: v.RetryAfter,
		detail: fmt.Sprintf("the quota is %d notifications a day (UTC), of which this server may let through %d more now", v.Quota, v.Remaining),
	}
}

// spendOnce is spend for what may be a repeat: one whose events are all there needs no
// room, and says false, as there is nothing to give back.
func (a *api) spendOnce(r *http.Request, n int, k key, stream events.StreamName) (spent bool, err error) {
	err = a.spend(r, n)
	if err == nil || !k.given {
		return err == nil, err
	}
	there := 0
	for _, readErr := range a.store.Read(r.Context(), stream, 0) {
		if readErr != nil {
			return false, err
		}
		there++
	}
	if there < n {
		return false, err
	}
	return false, nil
}

func (a *api) giveBack(r *http.Request, n int) {
	if a.limits != nil && n > 0 {
		a.limits.GiveBack(subject(r), n)
	}
}

// enter counts a reader of a user's stream. The error says that there are as many
// as there may be; else leave must be called.
func (a *api) enter(r *http.Request) (leave func(), err error) {
	if a.limits == nil {
		return func() {}, nil
	}
	var f fields
	leave, reason, ok := a.limits.Enter(string(f.user(r)), limitName(address(r)))
	if !ok {
		return leave, &fault{code: codeRateLimited, detail: "the limit " + reason + " is reached: close other streams"}
	}
	return leave, nil
}

// retryAfter says when to come again.
func retryAfter(h http.Header, wait time.Duration) {
	h.Set("Retry-After", strconv.FormatInt(seconds(wait), 10))
}
