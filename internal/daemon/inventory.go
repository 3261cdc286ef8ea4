package daemon

import (
	"context"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/webhook"
)

// Inventory is a provider with the policy that its configuration asks for: all that a decision needs.
type Inventory struct {
	// Warnings are what is accepted but probably not meant.
	Warnings []string

	decider posture.Decider
}

// LoadProvider loads and validates PROVIDER and the variables of that provider, and opens it. What only
// the listener needs is not read: an administrator can ask the inventory on a machine that has neither
// the certificate nor the secrets of the webhooks. Its error has one line for each thing that is wrong.
func LoadProvider(environ map[string]string) (*Inventory, error) {
	name := environ["PROVIDER"]
	unknown := config.Unknown(environ, variables())
	decider, warnings, err := provider.Open(name, environ)
	if err != nil {
		return nil, &broken{describe(err), unknown}
	}
	return &Inventory{Warnings: append(unknown, warnings...), decider: decider}, nil
}

// variables are all variables of the connector.
func variables() []string { return append(config.Names[config.Config](), provider.Variables()...) }

// Provider is the name of the provider.
func (i *Inventory) Provider() string { return i.decider.Name }

// TypeOf is the type of device that q is understood to ask for.
func (i *Inventory) TypeOf(q posture.Query) posture.DeviceType { return i.decider.TypeOf(q) }

// Decide makes the decision that the webhook would make about a device.
func (i *Inventory) Decide(ctx context.Context, q posture.Query) (posture.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, webhook.Budget)
	defer cancel()
	return i.decider.Decide(ctx, q) //nolint:wrapcheck // the error says what it is about
}
