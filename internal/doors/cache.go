package doors

import (
	"context"
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/flight"
)

// cacheKey is what an answer depends on beside the generation, which each cache belongs to. The entry, and with it the policy,
// follows from the caller.
type cacheKey struct {
	door, caller string
	certificate  [sha256.Size]byte     // of the whole certificate: a second one of a device is decided by itself
	radius       posture.RADIUSRequest // zero where nothing reads it
}

// decided is an answer with what its repeats say of its decision.
type decided struct {
	answer  answer
	said    audit.Event // only what repeat reads: what the inventories said is not kept
	expires time.Time
	// event is that of the decision, until one question takes it: often not the one that asked, which may have left before it was
	// decided. No answer goes out whose decision is not in the audit log.
	event *atomic.Pointer[audit.Event]
}

// newDecided makes what is remembered of a decision.
func newDecided(a answer, e *audit.Event, expires time.Time) decided {
	d := decided{answer: a, expires: expires, event: new(atomic.Pointer[audit.Event]), said: audit.Event{
		Reference: e.Reference, Allowed: e.Allowed, Code: e.Code, Reason: e.Reason, Remedy: e.Remedy,
		Identifier: e.Identifier, Mode: e.Mode, Inventory: e.Inventory, Provider: e.Provider, VLAN: e.VLAN,
	}}
	d.event.Store(e)
	return d
}

// cache remembers answers, allow and refuse alike, and joins equal questions that are asked at the same time. It is safe for
// concurrent use.
type cache struct {
	flights flight.Group[cacheKey, decided]

	mu      sync.Mutex
	answers map[cacheKey]decided
}

func newCache() *cache { return &cache{answers: map[cacheKey]decided{}} }

func (c *cache) get(key cacheKey, now time.Time) (decided, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.answers[key]
	if ok && !now.Before(found.expires) {
		delete(c.answers, key) // never past its time, also when no inventory answers
		return decided{}, false
	}
	return found, ok
}

func (c *cache) put(key cacheKey, d decided, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.answers) >= maxCached {
		c.makeRoom(now)
	}
	c.answers[key] = d
}

// makeRoom removes what has expired, or else what expires first.
func (c *cache) makeRoom(now time.Time) {
	var first cacheKey
	var expires time.Time
	for key, d := range c.answers {
		if !now.Before(d.expires) {
			delete(c.answers, key)
		} else if expires.IsZero() || d.expires.Before(expires) {
			first, expires = key, d.expires
		}
	}
	if len(c.answers) >= maxCached {
		delete(c.answers, first)
	}
}

// remembered answers from the cache, or decides and remembers. Issuer, validity and revocation were checked before.
func (q *question) remembered(ctx context.Context) answer {
	answers := q.doors.answers.Load()
	key := cacheKey{door: q.entry.Door, caller: q.caller, certificate: q.fingerprint}
	if q.entry.ReadsRADIUS && q.radius != nil {
		key.radius = *q.radius
	}
	if found, ok := answers.get(key, q.event.Time); ok {
		return q.take(found)
	}
	d, err := answers.flights.Do(ctx, key, func(ctx context.Context) (decided, error) {
		// Another question may have been decided since.
		if found, ok := answers.get(key, q.handler.Now()); ok {
			return found, nil
		}
		own := *q
		event := *q.event // the asker may leave before this has ended
		own.event = &event
		expires := event.Time.Add(q.entry.Cache)
		if q.expires.Before(expires) {
			expires = q.expires // no answer outlives the certificate
		}
		a := own.decide(ctx)
		d := newDecided(a, &event, expires)
		if d.answer.status < 500 { // a fault is never remembered
			answers.put(key, d, q.handler.Now())
		}
		return d, nil
	})
	if err != nil {
		q.event.Reference = audit.NewReference() // the other one is that of the decision, if others still wait for it
		return refuse(q.event, &problem{outcome.Unavailable, err})
	}
	return q.take(d)
}

// take answers with a decision. The first question that does so records it, the others repeat it.
func (q *question) take(d decided) answer {
	event := d.event.Swap(nil)
	if event == nil {
		return q.repeat(d)
	}
	asked := *q.event
	*q.event = *event
	q.event.RequestID, q.event.RemoteAddress, q.event.Method, q.event.Path, q.event.NAS = asked.RequestID, asked.RemoteAddress, asked.Method, asked.Path, asked.NAS
	return d.answer
}

// repeat gives the answer of another question about the same certificate, with the reference of its decision.
func (q *question) repeat(d decided) answer {
	e, said := q.event, d.said
	e.Repeats = true
	e.Reference, e.Allowed, e.Code, e.Reason, e.Remedy = said.Reference, said.Allowed, said.Code, said.Reason, said.Remedy
	e.Identifier, e.Mode, e.Inventory, e.Provider, e.VLAN = said.Identifier, said.Mode, said.Inventory, said.Provider, said.VLAN
	return d.answer
}
