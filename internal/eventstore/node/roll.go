package node

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

const (
	// rememberedWrong is how many wrong passwords are known again without hashing: 32 kB. More than that forgets them all.
	rememberedWrong = 1024
	// maxWaiting bounds the calls that wait for a password to be hashed; each is some 10 kB. Others are told to come back.
	maxWaiting = 256
)

var errBusy = errors.New("too many passwords wait to be checked")

// roll is one reading of a users file, with what has been found out about passwords since. Passwords themselves are not kept.
type roll struct {
	hashes  map[string][]byte
	costs   map[string]int
	highest int // of the costs
	key     [sha256.Size]byte
	waiting chan struct{}
	hashing chan struct{} // see Users

	mu    sync.RWMutex
	right map[string]digest // at most one for each user
	wrong map[digest]struct{}
}

// digest is a name and a password under a key that only this process has.
type digest [sha256.Size]byte

func newRoll(hashes map[string][]byte, hashing chan struct{}) *roll {
	r := &roll{
		hashes: hashes, costs: map[string]int{}, highest: bcrypt.MinCost, waiting: make(chan struct{}, maxWaiting), hashing: hashing,
		right: map[string]digest{}, wrong: map[digest]struct{}{},
	}
	_, _ = rand.Read(r.key[:]) // never fails
	for name, hash := range hashes {
		cost, _ := bcrypt.Cost(hash) // it has been parsed
		r.costs[name] = cost
		r.highest = max(r.highest, cost)
	}
	return r
}

// knows says whether the password is the user's. The error is that of ctx, which ended while others were checked, or errBusy.
func (r *roll) knows(ctx context.Context, name, password string) (bool, error) {
	d := r.digest(name, password)
	if right, known := r.remembered(name, d); known {
		return right, nil
	}
	select {
	case r.waiting <- struct{}{}:
		defer func() { <-r.waiting }()
	default:
		return false, errBusy
	}
	select {
	case r.hashing <- struct{}{}:
		defer func() { <-r.hashing }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	if right, known := r.remembered(name, d); known { // somebody else has asked meanwhile
		return right, nil
	}
	right := r.check(name, password)
	r.remember(name, d, right)
	return right, nil
}

// check takes as long for a name that nobody has, and for a hash that is cheaper than others, as for the dearest hash.
func (r *roll) check(name, password string) bool {
	hash, known := r.hashes[name]
	if len(password) > maxPasswordBytes { // bcrypt would not see the rest
		known = false
	}
	if !known {
		burn(r.highest)
		return false
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil {
		return true
	}
	for cost := r.costs[name]; cost < r.highest; cost++ {
		burn(cost) // each is as much as all before it
	}
	return false
}

// burn does the work of one hash.
func burn(cost int) { _, _ = bcrypt.GenerateFromPassword(nil, cost) }

func (r *roll) digest(name, password string) digest {
	mac := hmac.New(sha256.New, r.key[:])
	mac.Write([]byte(name))
	mac.Write([]byte{':'}) // no name has one
	mac.Write([]byte(password))
	return digest(mac.Sum(nil))
}

func (r *roll) remembered(name string, d digest) (right, known bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if kept, ok := r.right[name]; ok && hmac.Equal(kept[:], d[:]) {
		return true, true
	}
	_, known = r.wrong[d]
	return false, known
}

func (r *roll) remember(name string, d digest, right bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case right:
		r.right[name] = d
		return
	case len(r.wrong) >= rememberedWrong:
		clear(r.wrong)
	}
	r.wrong[d] = struct{}{}
}
