package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/console"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// consoleLive is what the console may know of the generation in effect, and ask of it.
type consoleLive struct {
	service *service
	entries *journal.Encoder
}

// consoleLive makes the console's view of the daemon.
func (s *service) consoleLive() console.Live { return &consoleLive{s, journal.NewEncoder()} }

// Inventories implements console.Live.
func (c *consoleLive) Inventories() (all []console.Inventory) {
	for _, i := range c.service.live.Load().inventories {
		one := console.Inventory{Name: i.Name, Kind: i.Kind, Wrong: c.service.wrongWithInventory(i)}
		if held, ok := i.Provider.(interface{ Holds() (int, time.Time) }); ok {
			one.InMemory = true
			one.Devices, one.Fetched = held.Holds()
		}
		if i.keeper != nil {
			one.Copied = true
			for n, list := range i.keeper.Status() {
				one.Devices += list.Devices
				// Of two lists the older one says how old the copy is; where one is missing, there is none.
				if n == 0 || list.Begun.Before(one.Fetched) {
					one.Fetched = list.Begun
				}
			}
		}
		all = append(all, one)
	}
	return all
}

// wrongWithInventory says what is wrong with an inventory; empty for nothing.
func (s *service) wrongWithInventory(i *inventory) string {
	var wrong []error
	lookup, reload := lookupOf(i.Name), inventoryFiles+"/"+i.Name
	if i.section == nil && s.live.Load().file == nil {
		lookup = lastLookup
	}
	if i.section == nil {
		reload = inventoryFiles
	}
	if text := s.state.get(lookup); text != "" {
		wrong = append(wrong, errors.New("the last lookup was not answered: "+text))
	}
	if text := s.state.get(reload); text != "" {
		wrong = append(wrong, errors.New("reload failed, keeping the previous version: "+text))
	}
	if i.keeper != nil {
		for _, list := range i.keeper.Status() {
			if text := wrongWith(list); text != "" {
				wrong = append(wrong, errors.New("snapshot: "+text))
			}
		}
	}
	if len(wrong) == 0 {
		return ""
	}
	return audit.Clean(oneLine(errors.Join(wrong...)), maxMessage)
}

// Policies implements console.Live.
func (c *consoleLive) Policies() (all []console.Policy) {
	g := c.service.live.Load()
	if g.file == nil {
		return []console.Policy{{}}
	}
	for _, name := range g.policyNames() {
		declared := g.file.Policies[name]
		one := console.Policy{Name: name}
		for _, r := range declared.Rules {
			rule := console.Rule{
				Name: r.Name, Message: r.Message, Code: string(r.Code), Expression: r.Require.Text(), ReportOnly: r.ReportOnly || declared.ReportOnly, From: r.EnforcedFrom,
			}
			if r.When != nil {
				rule.Expression += "\n\nonly where:\n" + r.When.Text()
			}
			one.Rules = append(one.Rules, rule)
		}
		all = append(all, one)
	}
	return all
}

// Decide implements console.Live. It asks the gate in effect, as a webhook does, and has no effect on anything else: nothing is
// recorded, counted or redeemed, and what requests need of an inventory's server is left to them.
func (c *consoleLive) Decide(ctx context.Context, policy, identifier string, mode posture.DeviceType) (decided console.Decided, err error) {
	id, err := posture.ParseIdentifier(identifier)
	if err != nil {
		return decided, err
	}
	gate := c.service.live.Load().gates[policy]
	if gate == nil {
		return decided, unknownName(policy, "policy", c.service.live.Load().policyNames())
	}
	began := c.service.now()
	q := posture.Query{Identifier: id, Type: mode}
	kind := gate.TypeOf(q)
	e := &audit.Event{
		Time: began, Identifier: id.String(), Mode: string(kind), Policy: policy, Door: posture.WebhookDoor,
		Evidence: &posture.Evidence{Now: began, Request: posture.Request{Door: posture.WebhookDoor, Mode: string(kind), Identifier: id.String()}},
	}
	if policy == "" {
		e.Door = ""
	}
	ctx, cancel := context.WithTimeout(posture.AtDoor(ctx), webhook.Budget)
	defer cancel()
	decision, err := gate.Decide(ctx, q, e.Evidence)
	if errors.Is(err, context.Canceled) {
		return decided, err // the person has left
	}
	e.Inventory, e.Provider = e.Evidence.Inventory, gate.KindOf(e.Evidence.Inventory)
	e.Verdict, e.Groups = decision.Verdict(), decision.Groups()
	switch {
	case err != nil: // fail closed: without an answer nothing is allowed, here as there
		e.Code, e.Reason = string(outcome.Unavailable), err.Error()
	case decision.Allowed():
		e.Allowed, e.Reason = true, decision.Reason()
	default:
		e.Code, e.Reason = string(decision.Code()), decision.Reason()
	}
	took := c.service.now().Sub(began)
	e.Duration = took
	entry, err := c.entries.Entry(e)
	if err != nil {
		return decided, fmt.Errorf("describe the decision: %w", err)
	}
	return console.Decided{Found: journal.Found{Line: slices.Clip(entry.Line), Rules: entry.Rules}, Took: took}, nil
}
