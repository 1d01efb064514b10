package node_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/tidings-io/tidings/internal/eventstore/node"
	eventlog "github.com/tidings-io/tidings/internal/eventstore/node/log"
)

func closedListener(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener
}

func (s *server) address() string {
	return strings.TrimSuffix(strings.TrimPrefix(s.url, "esdb://"), "?tls=false")
}

// dial is a plain connection, for what the official client cannot ask.
func (s *server) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	connection, err := grpc.NewClient(s.address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

func TestTheClientLearnsTheVersion(t *testing.T) {
	t.Parallel()
	s := start(t)
	version, err := s.client.GetServerVersion()
	if err != nil || version.Major != 24 || version.Minor != 10 {
		t.Errorf("version %+v, %v, want 24.10", version, err)
	}
}

func TestWhatIsNotServedIsUnimplemented(t *testing.T) {
	t.Parallel()
	s := start(t)
	err := s.client.CreatePersistentSubscriptionToAll(t.Context(), "group", esdb.PersistentAllSubscriptionOptions{})
	if codeOf(err) != esdb.ErrorCodeUnsupportedFeature {
		t.Errorf("a persistent subscription: %v, want unsupported", err)
	}
}

func TestGossipNamesTheAddressThatWasDialled(t *testing.T) {
	t.Parallel()
	s := start(t)
	info, err := gossip.NewGossipClient(s.dial(t)).Read(t.Context(), &shared.Empty{})
	if err != nil || len(info.GetMembers()) != 1 {
		t.Fatalf("gossip: %v, %v, want one member", info, err)
	}
	member := info.GetMembers()[0]
	host, port, err := net.SplitHostPort(s.address())
	if err != nil {
		t.Fatal(err)
	}
	if member.GetState() != gossip.MemberInfo_Leader || !member.GetIsAlive() || member.GetHttpEndPoint().GetAddress() != host {
		t.Errorf("member %v, want a leader at %s:%s", member, host, port)
	}
	discovering := connect(t, "esdb+discover://"+s.address()+"?tls=false")
	if _, err := discovering.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{}, proposal("x")); err != nil {
		t.Errorf("append through discovery: %v", err)
	}
}

// TestOtherClientsRequests sends what the official Go client never does.
func TestOtherClientsRequests(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.append(t, "a", "x", "y")
	all := &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
		AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}},
	}}
	one := &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("a")},
		RevisionOption:   &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
	}}
	count := &streams.ReadReq_Options_Count{Count: 10}
	subscription := &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	only := func(prefix string, every uint32) *streams.ReadReq_Options_Filter {
		return &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
			Filter: &streams.ReadReq_Options_FilterOptions_EventType{
				EventType: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{prefix}},
			},
			CheckpointIntervalMultiplier: every,
		}}
	}
	cases := map[string]struct {
		options *streams.ReadReq_Options
		want    codes.Code
		events  int
	}{
		"no filter case at all":              {&streams.ReadReq_Options{StreamOption: all, CountOption: count}, codes.OK, 2},
		"a counted read with a filter":       {&streams.ReadReq_Options{StreamOption: all, CountOption: count, FilterOption: only("y", 0)}, codes.OK, 1},
		"a filter on a stream":               {&streams.ReadReq_Options{StreamOption: one, CountOption: count, FilterOption: only("y", 1)}, codes.InvalidArgument, 0},
		"a subscription backwards":           {&streams.ReadReq_Options{StreamOption: one, CountOption: subscription, ReadDirection: 1}, codes.InvalidArgument, 0},
		"checkpoints at no interval":         {&streams.ReadReq_Options{StreamOption: all, CountOption: subscription, FilterOption: only("y", 0)}, codes.InvalidArgument, 0},
		"neither a stream nor the whole log": {&streams.ReadReq_Options{CountOption: count}, codes.InvalidArgument, 0},
		"neither a count nor a subscription": {&streams.ReadReq_Options{StreamOption: all}, codes.InvalidArgument, 0},
		"nothing at all":                     {nil, codes.InvalidArgument, 0},
	}
	client := streams.NewStreamsClient(s.dial(t))
	for rule, c := range cases {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			call, err := client.Read(t.Context(), &streams.ReadReq{Options: c.options})
			if err != nil {
				t.Fatal(err)
			}
			events := 0
			for err == nil {
				var message *streams.ReadResp
				if message, err = call.Recv(); message.GetEvent() != nil {
					events++
				}
			}
			if err.Error() == "EOF" {
				err = nil
			}
			if status.Code(err) != c.want || events != c.events {
				t.Errorf("%d events, then %v, want %d and %v", events, err, c.events, c.want)
			}
		})
	}
	t.Run("ids as text", func(t *testing.T) {
		t.Parallel()
		call, err := client.Read(t.Context(), &streams.ReadReq{Options: &streams.ReadReq_Options{
			StreamOption: one, CountOption: count,
			UuidOption: &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		message, err := call.Recv()
		if got := message.GetEvent().GetEvent().GetId().GetString_(); err != nil || len(got) != 36 {
			t.Errorf("id %q, %v, want a UUID's text", got, err)
		}
	})
}

func TestMetricsStartAtZeroAndCount(t *testing.T) {
	t.Parallel()
	log, err := eventlog.Open("store", eventlog.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	registry := prometheus.NewPedanticRegistry()
	s := serve(t, log, node.Options{Registerer: registry})
	expect := func(want map[string]float64) {
		t.Helper()
		got := gather(t, registry)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	want := map[string]float64{
		"tidings_node_appends_total cancelled":      0,
		"tidings_node_appends_total failed":         0,
		"tidings_node_appends_total full":           0,
		"tidings_node_appends_total invalid":        0,
		"tidings_node_appends_total repeated":       0,
		"tidings_node_appends_total stream_deleted": 0,
		"tidings_node_appends_total written":        0,
		"tidings_node_appends_total wrong_revision": 0,
		"tidings_node_append_duration_seconds":      0,
		"tidings_node_certificate_expiry_seconds":   0,
		"tidings_node_commit_batch_events":          0,
		"tidings_node_head_position":                0,
		"tidings_node_logins_total accepted":        0,
		"tidings_node_logins_total busy":            0,
		"tidings_node_logins_total refused":         0,
		"tidings_node_subscriptions":                0,
		"tidings_node_accepting_appends":            1,
		"tidings_node_disk_free_bytes":              -1, // a file system in memory cannot tell
		"tidings_node_disk_reserve_bytes":           0,  // nor how much of it must stay free
	}
	expect(want)
	s.append(t, "a", "x", "x")
	_, err = s.client.AppendToStream(t.Context(), "a", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(7)}, proposal("x"))
	if err == nil {
		t.Error("a wrong revision was accepted")
	}
	want["tidings_node_appends_total written"] = 1
	want["tidings_node_appends_total wrong_revision"] = 1
	want["tidings_node_append_duration_seconds"] = 2
	want["tidings_node_commit_batch_events"] = 1
	want["tidings_node_head_position"] = 2
	expect(want)
}

// gather is each metric's value, of histograms the count, by name and labels.
func gather(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

// TestIdleConnectionsMayPing pings without an open call, as often as the client's keepalive may. The client itself cannot
// show the rule: this server's own pings count as activity for it, so that it hardly ever sends one. A server of the
// default settings sends GOAWAY at the fifth ping.
func TestIdleConnectionsMayPing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes 21 s: pings have to be seconds apart")
	}
	conn, err := net.Dial("tcp", start(t).address())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // the test is over
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	// RFC 9113: the preface, an empty SETTINGS frame, and a PING of eight bytes (6.7).
	const settings, ping, goAway, ack = 4, 6, 7, 1
	const gap = 5200 * time.Millisecond // the client's own is 10 s; the server allows 5 s
	frame := func(kind byte, payload string) string {
		return string([]byte{0, 0, byte(len(payload)), kind, 0, 0, 0, 0, 0}) + payload
	}
	send := func(text string) {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
	}
	answers := bufio.NewReader(conn)
	pinged := func() bool { // reads up to the answer to a ping
		for {
			var head [9]byte
			if _, err := io.ReadFull(answers, head[:]); err != nil {
				t.Errorf("the connection ended: %v", err)
				return false
			}
			payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
			if _, err := io.ReadFull(answers, payload); err != nil {
				t.Errorf("the connection ended: %v", err)
				return false
			}
			switch kind, flags := head[3], head[4]; {
			case kind == goAway:
				t.Errorf("GOAWAY: %q", payload)
				return false
			case kind == ping && flags == ack:
				return true
			}
		}
	}
	send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(settings, ""))
	for n := range 5 {
		if n > 0 {
			<-time.After(gap)
		}
		if send(frame(ping, "tidings!")); !pinged() {
			t.Fatalf("ping %d of 5 was one too many", n+1)
		}
	}
}
