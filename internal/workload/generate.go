package workload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Shape says how large a generated workload is. The zero value of a field means the size of the published workload.
type Shape struct {
	Publishes int
	Users     int
	Topics    int
}

// The sizes of the published workload: six years of a package repository.
const (
	DefaultPublishes = 13_401
	DefaultUsers     = 3_986
	DefaultTopics    = 364
)

// announcements is the topic everybody follows.
const announcements = "announcements"

// Rates that make a generated workload resemble the published one, measured on it.
const (
	subscribesPerUser   = 2.1   // besides announcements
	unsubscribesPerUser = 1.25  // of those, over the whole time
	repeatsPerUser      = 0.1   // lines that change nothing: the published workload has none, importers must bear them
	manyTopics          = 0.006 // share of publishes to more than one topic
	mostTopics          = 50    // of one publish
	popularity          = 1.12  // exponent of the topics' popularity
	busyShare           = 0.5   // of what is done, by those who do much
	broadcasts          = 2     // publishes to announcements
)

// Generate makes a workload: topics of heavy-tailed popularity, publishes to several topics that reach people several
// ways, everybody following announcements, and people coming and going all the time. The same seed and shape give the
// same workload, byte for byte.
func Generate(seed uint64, shape Shape) (*Workload, error) {
	shape = shape.filled()
	if shape.Publishes < 1 || shape.Users < 1 || shape.Topics < 1 {
		return nil, errors.New("a workload needs at least one publish, one user and one topic")
	}
	g := newGenerator(seed, shape)
	for i := range shape.Publishes {
		g.step(i)
	}
	return sealed(g.ops)
}

func (s Shape) filled() Shape {
	if s.Publishes == 0 {
		s.Publishes = DefaultPublishes
	}
	if s.Users == 0 {
		s.Users = DefaultUsers
	}
	if s.Topics == 0 {
		s.Topics = DefaultTopics
	}
	return s
}

type generator struct {
	shape  Shape
	random *rand.Rand
	zipf   *rand.Zipf
	topics []string // most popular first
	users  []string // those who have arrived
	now    time.Time
	ops    []Op

	firstID uint64

	member map[pair]int // index into active
	active []pair       // memberships but those of announcements

	// What is owed of each kind of line: rates are below one a step.
	subscribes, unsubscribes, repeats float64
}

func newGenerator(seed uint64, shape Shape) *generator {
	random := rand.New(rand.NewPCG(seed, 0x7469_6469_6e67_73)) //nolint:gosec // repeatable, not secret
	g := &generator{
		shape:  shape,
		random: random,
		zipf:   rand.NewZipf(random, popularity, 4, uint64(shape.Topics-1)), //nolint:gosec // at least one topic
		now:    time.Date(2015, 11, 24, 17, 0, 0, 0, time.UTC),
		member: map[pair]int{},

		firstID: random.Uint64(),
	}
	for i := range shape.Topics {
		g.topics = append(g.topics, topicName(i))
	}
	return g
}

// topicName makes names with what names may hold: slashes, and now and then letters beyond ASCII.
func topicName(i int) string {
	switch {
	case i%40 == 7:
		return fmt.Sprintf("packages/büro/%03d", i)
	case i%40 == 23:
		return fmt.Sprintf("packages/도구:%03d@v2", i)
	default:
		return fmt.Sprintf("packages/stable/%03d", i)
	}
}

// step makes the lines up to and including one publish.
func (g *generator) step(publish int) {
	for len(g.users) <= publish*g.shape.Users/g.shape.Publishes && len(g.users) < g.shape.Users {
		g.arrive()
	}
	perStep := float64(g.shape.Users) / float64(g.shape.Publishes)
	for g.subscribes += subscribesPerUser * perStep; g.subscribes >= 2; g.subscribes-- { // the last is the sender's
		g.subscribe(g.somebody(), g.topic())
	}
	for g.unsubscribes += unsubscribesPerUser * perStep; g.unsubscribes >= 1; g.unsubscribes-- {
		g.leave()
	}
	for g.repeats += repeatsPerUser * perStep; g.repeats >= 1; g.repeats-- {
		g.repeat()
	}
	g.publish(publish)
	if publish == g.shape.Publishes-1 {
		for len(g.users) < g.shape.Users {
			g.arrive()
		}
	}
}

// arrive brings a new user, who follows announcements.
func (g *generator) arrive() {
	user := fmt.Sprintf("u-%010x", g.random.Uint64()>>24)
	if len(g.users)%50 == 13 {
		user = fmt.Sprintf("%s+%d@example.org", user, len(g.users)) // names hold such characters too
	}
	g.users = append(g.users, user)
	g.change(Subscribe, user, announcements)
}

// somebody chooses a user. A few of the earliest do far more than others.
func (g *generator) somebody() string {
	r := g.random.Float64()
	if g.random.Float64() < busyShare {
		r = r * r * r
	}
	return g.users[int(r*float64(len(g.users)))]
}

func (g *generator) topic() string { return g.topics[g.zipf.Uint64()] }

// subscribe adds a membership, unless it is there.
func (g *generator) subscribe(user, topic string) {
	p := pair{user, topic}
	if _, ok := g.member[p]; ok {
		return
	}
	g.member[p] = len(g.active)
	g.active = append(g.active, p)
	g.change(Subscribe, user, topic)
}

// leave ends some membership.
func (g *generator) leave() {
	if len(g.active) == 0 {
		return
	}
	p := g.active[g.random.IntN(len(g.active))]
	last := g.active[len(g.active)-1]
	g.active[g.member[p]], g.member[last] = last, g.member[p]
	g.active = g.active[:len(g.active)-1]
	delete(g.member, p)
	g.change(Unsubscribe, p.user, p.topic)
}

// repeat makes a line that changes nothing.
func (g *generator) repeat() {
	user, topic := g.somebody(), g.topic()
	kind := Unsubscribe
	if _, ok := g.member[pair{user, topic}]; ok {
		kind = Subscribe
	}
	g.change(kind, user, topic)
}

func (g *generator) publish(i int) {
	sender := g.sender()
	topics := g.targets(i, sender.topic)
	g.ops = append(g.ops, Op{
		At: g.tick(), Kind: Publish, ID: g.id(i), Topics: topics, Sender: sender.user,
		Severity: g.severity(), Title: g.title(topics[0], i),
	})
}

// sender chooses who changes which package: whoever does follows it, newcomers from then on.
func (g *generator) sender() pair {
	if g.subscribes < 1 && len(g.active) > 0 {
		return g.active[g.random.IntN(len(g.active))]
	}
	g.subscribes--
	p := pair{g.somebody(), g.topic()}
	g.subscribe(p.user, p.topic)
	return p
}

// targets chooses the topics of the i-th publish, no two the same: topic, and now and then others.
func (g *generator) targets(i int, topic string) []string {
	if i%max(g.shape.Publishes/broadcasts, 1) == g.shape.Publishes/(2*broadcasts) {
		return []string{announcements, topic}
	}
	want := 1
	if g.random.Float64() < manyTopics {
		want = 2 + int(float64(mostTopics-2)*g.random.Float64()*g.random.Float64())
	}
	chosen := []string{topic}
	seen := map[string]bool{topic: true}
	for range 4 * want { // a few popular topics come again and again: fewer are as good
		if topic := g.topic(); !seen[topic] && len(chosen) < want {
			seen[topic] = true
			chosen = append(chosen, topic)
		}
	}
	return chosen
}

// id makes ids that look random and cannot repeat: multiplying by an odd number is a permutation. Each seed begins
// elsewhere, as the ids of two workloads must not meet on one server.
func (g *generator) id(i int) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], g.firstID+uint64(i)*0x9e37_79b9_7f4a_7c15) //nolint:gosec // i is an index
	return fmt.Sprintf("%016x", b)
}

func (g *generator) severity() string {
	switch n := g.random.IntN(100); {
	case n == 0:
		return "high"
	case n < 9:
		return "low"
	default:
		return "normal"
	}
}

func (g *generator) title(topic string, i int) string {
	verbs := []string{"Add", "Fix", "Bump", "Remove", "Allow", "Document"}
	things := []string{"ingress rules", "memory limits", "the image tag", "liveness <probes>", "naïve defaults", "a \"quoted\" value"}
	return fmt.Sprintf("[%s] %s %s (#%d)", topic[strings.LastIndexByte(topic, '/')+1:],
		verbs[g.random.IntN(len(verbs))], things[g.random.IntN(len(things))], i+1)
}

func (g *generator) change(kind Kind, user, topic string) {
	g.ops = append(g.ops, Op{At: g.tick(), Kind: kind, User: user, Topic: topic})
}

// tick lets some time pass; many lines share a second.
func (g *generator) tick() time.Time {
	if g.random.IntN(2) == 0 {
		g.now = g.now.Add(time.Duration(g.random.IntN(12_000)) * time.Second)
	}
	return g.now
}
