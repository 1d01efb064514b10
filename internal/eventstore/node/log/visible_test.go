package eventlog_test

import (
	"fmt"
	"testing"
	"time"

	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

// TestWhatMetadataHides reads a stream of five events that were written a second apart, just after the last.
func TestWhatMetadataHides(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ metadata, want string }{
		"nothing hides nothing":                           {`{}`, "01234"},
		"a count leaves the last":                         {`{"$maxCount":2}`, "34"},
		"a count above the number hides nothing":          {`{"$maxCount":9}`, "01234"},
		"a count of none is no count":                     {`{"$maxCount":0}`, "01234"},
		"truncation hides what is before":                 {`{"$tb":3}`, "34"},
		"truncation beyond the end hides all":             {`{"$tb":5}`, ""},
		"an event is visible until it is older than that": {`{"$maxAge":2}`, "234"},
		"an age of none is no age":                        {`{"$maxAge":0}`, "01234"},
		"the narrowest counts":                            {`{"$maxAge":3,"$maxCount":4,"$tb":4}`, "4"},
		"malformed metadata are none":                     {`{"$tb":3,"$maxCount":"2"}`, "01234"},
	}
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(1_700_000_000, 0)
			l := open(t, eventlog.Options{Now: func() time.Time { return now }})
			for i := range 5 {
				if i > 0 {
					now = now.Add(time.Second)
				}
				mustAppend(t, l, "s", eventlog.Any, event(fmt.Sprint(i)))
			}
			e := event(eventlog.TypeMetadata)
			e.Data = []byte(c.metadata)
			mustAppend(t, l, "$$s", eventlog.NoStream, e)
			s, err := l.Stream("s")
			if err != nil {
				t.Fatal(err)
			}
			page, err := s.Forward(0, eventlog.Limit{})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, r := range page {
				got += r.Type
			}
			if got != c.want || s.Last != 4 {
				t.Errorf("%q is visible, the last revision is %d, want %q and 4", got, s.Last, c.want)
			}
		})
	}
}
