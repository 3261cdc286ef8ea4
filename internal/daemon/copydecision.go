package daemon

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"step-posture-connector/internal/posture"
)

// CopyDecision is what the daemon decides about a device from the copies that it has left in files, without the inventories
// that they are copies of.
type CopyDecision struct {
	// Allowed says that the copies allow the device; otherwise the inventories are asked.
	Allowed bool
	// Until is when the first of the copies that allow it is too old.
	Until time.Time
}

// answered is an inventory that answers what it has answered already.
type answered struct {
	posture.Answer
	asks bool // it has a copy, which was no help
}

// Lookup implements posture.Provider.
func (a answered) Lookup(context.Context, posture.Query) (posture.Device, error) {
	switch {
	case a.asks:
		return posture.Device{}, errors.New("the inventory itself would be asked")
	case a.Record == nil:
		return posture.Device{}, a.Err
	}
	return *a.Record, nil
}

// decideFromCopies decides about a device again, from copies where there are any, and from what the other inventories have
// answered. It returns nil where no inventory of the policy has a copy in a file.
func (i *Inventory) decideFromCopies(ctx context.Context, policy string, q posture.Query, e *posture.Evidence) *CopyDecision {
	gate := *i.gate(policy)
	maxAge := map[string]time.Duration{} // of the inventories that have a copy in a file
	replace := func(sources []posture.Source) []posture.Source {
		sources = slices.Clone(sources)
		for n := range sources {
			source := &sources[n]
			source.Provider = answered{Answer: e.Answer(source.Name)}
			for _, of := range i.current.inventories {
				if of.Name != source.Name || of.keeper == nil || of.Snapshot.Path == "" {
					continue
				}
				maxAge[of.Name] = of.Snapshot.MaxAge
				source.Provider, source.Copy = answered{asks: true}, of.keeper
			}
		}
		return sources
	}
	gate.Inventories, gate.AlsoIn = replace(gate.Inventories), replace(gate.AlsoIn)
	if len(maxAge) == 0 {
		return nil
	}
	again := &posture.Evidence{Request: e.Request, Now: e.Now, Reference: e.Reference}
	decision, err := gate.Decide(ctx, q, again)
	if err != nil || !decision.Allowed() {
		return &CopyDecision{}
	}
	if _, recalled := again.SnapshotAge(); !recalled {
		return &CopyDecision{}
	}
	// Of those only that have answered: a list of other devices may be older.
	left := time.Duration(math.MaxInt64)
	for _, a := range again.Answers {
		if a.Recalled {
			left = min(left, maxAge[a.Inventory]-a.Age)
		}
	}
	return &CopyDecision{Allowed: true, Until: time.Now().Add(left)}
}
