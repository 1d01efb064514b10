package esdb_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain sees that nothing is left running inside the client, not even after
// outages. The exception is a connection the client itself drops unclosed when
// a call slips in between the break and our noticing it: its idle goroutines.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("google.golang.org/grpc/internal/grpcsync.(*CallbackSerializer).run"))
}
