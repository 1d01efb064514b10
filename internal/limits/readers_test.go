package limits

import (
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestReadersAreCapped(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	l := New(Options{ReadersPerUser: 2, ReadersPerAddress: 3, Registerer: registry})
	enter := func(user, address, want string) func() {
		t.Helper()
		leave, reason, ok := l.Enter(user, address)
		if reason != want || ok != (want == "") {
			t.Errorf("%s at %s: got %q, want %q", user, address, reason, want)
		}
		return leave
	}
	leave := enter("ann", "::1", "")
	enter("ann", "::2", "")
	enter("ann", "::3", "readers-user")
	enter("bob", "::1", "")
	enter("cyd", "::1", "")
	enter("dan", "::1", "readers-address")
	enter("dan", "::2", "")
	leave()
	leave() // a second one must not make more room
	enter("dan", "::1", "")
	enter("eve", "::1", "readers-address")
	enter("ann", "::2", "")
	enter("ann", "::4", "readers-user")
	for range 10 {
		enter("", "", "")
	}
	if got, want := value(t, registry, "tidings_limits_refused_total"), 4.0; got != want {
		t.Errorf("got %v refusals counted, want %v", got, want)
	}
}

func TestReadersThatLeftAreForgotten(t *testing.T) {
	t.Parallel()
	l := New(Options{ReadersPerUser: 1, ReadersPerAddress: 100})
	var wg sync.WaitGroup
	for _, user := range []string{"ann", "bob", "cyd", "dan"} {
		wg.Go(func() {
			for range 1000 {
				leave, reason, ok := l.Enter(user, "::1")
				if !ok {
					t.Errorf("%s: got %s, want let in", user, reason)
				}
				leave()
			}
		})
	}
	wg.Wait()
	if len(l.readers.users)+len(l.readers.addresses) > 0 {
		t.Errorf("got %v and %v left, want none", l.readers.users, l.readers.addresses)
	}
}

func TestWithoutACapNobodyIsCounted(t *testing.T) {
	t.Parallel()
	l := New(Options{})
	for range 1000 {
		if _, reason, ok := l.Enter("ann", "::1"); !ok {
			t.Fatalf("got %s, want let in", reason)
		}
	}
	if len(l.readers.users) > 0 {
		t.Errorf("got %v counted, want nobody", l.readers.users)
	}
}
