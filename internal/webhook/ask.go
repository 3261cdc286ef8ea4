package webhook

import (
	"context"

	"step-posture-connector/internal/posture"
)

// askIdentified evaluates the expression of the webhook. Without one, a SCEP challenge that was redeemed before says who asks.
func askIdentified(ctx context.Context, c *exchange) (posture.Identifier, *Problem) {
	var none posture.Identifier
	a := posture.X509
	if c.parts.ssh != nil {
		a = c.sshAccepts()
	}
	c.describe(true)
	identify := c.hook.Identify[a]
	if identify == nil {
		return c.askChallenged(ctx)
	}
	text, err := identify(c.request)
	if err != nil {
		return none, problemf(codeIdentifierMissing, "identify of the webhook gives no identifier: %w", err)
	}
	id, err := posture.ParseRequested(text)
	if err != nil {
		return none, problemf(codeIdentifierMissing, "identify of the webhook gives no identifier: %w", err)
	}
	return id, nil
}

// askAttested is the identifier that the CA attested, and the mode of the URL.
func askAttested(_ context.Context, c *exchange) (posture.Identifier, *Problem) {
	id, p := identify(c.body)
	if p != nil {
		return id, p
	}
	c.event.Identifier = id.String()
	if c.deviceType, p = mode(c.query); p != nil {
		return id, p
	}
	if c.hook.Gate.Policy.Rules != nil || c.hook.Gate.Record {
		c.describe(c.hook.Whole)
	}
	return id, nil
}

// describe fills in what rules may know of the request.
func (c *exchange) describe(whole bool) {
	c.body.describe(c.request, whole)
	parts := c.parts
	if parts == nil && whole {
		parts, _ = c.body.readParts() // what cannot be read is unknown
	}
	if parts != nil {
		parts.describe(c.request)
	}
	c.request.Door, c.request.Caller = door, c.hook.Name
}
