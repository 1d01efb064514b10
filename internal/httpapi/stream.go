package httpapi

import (
	"net/http"

	"github.com/tidings-io/tidings/internal/events"
)

// inboxStream mounts the stream: it knows names and problems, Stream does not.
func (a *api) inboxStream(c Config) endpoint {
	options := c.Stream
	options.User = func(w http.ResponseWriter, r *http.Request) (events.User, bool) {
		q, err := a.ask(r)
		if err != nil {
			a.fail(w, r, err)
			return "", false
		}
		user := q.user(r)
		if err := q.err(); err != nil {
			a.fail(w, r, err)
			return "", false
		}
		return user, true
	}
	options.Invalid = func(w http.ResponseWriter, r *http.Request, field, message string) {
		a.fail(w, r, flaw(field, "%s", message))
	}
	stream := Stream(c.Hub, options)
	return func(w http.ResponseWriter, r *http.Request) error {
		leave, err := a.enter(r)
		if err != nil {
			return err
		}
		defer leave()
		r, stop := a.hold(r)
		defer stop()
		stream(w, r)
		return nil
	}
}
