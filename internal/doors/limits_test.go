package doors

import (
	"encoding/binary"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
)

// The cache is bounded, and what expires first makes room.
func TestCacheBound(t *testing.T) {
	t.Parallel()
	c, now := newCache(), time.Now()
	key := func(n int) (k cacheKey) {
		binary.BigEndian.PutUint64(k.certificate[:], uint64(n))
		return k
	}
	for n := range maxCached + 100 {
		c.put(key(n), decided{expires: now.Add(time.Minute + time.Duration(n))}, now)
	}
	if len(c.answers) != maxCached {
		t.Errorf("%d answers are remembered, want %d", len(c.answers), maxCached)
	}
	if _, ok := c.get(key(99), now); ok {
		t.Error("what expires first has not made room")
	}
	if _, ok := c.get(key(100), now); !ok {
		t.Error("more than needed has made room")
	}
	// What has expired makes room first.
	later := now.Add(2 * time.Minute)
	c.put(key(0), decided{expires: later.Add(time.Minute)}, later)
	if len(c.answers) != 1 {
		t.Errorf("%d answers are remembered, want 1", len(c.answers))
	}
	if _, ok := c.get(key(0), later.Add(time.Minute)); ok || len(c.answers) != 0 {
		t.Error("an answer is remembered at the end of its time")
	}
}

// The cache is safe for concurrent use.
func TestCacheConcurrently(t *testing.T) {
	t.Parallel()
	c, now := newCache(), time.Now()
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 1000 {
				k := cacheKey{caller: string(rune('a' + (n+i)%16))}
				c.put(k, decided{expires: now.Add(time.Duration(i%3) * time.Second)}, now)
				c.get(k, now.Add(time.Second))
			}
		})
	}
	all.Wait()
}

// No code has a status that some server takes for a yes, at any door.
func TestStatusOfCodes(t *testing.T) {
	t.Parallel()
	for _, door := range []string{posture.RADIUSDoor, posture.ForwardAuthDoor, ""} {
		for _, code := range append(outcome.Codes(), "rule's own") {
			status := statusOf(door, code)
			if status < 400 || status == http.StatusNotFound || status == http.StatusGone {
				t.Errorf("%s at the door %q is answered %d", code, door, status)
			}
			if fault := code == outcome.Unavailable || code == outcome.Internal; fault != (status >= 500) {
				t.Errorf("%s at the door %q is answered %d", code, door, status)
			}
			event := &audit.Event{Door: door, Reference: "ABCD1234", Allowed: true}
			a := refuse(event, problemf(code, "reason"))
			if event.Allowed || a.status != status || len(a.headers) > 0 || strings.Contains(string(a.body), "Accept") || strings.Contains(string(a.body), "reason") || !strings.Contains(string(a.body), "ABCD1234") {
				t.Errorf("%s at the door %q is answered %+v %s", code, door, a, a.body)
			}
		}
	}
}
