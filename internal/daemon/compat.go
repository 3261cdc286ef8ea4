package daemon

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"step-posture-connector/internal/compat"
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/inbound"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/server"
	"step-posture-connector/internal/webhook"
)

// dropIn is what COMPAT_MDMSECURITYDEMO adds.
type dropIn struct {
	webhookKey, keys, queries config.Secret
	// token is what the policy default requires.
	token *posture.TokenRequirement
}

// The attributes of the profile that enrollhandler makes.
const (
	compatPolicy = "default"
	compatToken  = "2.5.4.35"
	compatUDID   = "2.5.4.45"
	compatCaller = "mdmsecuritydemo"
	filePath     = "FILE_PATH"
)

func newDropIn(c config.Config, environ config.Environment) *dropIn {
	if !c.CompatEnabled {
		return nil
	}
	return &dropIn{c.WebhookKey, c.APIKey, c.QueryKey, &posture.TokenRequirement{
		Policy: compatPolicy, In: compatToken, UDIDIn: compatUDID, Lifetime: enroll.DefaultLifetime,
		UnpairedUDID: environ.Variables["PROVIDER"] == "file" && environ.Variables["FILE_TYPE"] == "lines",
	}}
}

// warnings say what a line list cannot do.
func (c *dropIn) warnings() []string {
	if c == nil || !c.token.UnpairedUDID {
		return nil
	}
	return []string{"FILE_TYPE is lines: the list pairs no UDID with a serial number, so that one listed device may use the key of another; a CSV or JSON file with both closes this"}
}

// named says INVENTORY_PATH where FILE_PATH has its value: that is the variable which the operator knows.
func (c *dropIn) named(problems config.Problems, inventory config.Path, environ config.Environment) (named config.Problems) {
	if c == nil || string(inventory) != environ.Variables[filePath] {
		return problems
	}
	const ours = "INVENTORY_PATH"
	about := slices.ContainsFunc(problems, func(p config.Problem) bool { return strings.HasPrefix(p.Variable, ours) })
	for _, p := range problems {
		switch {
		case p.Variable != filePath:
		case inventory != "":
			p.Variable = ours
		case about: // it is set, but wrong
			continue
		default:
			p.Variable, p.Accepted = ours, p.Accepted+", here or in "+filePath
		}
		named = append(named, p)
	}
	return named
}

// widen lets a request without a mode be about a device of any type: neither the demo's webhook nor a query of enrollhandler has
// one, and what it enrols are Macs, which are not the default of every inventory.
func (c *dropIn) widen(gate *posture.Gate) {
	if c != nil && gate.Mode == "" && len(gate.Inventories) > 0 && gate.Inventories[0].DefaultType != "" {
		gate.Mode = posture.AnyDevice
	}
}

// require puts the token into the policy default, which no policy file may have beside this.
func (s sources) require(r reading) config.Problems {
	if s.dropIn == nil || r.file == nil {
		return nil
	}
	p := r.file.Policies[compatPolicy]
	if p == nil || !p.Implied {
		return config.Problems{{
			Variable: "COMPAT_MDMSECURITYDEMO", Text: "1, which makes a policy default, and the policy file has a policy default too",
			Accepted: "another name of the policy in the policy file, or 0",
		}}
	}
	p.Token = s.dropIn.token
	return s.dropIn.clashes(r.file.Clients)
}

// clashes refuses a client of the API with a credential of the demo: who may ask whether a device is known could have tokens issued.
func (c *dropIn) clashes(clients []policyfile.Client) (problems config.Problems) {
	for _, client := range clients {
		for variable, key := range map[string]config.Secret{"WEBHOOK_KEY": c.webhookKey, "API_KEY": c.keys, "DEVICE_INVENTORY_API_KEY": c.queries} {
			if key.IsSet() && bytes.Equal(key.Reveal(), client.Bearer.Reveal()) {
				problems = append(problems, config.Problem{Variable: variable, Text: "the client " + client.Name + " of the policy file has the same one", Accepted: "a credential of its own"})
			}
		}
	}
	return problems
}

// bearerHook is the webhook that WEBHOOK_KEY authenticates; nil where there is none, or signatures say which one calls.
func (s sources) bearerHook(g *generation, ids int) *webhook.Hook {
	if s.dropIn == nil || ids > 0 {
		return nil
	}
	hook := &webhook.Hook{Gate: g.gates[""]}
	if g.file != nil {
		hook.Name, hook.Gate = compatCaller, g.gates[compatPolicy]
	}
	return hook
}

// webhookHooks are the webhooks of a generation that may call.
func (s *service) webhookHooks(g *generation) *webhook.Hooks {
	hooks := webhook.NewHooks(g.hooks, g.file != nil)
	if s.sources.dropIn != nil {
		hooks = hooks.WithBearer(s.sources.dropIn.webhookKey.Reveal(), g.bearer)
	}
	return hooks
}

// defaultGate is that of the policy that COMPAT_MDMSECURITYDEMO makes, in effect now.
func (s *service) defaultGate() *posture.Gate {
	g := s.live.Load()
	if g.file == nil {
		return g.gates[""]
	}
	return g.gates[compatPolicy]
}

// newDemo makes the endpoints of mdmsecuritydemo, where COMPAT_MDMSECURITYDEMO wants them.
func (s *service) newDemo() {
	d := s.sources.dropIn
	if d == nil {
		return
	}
	s.demo = &compat.Handler{
		Keys: inbound.NewCredential(d.keys.Reveal()), Queries: inbound.NewCredential(d.queries.Reveal()), Tokens: s.tokens, Known: s.known, Record: s.recordDemo, Trust: server.Trust,
		Rule: func() *posture.TokenRequirement { return s.defaultGate().Policy.Token },
	}
}

// known reports whether the inventories of the policy have a managed device with one of these identifiers. No rule is asked: the
// device may become what rules want only after it has enrolled.
func (s *service) known(ctx context.Context, serial, udid string) (bool, error) {
	gate := s.defaultGate()
	managed := &posture.Gate{Join: gate.Join, Mode: gate.Mode, Policy: posture.Policy{AlsoIn: gate.Policy.AlsoIn, AllowUnmanaged: gate.Policy.AllowUnmanaged}}
	managed.Policy.Requirements = map[string]posture.Requirements{}
	for name, required := range gate.Policy.Requirements {
		managed.Policy.Requirements[name] = posture.Requirements{AllowUnmanaged: required.AllowUnmanaged}
	}
	var faults []error
	for _, text := range []string{serial, udid} {
		id, err := posture.ParseIdentifier(text)
		if err != nil {
			continue // it is no device's
		}
		decision, err := managed.Decide(ctx, posture.Query{Identifier: id}, &posture.Evidence{Now: s.now()})
		if err == nil && decision.Allowed() {
			return true, nil
		}
		faults = append(faults, err)
	}
	return false, errors.Join(faults...)
}
