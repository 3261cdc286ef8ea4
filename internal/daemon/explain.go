package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// Choice is the policy that a device is judged by, outside of a request.
type Choice struct {
	Policy string
	// Webhook is the name of the webhook that the policy was chosen by, or empty.
	Webhook string
	// Others are the policies that could have been chosen, where none was named.
	Others []string
}

// Choose returns the named policy, or that of the named webhook. Without a name it is the only one, or else the one named
// default. The error says which names are accepted. policy and webhook must not both be given.
func (i *Inventory) Choose(policy, webhook string) (Choice, error) {
	names := i.current.policyNames()
	switch {
	case webhook != "":
		return i.current.chooseByWebhook(webhook)
	case policy != "" && i.current.gates[policy] == nil:
		return Choice{}, unknownName(policy, "policy", names)
	case policy != "":
		return Choice{Policy: policy}, nil
	case len(names) == 1:
		return Choice{Policy: names[0]}, nil
	case slices.Contains(names, "default"):
		others := slices.DeleteFunc(names, func(name string) bool { return name == "default" })
		return Choice{Policy: "default", Others: others}, nil
	}
	return Choice{}, fmt.Errorf("which policy? accepted: %s", strings.Join(names, ", "))
}

// chooseByWebhook finds a webhook by its name or ID.
func (g *generation) chooseByWebhook(text string) (Choice, error) {
	names := make([]string, len(g.hooks))
	for n, hook := range g.hooks {
		if names[n] = hook.Name; text == hook.Name || strings.EqualFold(text, hook.ID) {
			if hook.Gate == nil {
				return Choice{}, fmt.Errorf("the webhook %s only notifies: no policy decides what it sends", hook.Name)
			}
			return Choice{Policy: hook.Gate.Policy.Name, Webhook: hook.Name}, nil
		}
	}
	return Choice{}, unknownName(text, "webhook", names)
}

// unknownName says which names are accepted, and which of them is probably meant.
func unknownName(name, of string, names []string) error {
	text := "unknown " + of
	if near := document.Nearest(name, names); near != "" {
		text += "; did you mean " + near + "?"
	}
	return errors.New(text + "; accepted: " + orNone(names))
}

// Explanation is a decision about a device, and all that it rests on.
type Explanation struct {
	posture.Decision

	// Err is why no decision could be made; the Decision then refuses.
	Err error
	// Message is what the person at the device reads about a refusal, without the reference.
	Message string
	// Evidence has what the inventories said.
	Evidence *posture.Evidence
	// Inventories are all inventories of the policy, in its order.
	Inventories []Asked
	// Rules are all rules of the policy, in its order; none where no inventory knows the device.
	Rules []Rule
	// FromCopies is what the daemon decides from its copies; nil where it has none in files.
	FromCopies *CopyDecision
	// Copies are those in files, and CopiesInMemory the inventories whose copy only the running daemon has.
	Copies         []CopyState
	CopiesInMemory []string
}

// Asked is an inventory of a policy, and what it said.
type Asked struct {
	posture.Answer

	Kind     string // the name of its provider
	Answered bool   // otherwise its answer was not needed
	AlsoIn   bool   // it must know the device too
}

// Rule is a rule of a policy, and what it said.
type Rule struct {
	policy.Explanation

	// ReportOnly says that the rule never refuses. From is when it begins to refuse, where that is later than the decision.
	ReportOnly bool
	From       time.Time
}

// Explain makes the decision that the webhook would make about a device. Of the request it knows what c and q say: everything
// else is unknown to the rules, so that a rule which reads it refuses, rather than letting the device pass.
func (i *Inventory) Explain(ctx context.Context, c Choice, q posture.Query) Explanation {
	e := &posture.Evidence{Reference: posture.NoReference, Request: posture.Request{
		Door: "webhook", Caller: c.Webhook, Mode: string(i.TypeOf(c.Policy, q)), Identifier: q.Identifier.String(),
	}}
	decision, err := i.Decide(ctx, c.Policy, q, e)
	x := Explanation{Decision: decision, Err: err, Evidence: e}
	if err == nil {
		x.Message = webhook.Message(decision)
	}
	gate := i.gate(c.Policy)
	for n, source := range slices.Concat(gate.Inventories, gate.AlsoIn) {
		asked := Asked{Answer: e.Answer(source.Name), Kind: source.Kind, AlsoIn: n >= len(gate.Inventories)}
		asked.Answered = slices.ContainsFunc(e.Answers, func(a posture.Answer) bool { return a.Inventory == source.Name })
		x.Inventories = append(x.Inventories, asked)
	}
	if e.Deciding != nil {
		x.Rules = explainRules(i.current.file.Policies[c.Policy], e)
	}
	x.FromCopies = i.decideFromCopies(ctx, c.Policy, q, e)
	copies, inMemory := i.Copies()
	asked := func(inventory string) bool {
		return slices.ContainsFunc(x.Inventories, func(a Asked) bool { return a.Inventory == inventory })
	}
	x.Copies = slices.DeleteFunc(copies, func(of CopyState) bool { return !asked(of.Inventory) })
	x.CopiesInMemory = slices.DeleteFunc(inMemory, func(name string) bool { return !asked(name) })
	return x
}

func explainRules(p *policy.Policy, e *posture.Evidence) []Rule {
	rules := make([]Rule, len(p.Rules))
	for n, explained := range p.Explain(e) {
		declared := p.Rules[n]
		rules[n] = Rule{Explanation: explained, ReportOnly: declared.ReportOnly || p.ReportOnly}
		if e.Now.Before(declared.EnforcedFrom) {
			rules[n].From = declared.EnforcedFrom
		}
	}
	return rules
}
