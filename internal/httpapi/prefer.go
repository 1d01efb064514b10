package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxWait bounds Prefer: wait; a longer wish is granted in part.
const maxWait = 30 * time.Second

// preferredWait is how long the client would wait for the read model (RFC 7240);
// 0 for a preference that is absent or cannot be read, which is ignored.
func preferredWait(h http.Header) time.Duration {
	for _, line := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, value, _ := strings.Cut(preference, "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			value = strings.Trim(strings.TrimSpace(value), `"`)
			seconds, err := strconv.ParseUint(value, 10, 31)
			if err != nil && !errors.Is(err, strconv.ErrRange) { // what is too large is still a wish
				return 0
			}
			return min(time.Duration(seconds)*time.Second, maxWait) // 31 bits
		}
	}
	return 0
}
