package vendorhttp

import (
	"context"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/flight"
)

// Reader knows what the settings of an inventory read of its records.
type Reader struct {
	// Policy says that a policy file may read facts. Without one, a lookup needs only what the settings read.
	Policy bool
	// Required are the facts that the requirements of the settings read.
	Required posture.FactSet
	// Enriches: data for the certificate are returned.
	Enriches bool
}

// Wanted are the facts that another request to the vendor, or a larger one, is made for.
type Wanted struct {
	// Must are read: where one cannot be asked for, the lookup fails. Fail closed: it would be taken for unknown.
	Must posture.FactSet
	// May are only recorded: one that cannot be asked for stays unknown.
	May posture.FactSet
}

// Wanted returns what a lookup is for.
func (r Reader) Wanted(q posture.Query) Wanted {
	w := Wanted{Must: r.Required, May: q.Recorded}
	if r.Policy {
		w.Must |= q.Facts &^ q.Recorded &^ posture.Document
	} else if q.Recorded != 0 {
		w.May |= q.Facts &^ posture.Document
	}
	if r.Enriches && q.Facts.Has(posture.Document) {
		w.Must |= DocumentFacts()
	}
	w.May &^= w.Must
	return w
}

// Has reports whether any of the facts is wanted.
func (w Wanted) Has(facts posture.FactSet) bool { return (w.Must|w.May)&facts != 0 }

// Within returns the context of the further request for these facts; see Further. Where they are only recorded, it ends when
// half of the lookup's time is over: a server that does not answer the request must not make the lookup fail.
func (w Wanted) Within(ctx context.Context, facts posture.FactSet) (context.Context, context.CancelFunc) {
	ctx = Further(ctx)
	end, bounded := flight.Deadline(ctx)
	if !bounded || w.Fails(facts) {
		return context.WithCancel(ctx)
	}
	const half = 2
	return context.WithTimeout(ctx, time.Until(end)/half)
}

// Fails reports whether the lookup fails where these facts cannot be asked for.
func (w Wanted) Fails(facts posture.FactSet) bool { return w.Must&facts != 0 }
