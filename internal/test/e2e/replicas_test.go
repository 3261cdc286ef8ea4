package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// atOnce is how many keys redeem one token at the same time.
	atOnce = 100
	// defaultRounds is how many tokens they redeem; TOKEN_ROUNDS is another number.
	defaultRounds = 5
	// askPause is before a device asks again that got no decision.
	askPause = 50 * time.Millisecond
	// outageTimeout bounds how long a device may go on without a decision.
	outageTimeout = 30 * time.Second
)

// TestTokenReplicas: of a hundred keys that redeem one token at once with two connectors and one PostgreSQL, exactly one gets it,
// whatever fails meanwhile.
func TestTokenReplicas(t *testing.T) {
	t.Parallel()
	rounds := defaultRounds
	if text := os.Getenv("TOKEN_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	r := startReplicas(t)
	keys := newKeys(t, atOnce)
	for range rounds {
		r.race(t, keys, 0, func() {})
	}
	kept := r.keep(t, keys)
	for _, fault := range []func(){
		func() { r.nodes[0].crash(t) },
		func() { r.crashDatabase(t) },
		func() { r.nodes[1].separate(t, r) },
	} {
		// Before the first redemption is known, and amid them.
		for _, decided := range []int{0, atOnce / 4} {
			r.race(t, keys, decided, fault)
			kept.expect(t, r)
		}
	}
}

func newKeys(t *testing.T, count int) (keys []*ecdsa.PrivateKey) {
	t.Helper()
	for range count {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

func (r *replicas) token(t *testing.T) string {
	t.Helper()
	return r.tokens.issue(t, map[string]string{"policy": "enrolment", "identifier": enrolledSerial}).Token
}

// decide asks until there is a decision, as a device does that gets a server error.
func (r *replicas) decide(t *testing.T, url string, request *x509.CertificateRequest) (allow bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), outageTimeout)
	defer cancel()
	for {
		a, err := r.ask(ctx, url, request)
		switch {
		case err == nil && a.status == http.StatusOK && a.allow:
			return true
		case err == nil && a.status == http.StatusOK && a.code == "tokenInvalid":
			return false
		case err == nil && a.status != http.StatusServiceUnavailable:
			t.Errorf("a connector answers %+v, want an allow, tokenInvalid, or 503", a)
			return false
		}
		select {
		case <-ctx.Done():
			t.Errorf("no decision: %+v, %v", a, err)
			return false
		case <-time.After(askPause):
		}
	}
}

// race lets all keys redeem one token at once, while something happens when so many are decided. Exactly one of them gets it, and
// every connector says so afterwards.
func (r *replicas) race(t *testing.T, keys []*ecdsa.PrivateKey, decided int, meanwhile func()) {
	t.Helper()
	token := r.token(t)
	var requests []*x509.CertificateRequest
	for _, key := range keys {
		requests = append(requests, csr(t, key, token))
	}
	allowed := make([]bool, len(requests))
	var working sync.WaitGroup
	start, done := make(chan struct{}), make(chan struct{}, len(requests))
	for i, request := range requests {
		working.Go(func() {
			<-start
			allowed[i] = r.decide(t, r.url(), request)
			done <- struct{}{}
		})
	}
	close(start)
	for range decided {
		<-done
	}
	meanwhile()
	working.Wait()
	winners, winner := 0, 0
	for i, is := range allowed {
		if is {
			winners, winner = winners+1, i
		}
	}
	if winners != 1 {
		t.Fatalf("%d keys got one token, want 1", winners)
	}
	loser := requests[(winner+1)%len(requests)]
	for _, n := range r.nodes {
		if !r.decide(t, n.url(), requests[winner]) || r.decide(t, n.url(), loser) {
			t.Errorf("the connector at %s has another winner", n.address())
		}
	}
}

// crashDatabase kills PostgreSQL while requests are under way, and runs it again after a device was told to come back.
func (r *replicas) crashDatabase(t *testing.T) {
	t.Helper()
	if err := r.database.Kill(); err != nil {
		t.Error(err)
	}
	r.expectUnavailable(t, r.nodes[0])
	if err := r.database.Recover(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// separate cuts the network between a connector and the database. The others go on.
func (n *node) separate(t *testing.T, r *replicas) {
	t.Helper()
	n.cut.Store(true)
	n.link.Cut()
	r.expectUnavailable(t, n)
	key := newKeys(t, 1)[0]
	if other := r.nodes[0]; !r.decide(t, other.url(), csr(t, key, r.tokenOf(t, other))) {
		t.Error("the other connector does not go on")
	}
	n.cut.Store(false)
}

// tokenOf is a token that this connector issues.
func (r *replicas) tokenOf(t *testing.T, n *node) string {
	t.Helper()
	direct := r.tokens
	direct.url = n.url() + "/v1/tokens"
	return direct.issue(t, map[string]string{"policy": "enrolment", "identifier": enrolledSerial}).Token
}

// expectUnavailable wants that a device is told to come back: without the database nobody can say whether a token is good.
func (r *replicas) expectUnavailable(t *testing.T, n *node) {
	t.Helper()
	a, err := r.ask(t.Context(), n.url(), csr(t, newKeys(t, 1)[0], "none"))
	if err != nil || a.status != http.StatusServiceUnavailable || a.code != "unavailable" {
		t.Errorf("without its database a connector answers %+v, %v; want 503 and unavailable", a, err)
	}
}

// kept are tokens that must be after a fault what they were before.
type kept struct {
	used  map[string]*ecdsa.PrivateKey // by which key
	fresh []string
	other *ecdsa.PrivateKey
	next  atomic.Int32
}

func (r *replicas) keep(t *testing.T, keys []*ecdsa.PrivateKey) *kept {
	t.Helper()
	k := &kept{used: map[string]*ecdsa.PrivateKey{}, other: keys[0]}
	for i := range 6 { // one for each fault
		token, key := r.token(t), keys[i+1]
		if k.used[token] = key; !r.decide(t, r.url(), csr(t, key, token)) {
			t.Error("a token was refused")
		}
		k.fresh = append(k.fresh, r.token(t))
	}
	return k
}

// expect wants that no token is lost, and none can be used twice.
func (k *kept) expect(t *testing.T, r *replicas) {
	t.Helper()
	for token, key := range k.used {
		if !r.decide(t, r.url(), csr(t, key, token)) {
			t.Error("a used token was lost: its key is refused")
		}
		if r.decide(t, r.url(), csr(t, k.other, token)) {
			t.Error("a used token was used again, by another key")
		}
	}
	fresh := k.fresh[k.next.Add(1)-1]
	if !r.decide(t, r.url(), csr(t, k.other, fresh)) {
		t.Error("a token that nobody has used was lost")
	}
}
