package webhook

import (
	"errors"

	"step-posture-connector/internal/posture"
)

var errNoIdentify = errors.New("nothing redeems enrolment tokens yet, and the webhook has no identify")

// askIdentified evaluates the expression of the webhook.
func askIdentified(c *exchange) (posture.Identifier, *Problem) {
	var none posture.Identifier
	a := posture.X509
	if c.parts.ssh != nil {
		a = c.sshAccepts()
	}
	c.describe(true)
	identify := c.hook.Identify[a]
	if identify == nil {
		return none, &Problem{codeTokenInvalid, errNoIdentify}
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

// askSCEPChallenge refuses every challenge: none can be made yet. An absent one, which every renewal by SCEP has, says nothing
// about who asks.
func askSCEPChallenge(c *exchange) (posture.Identifier, *Problem) {
	if c.parts.challenge == nil || *c.parts.challenge == "" {
		return posture.Identifier{}, problemf(codeTokenInvalid, "the request has no challenge; a renewal by SCEP needs one too, for nothing authenticates it")
	}
	return posture.Identifier{}, problemf(codeTokenInvalid, "no challenge was made with this text")
}

// askAttested is the identifier that the CA attested, and the mode of the URL.
func askAttested(c *exchange) (posture.Identifier, *Problem) {
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
