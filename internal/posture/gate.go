package posture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Gate decides about requests: it asks the inventories of a policy, and applies the policy to their answers.
type Gate struct {
	Join
	Policy Policy
	// Record asks for the facts of the request even where no rule reads them: they are recorded.
	Record bool
	// Mode is the device type of a query without one; empty means each inventory's default.
	Mode DeviceType
}

// TypeOf is the device type of q, or the default.
func (g *Gate) TypeOf(q Query) DeviceType {
	if t := cmp.Or(q.Type, g.Mode); t != "" || len(g.Inventories) == 0 {
		return t
	}
	return g.Inventories[0].DefaultType
}

// KindOf is the name of the provider of an inventory that can decide.
func (g *Gate) KindOf(inventory string) string {
	for i := range g.Inventories {
		if g.Inventories[i].Name == inventory {
			return g.Inventories[i].Kind
		}
	}
	return ""
}

// InMemory reports whether no inventory ever waits, so that a decision needs no time limit.
func (g *Gate) InMemory() bool {
	for _, sources := range [...][]Source{g.Inventories, g.AlsoIn} {
		if slices.ContainsFunc(sources, func(s Source) bool { _, inMemory := s.Provider.(InMemory); return !inMemory }) {
			return false
		}
	}
	return true
}

// Decide looks the device up, checks that each record is one of the device asked for, and applies the policy. e has the
// request, and gets what the inventories answered.
//
// A copy of an inventory only ever allows. First each inventory that has a copy answers from it; if that allows, it is the
// decision. Otherwise everything that came from a copy is asked of the inventory itself, and only such answers decide: no
// refusal rests on a copy.
//
// An error means that no decision could be made; the caller must not let the device pass. The Decision then refuses, and
// has what the rules said, if an inventory knows the device.
func (g *Gate) Decide(ctx context.Context, q Query, e *Evidence) (Decision, error) {
	e.Given, q.Type = q.Type, cmp.Or(q.Type, g.Mode)
	if g.hasCopies() {
		q.recall = true
		decision, err := g.decide(ctx, q, e)
		if err == nil && decision.Allowed() && (e.Fits == nil || e.Fits(e)) || !e.recalled() {
			return decision, err
		}
		q.recall = false
		e.forgetRecalled()
	}
	return g.decide(ctx, q, e)
}

func (g *Gate) hasCopies() bool {
	has := func(s Source) bool { return s.Copy != nil }
	return slices.ContainsFunc(g.Inventories, has) || slices.ContainsFunc(g.AlsoIn, has)
}

// decide is one pass of Decide.
func (g *Gate) decide(ctx context.Context, q Query, e *Evidence) (Decision, error) {
	err := g.Gather(ctx, q, e)
	switch {
	case err == nil:
		return g.Policy.Authorize(e), nil
	case errors.Is(err, ErrNotFound):
		return deny(DeviceNotFound, err.Error()), nil
	case errors.Is(err, ErrAmbiguous):
		return deny(DeviceAmbiguous, err.Error()), nil
	case errors.Is(err, ErrIdentifier):
		return deny(IdentifierInvalid, err.Error()), nil
	}
	var refusal Decision
	if e.Deciding != nil && g.Policy.Rules != nil {
		// Only for the log: what is unknown because of the fault is not what the rules are about.
		refusal = Decision{device: e.Deciding, verdict: g.Policy.Rules.Evaluate(e)}
	}
	return refusal, fmt.Errorf("look up device: %w", err)
}
