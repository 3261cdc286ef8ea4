package daemon

import (
	"cmp"
	"context"
	"slices"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/webhook"
)

// Inventory is all that a decision needs: inventories, and the policies over them.
type Inventory struct {
	// Warnings are about what is accepted but probably a mistake.
	Warnings []string

	current *generation
}

// LoadProvider loads and validates PROVIDER and the variables of that provider, and the policy file, and opens the
// inventories. It does not read what only the listener needs: an administrator can ask the inventory on a machine that has
// neither the certificate nor the secrets of the webhooks. Its error has a line for each problem.
func LoadProvider(environ config.Environment) (*Inventory, error) { return loadByHand(environ, false) }

// loadByHand is LoadProvider. readFacts makes the inventory of the environment read facts also without a policy file.
func loadByHand(environ config.Environment, readFacts bool) (*Inventory, error) {
	path, problems := policyPath(environ)
	from := sources{environ: environ, path: path, facts: path != "", readFacts: readFacts || path != "", byHand: true}
	g, read, err := from.load(nil, nil)
	unknown := from.warnings(read)
	problems = append(problems, problemsOf(err)...)
	if len(problems) > 0 {
		refused := refuse(problems, unknown, environ)
		refused.cause = err
		return nil, refused
	}
	return &Inventory{Warnings: append(unknown, g.warnings...), current: g}, nil
}

// policyPath reads POLICY_PATH.
func policyPath(environ config.Environment) (string, config.Problems) {
	var c struct {
		Path config.Path `env:"POLICY_PATH" accepted:"the path of a policy file"`
	}
	problems := config.Parse(environ.Variables, &c)
	return string(c.Path), append(problems, emptyPolicyPath(environ)...)
}

// emptyPolicyPath refuses a POLICY_PATH that is present but empty: a policy must not be off by accident.
func emptyPolicyPath(environ config.Environment) config.Problems {
	if !environ.Empty("POLICY_PATH") {
		return nil
	}
	return config.Problems{{Variable: "POLICY_PATH", Text: "it is set, but empty", Accepted: "the path of a policy file, or no POLICY_PATH at all"}}
}

// openProvider opens the provider that PROVIDER names, and checks the variables that it needs. facts says whether a policy
// may read facts.
func openProvider(environ config.Environment, facts bool) (provider.Inventory, config.Problems, []string) {
	var choice struct {
		Name string `env:"PROVIDER"`
	}
	if problems := config.Parse(environ.Variables, &choice); len(problems) > 0 {
		return provider.Inventory{}, problems, nil
	}
	opened, warnings, err := provider.Open(choice.Name, environ.Variables, facts)
	problems := problemsOf(err)
	if provider.MakesRequests(choice.Name) {
		problems = append(problems, environ.Network()...)
	}
	warnings = slices.DeleteFunc(warnings, environ.Meant)
	return opened, problems, append(provider.Unused(choice.Name, environ.Variables), warnings...)
}

// Policies are the names of the policies of the policy file, in order; none without a policy file.
func (i *Inventory) Policies() []string {
	if i.current.file == nil {
		return nil
	}
	return i.current.policyNames()
}

// gate returns that of a policy; without a policy file the name is empty.
func (i *Inventory) gate(policy string) *posture.Gate { return i.current.gates[policy] }

// Provider is the name of the provider, without a policy file.
func (i *Inventory) Provider() string { return i.current.inventories[0].Kind }

// TypeOf returns the type of device that q asks for, or the default of the policy.
func (i *Inventory) TypeOf(policy string, q posture.Query) posture.DeviceType {
	return i.gate(policy).TypeOf(q)
}

// Decide makes the decision that the webhook would make about a device. e gets what the inventories said.
func (i *Inventory) Decide(ctx context.Context, policy string, q posture.Query, e *posture.Evidence) (posture.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, webhook.Budget)
	defer cancel()
	e.Now = cmp.Or(e.Now, time.Now())
	return i.gate(policy).Decide(ctx, q, e)
}
