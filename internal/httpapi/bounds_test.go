package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidings-io/tidings/internal/httpapi"
)

func TestBoundsOfRulesAndPreferences(t *testing.T) {
	t.Parallel()
	topics := func(n int) string {
		return `{"muted_topics":[` + strings.TrimSuffix(strings.Repeat(`"a",`, n), ",") + `]}`
	}
	channels := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"c%d":{}`, i)
		}
		return `{"channels":{` + b.String()[1:] + `}}`
	}
	filter := func(n int) string {
		return `{"filter":"title == '` + strings.Repeat("é", n-len("title == ''")) + `'"}`
	}
	const preferences, subscription = "/v1/users/alice/preferences", "/v1/users/alice/subscriptions/builds"
	tests := map[string]struct {
		path, body string
		field      string // "": it is taken
	}{
		"as many muted topics as may be":            {preferences, topics(1000), ""},
		"one more":                                  {preferences, topics(1001), "muted_topics"},
		"rules for as many channels as may be":      {preferences, channels(20), ""},
		"rules for one more":                        {preferences, channels(21), "channels"},
		"a filter as long as may be":                {subscription, filter(2000), ""},
		"a filter of one character more":            {subscription, filter(2001), "filter"},
		"a filter with more mistakes than are told": {subscription, `{"filter":"` + strings.Repeat("nobody || ", 190) + `true"}`, "filter"},
		"a filter that nests too deeply":            {subscription, `{"filter":"` + strings.Repeat("(", 990) + `true` + strings.Repeat(")", 990) + `"}`, "filter"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response := serve(t, httpapi.Config{}).do(t, http.MethodPut, test.path, test.body)
			if test.field == "" {
				if response.StatusCode >= http.StatusBadRequest {
					t.Errorf("got %+v", problem(t, response))
				}
				return
			}
			p := problem(t, response)
			if p.Code != "validation" || len(p.Errors) != 1 || p.Errors[0].Field != test.field || utf8.RuneCountInString(p.Errors[0].Message) > 350 {
				t.Errorf("got %+v", p)
			}
		})
	}
}
