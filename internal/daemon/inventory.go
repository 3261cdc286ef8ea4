package daemon

import (
	"context"
	"slices"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/webhook"
)

// Inventory is a provider with the policy that its configuration asks for: all that a decision needs.
type Inventory struct {
	// Warnings are about what is accepted but probably a mistake.
	Warnings []string

	decider posture.Decider
}

// LoadProvider loads and validates PROVIDER and the variables of that provider, and opens it. It does not read what only
// the listener needs: an administrator can ask the inventory on a machine that has neither the certificate nor the
// secrets of the webhooks. Its error has a line for each problem.
func LoadProvider(environ config.Environment) (*Inventory, error) {
	decider, problems, warnings := openProvider(environ)
	unknown := environ.Warnings(vocabulary())
	if len(problems) > 0 {
		return nil, refuse(problems, unknown, environ)
	}
	return &Inventory{Warnings: append(unknown, warnings...), decider: decider}, nil
}

// openProvider opens the provider that PROVIDER names, and checks the variables that it needs.
func openProvider(environ config.Environment) (posture.Decider, config.Problems, []string) {
	var choice struct {
		Name string `env:"PROVIDER"`
	}
	if problems := config.Parse(environ.Variables, &choice); len(problems) > 0 {
		return posture.Decider{}, problems, nil
	}
	decider, warnings, err := provider.Open(choice.Name, environ.Variables)
	problems := problemsOf(err)
	if provider.MakesRequests(choice.Name) {
		problems = append(problems, environ.Network()...)
	}
	warnings = slices.DeleteFunc(warnings, environ.Meant)
	return decider, problems, append(provider.Unused(choice.Name, environ.Variables), warnings...)
}

// Provider is the name of the provider.
func (i *Inventory) Provider() string { return i.decider.Name }

// TypeOf returns the type of device that q asks for, or the default of the provider.
func (i *Inventory) TypeOf(q posture.Query) posture.DeviceType { return i.decider.TypeOf(q) }

// Decide makes the decision that the webhook would make about a device.
func (i *Inventory) Decide(ctx context.Context, q posture.Query) (posture.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, webhook.Budget)
	defer cancel()
	return i.decider.Decide(ctx, q)
}
