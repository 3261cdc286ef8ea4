package access

import (
	"crypto/sha256"
	"math"
	"sync"
	"time"
)

// bucket counts tries: each takes a token, and they come back with time.
type bucket struct {
	tokens float64
	at     time.Time
}

// allowance is how many tokens a bucket has, and how often one comes back.
type allowance struct {
	burst int
	every time.Duration
}

// fill adds what has come back by now.
func (b *bucket) fill(a allowance, now time.Time) {
	if since := now.Sub(b.at); since > 0 {
		b.tokens, b.at = math.Min(float64(a.burst), b.tokens+since.Seconds()/a.every.Seconds()), now
	}
}

// wait is how long it takes until a try is admitted; zero for now.
func (b *bucket) wait(a allowance) time.Duration {
	if b.tokens >= 1 {
		return 0
	}
	return time.Duration((1 - b.tokens) * float64(a.every))
}

// tries limits wrong tries to log in: of each client, under each name, and of all together. A right one gives its tokens back, which
// x/time/rate cannot. Names are kept as hashes: one may be a password in the wrong field.
//
// An attacker can so delay the log-in under a name. That is the price of a limit that many machines cannot get around; who is logged
// in stays so.
type tries struct {
	mu      sync.Mutex
	all     *bucket
	clients map[string]*bucket
	names   map[[sha256.Size]byte]*bucket
}

func allowances() (all, client, name allowance) {
	return allowance{burstAll, everyAll}, allowance{burstClient, everyClient}, allowance{burstName, everyName}
}

// take takes a token of each, or none: wait is then when the next try is admitted.
func (t *tries) take(client, name string, now time.Time) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ofAll, ofClient, ofName := allowances()
	if t.all == nil {
		t.all, t.clients, t.names = &bucket{burstAll, now}, map[string]*bucket{}, map[[sha256.Size]byte]*bucket{}
	}
	t.all.fill(ofAll, now)
	if wait := t.all.wait(ofAll); wait > 0 {
		return wait
	}
	c, n := find(t.clients, client, ofClient, now), find(t.names, sha256.Sum256([]byte(name)), ofName, now)
	if wait := max(c.wait(ofClient), n.wait(ofName)); wait > 0 {
		return wait
	}
	for _, b := range []*bucket{t.all, c, n} {
		b.tokens--
	}
	return 0
}

// giveBack gives back what a right try has taken.
func (t *tries) giveBack(client, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range []*bucket{t.all, t.clients[client], t.names[sha256.Sum256([]byte(name))]} {
		if b != nil {
			b.tokens++ // at most what it had before
		}
	}
}

// find is the bucket of a client or a name. Those that are full again are as good as none. Few others can exist, because all
// together have an allowance; maxTries is a bound in any case.
func find[K comparable](buckets map[K]*bucket, k K, a allowance, now time.Time) *bucket {
	b := buckets[k]
	if b == nil {
		if len(buckets) >= maxTries {
			for k, other := range buckets {
				other.fill(a, now)
				if other.tokens >= float64(a.burst) {
					delete(buckets, k)
				}
			}
		}
		if len(buckets) >= maxTries {
			return &bucket{0, now} // fail closed
		}
		b = &bucket{float64(a.burst), now}
		buckets[k] = b
	}
	b.fill(a, now)
	return b
}
