package httpapi

import (
	"strings"

	"github.com/tidings-io/tidings/internal/filter"
)

// maxComplaintRunes is how much is said of a filter that does not compile: the
// first mistakes, as a rule.
const maxComplaintRunes = 300

// filter reads the member filter. White space around it is no part of it, so that
// one of white space alone asks nothing.
func (f *fields) filter(o object) string {
	before := len(f.flaws)
	text := strings.TrimSpace(f.text(o, "filter", 0, filter.MaxRunes))
	if len(f.flaws) > before {
		return ""
	}
	if err := filter.Check(text); err != nil {
		f.flaw("filter", "does not compile: %s", complaint(err))
	}
	return text
}

// complaint is what the compiler says, on one line. It shows its source below each
// mistake, which the client has.
func complaint(err error) string {
	var said []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !strings.HasPrefix(line, " | ") {
			said = append(said, strings.TrimPrefix(line, "ERROR: <input>:"))
		}
	}
	text := []rune(strings.Join(said, "; "))
	if len(text) > maxComplaintRunes {
		return string(text[:maxComplaintRunes]) + "…"
	}
	return string(text)
}
