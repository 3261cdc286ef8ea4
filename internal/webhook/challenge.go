package webhook

import (
	"context"
	"slices"

	"step-posture-connector/internal/certname"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
)

// askSCEPChallenge takes the identifier from the token that the challenge is. The CSR must name the same device, and without
// the policy's permission no other one.
func askSCEPChallenge(ctx context.Context, c *exchange) (posture.Identifier, *Problem) {
	var none posture.Identifier
	challenge := c.parts.challenge
	if challenge == nil || *challenge == "" {
		return none, problemf(codeTokenInvalid, "the request has no challenge; a renewal by SCEP needs one too, for nothing authenticates it")
	}
	if c.rule() == nil { // cannot happen: such a policy file is refused. Fail closed
		return none, problemf(codeTokenInvalid, "the policy requires no token, so that no challenge was issued")
	}
	c.describe(true)
	c.request.Kind = posture.Challenging
	csr, p := c.readCSR()
	if p != nil {
		return none, p
	}
	udids := udidsIn(csr, c.rule())
	var id posture.Identifier
	p = c.show(ctx, *challenge, func(t *enroll.Token) (err error) {
		if t.Identifier == "" {
			return &enroll.Invalid{ID: t.ID, Reason: "the challenge has no identifier, only a UDID; issue it with an identifier"}
		}
		if id, err = posture.ParseRequested(t.Identifier); err != nil {
			return &enroll.Invalid{ID: t.ID, Reason: "the identifier of the challenge cannot be looked up"}
		}
		return t.MatchesRequest(c.rule(), id, udids)
	})
	if p != nil {
		return none, p
	}
	return id, c.namesOnly(id)
}

// askChallenged is the device whose challenge was redeemed with this key. A CSR must carry that challenge.
func (c *exchange) askChallenged(ctx context.Context) (posture.Identifier, *Problem) {
	var none posture.Identifier
	if c.rule() == nil || c.parts.ssh != nil {
		return none, problemf(codeTokenInvalid, "the webhook has no identify, and its policy requires no token")
	}
	tokens, p := c.boundTokens(ctx)
	if p != nil {
		return none, p
	}
	if c.body.X509CertificateRequest != nil {
		challenge, ok := challengePassword(c.body.X509CertificateRequest.Raw)
		if !ok {
			return none, problemf(codeTokenInvalid, "the CSR has not exactly one challengePassword")
		}
		c.event.Hide(challenge)
		hash := enroll.HashOf(challenge)
		tokens = slices.DeleteFunc(tokens, func(t enroll.Token) bool { return t.Hash != hash })
		if len(tokens) == 0 {
			return none, problemf(codeTokenInvalid, "the challengePassword of the CSR is not the challenge that was redeemed with its key")
		}
	}
	c.event.TokenID = tokens[0].ID
	id, err := deviceOf(tokens)
	if err != nil {
		return none, c.tokenProblem(err)
	}
	if c.body.X509CertificateRequest != nil {
		if p := c.namesOnly(id); p != nil {
			return none, p
		}
	}
	return id, c.presentKey(tokens)
}

// namesOnly refuses a CSR that names another device than the one of its challenge: nothing attests a name in a CSR of SCEP.
func (c *exchange) namesOnly(id posture.Identifier) *Problem {
	refuse := func(what string) *Problem {
		return problemf(codeTokenInvalid, "%s is not the identifier %q of the challenge", what, id)
	}
	csr, p := c.readCSR()
	if p != nil {
		return p
	}
	names, p := c.body.X509CertificateRequest.names()
	if p != nil {
		return p
	}
	is := func(text string) bool { return text == id.String() }
	serials := certname.SerialNumbers(csr.Subject)
	for _, serial := range serials {
		if !is(serial) {
			return refuse("a serialNumber in the subject of the CSR")
		}
	}
	for _, name := range names.permanentIdentifiers {
		if !is(name) {
			return refuse("a permanentIdentifier in the CSR")
		}
	}
	all := c.request.Names
	switch {
	case all == nil:
		return problemf(codeTokenInvalid, "the CSR has a name that cannot be read")
	case !slices.ContainsFunc(all, is) && !slices.ContainsFunc(serials, is):
		return problemf(codeTokenInvalid, "no common name, serialNumber or alternative name of the CSR is the identifier %q of the challenge", id)
	case c.rule().OtherNames:
		return nil
	}
	for _, name := range all {
		if !is(name) {
			return problemf(codeTokenInvalid, "the CSR has the name %q beside the identifier of its challenge; scep: {other_names: true} lets rules decide about others", name)
		}
	}
	return nil
}
