package webhook

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
)

// ticket is what a request shows of enrolment tokens.
type ticket struct {
	key enroll.Key // of the order
	// token is the one that the request shows; only where shown is true, and it is redeemed last.
	token enroll.Token
	shown bool
	// redeemed says that an earlier request of the same key has redeemed one.
	redeemed bool
}

// rule is what the policy of the webhook requires of a token; nil requires none.
func (c *exchange) rule() *posture.TokenRequirement {
	if c.hook.Gate == nil {
		return nil
	}
	return c.hook.Gate.Policy.Token
}

// tokenProblem turns an error about a token into the answer. All that is wrong with a token gets the same code and message; the
// log says what it is.
func (c *exchange) tokenProblem(err error) *Problem {
	if invalid := (*enroll.Invalid)(nil); errors.As(err, &invalid) {
		c.event.TokenID = invalid.ID
		return &Problem{codeTokenInvalid, err}
	}
	// Fail closed: without the state database nobody can say whether the token was used.
	return &Problem{codeUnavailable, err}
}

// asking asks the state database. Where the client has no second try, a fault is tried again while there is time.
func (c *exchange) asking(ctx context.Context, ask func() error) *Problem {
	if c.tokens == nil {
		return problemf(codeUnavailable, "the policy requires an enrolment token, and there is no state database")
	}
	err := ask()
	invalid := (*enroll.Invalid)(nil)
	for pause := firstPause; err != nil && !errors.As(err, &invalid) && c.at.retries && wait(ctx, pause); pause *= 2 {
		err = ask()
	}
	if err != nil {
		return c.tokenProblem(err)
	}
	return nil
}

// present looks the token up that the request shows, if the policy requires one: a request with a CSR shows the token, one with
// the certificate that would be signed shows its key, which an earlier request has bound to a token.
func (c *exchange) present(ctx context.Context) *Problem {
	switch {
	case c.rule() == nil || c.ticket.shown || c.ticket.redeemed:
		return nil
	case c.body.X509CertificateRequest != nil:
		return c.presentToken(ctx)
	case c.body.X509Certificate != nil:
		tokens, p := c.boundTokens(ctx)
		if p != nil {
			return p
		}
		c.event.Hide(searchFor(tokens).find([]byte(c.id.String()))) // a template may have put it into the name that identifies
		own, err := enroll.BoundTo(tokens, c.id)
		if err != nil {
			return c.tokenProblem(err)
		}
		return c.presentKey(own)
	default:
		return problemf(codeTokenInvalid, "the policy requires an enrolment token, and an SSH certificate has no CSR that could carry one")
	}
}

// presentToken looks up the token in the subject of the CSR.
func (c *exchange) presentToken(ctx context.Context) *Problem {
	rule := c.rule()
	csr, p := c.readCSR()
	if p != nil {
		return p
	}
	texts, ok := subjectTexts(csr.RawSubject, rule.In)
	if !ok || len(texts) != 1 {
		return problemf(codeTokenInvalid, "the subject of the CSR has %d tokens in %s, want one UTF8String, PrintableString, T61String or IA5String", len(texts), rule.In)
	}
	udids := udidsIn(csr, rule)
	return c.show(ctx, texts[0], func(t *enroll.Token) error { return t.MatchesRequest(rule, c.id, udids) })
}

// udidsIn are the UDIDs in a CSR. Where one cannot be read there are none: no token for a UDID is redeemed then.
func udidsIn(csr *x509.CertificateRequest, rule *posture.TokenRequirement) []string {
	if rule.UDIDIn == "" {
		return nil
	}
	udids, ok := subjectTexts(csr.RawSubject, rule.UDIDIn)
	if !ok {
		return nil
	}
	return udids
}

// show looks up a token, which fits where it is for the device of the request.
func (c *exchange) show(ctx context.Context, text string, fits func(*enroll.Token) error) *Problem {
	c.event.Hide(text)
	return c.asking(ctx, func() error {
		t, err := c.tokens.Find(ctx, text, c.rule().Policy, c.ticket.key)
		if err == nil {
			err = fits(&t)
		}
		if err != nil {
			return err
		}
		c.ticket.token, c.ticket.shown = t, true
		c.event.TokenID = t.ID
		return nil
	})
}

// boundTokens are the usable tokens that the key of the order is bound to.
func (c *exchange) boundTokens(ctx context.Context) (tokens []enroll.Token, p *Problem) {
	if c.body.X509Certificate != nil {
		p = c.readKey()
	} else {
		_, p = c.readCSR()
	}
	if p != nil {
		return nil, p
	}
	p = c.asking(ctx, func() (err error) {
		tokens, err = c.tokens.Bound(ctx, c.rule().Policy, c.ticket.key)
		return err
	})
	if p != nil && p.Code == codeTokenInvalid && c.event.TokenID == "" {
		// The usual cause is not the client.
		missing := "add the ENRICHING webhook with the same policy, which sends the CSR with the token"
		if c.body.X509CertificateRequest != nil {
			missing = "no challenge was redeemed with the key of the CSR; add the SCEPCHALLENGE webhook with the same policy, or identify to this one if its clients do not speak SCEP"
		}
		p = problemf(codeTokenInvalid, "%w; %s", p.Err, missing)
	}
	return tokens, p
}

// presentKey accepts the tokens that the key is bound to, unless the certificate would show one of them.
func (c *exchange) presentKey(tokens []enroll.Token) *Problem {
	c.ticket.redeemed = true
	c.event.TokenID = tokens[0].ID
	if c.body.X509Certificate == nil {
		return nil
	}
	return c.hasNoToken(tokens)
}

// redeem binds the token to the key of the order. It is the last step.
func (c *exchange) redeem(ctx context.Context) *Problem {
	rule := c.rule()
	switch {
	case rule == nil || c.ticket.redeemed:
		return nil
	case !c.ticket.shown: // cannot happen: present refuses such a request. Fail closed
		return problemf(codeTokenInvalid, "the request shows no token")
	}
	if err := c.ticket.token.MatchesRecord(rule, c.event.Evidence); err != nil {
		return c.tokenProblem(err)
	}
	return c.asking(ctx, func() error { return c.tokens.Redeem(ctx, c.ticket.token, c.ticket.key, c.id) })
}

// readCSR parses the CSR, and notes its key.
func (c *exchange) readCSR() (*x509.CertificateRequest, *Problem) {
	csr, err := x509.ParseCertificateRequest(c.body.X509CertificateRequest.Raw)
	if err != nil {
		return nil, problemf(codeMalformed, "parse x509CertificateRequest.raw: %w", err)
	}
	if c.ticket.key, err = enroll.KeyOf(csr.PublicKey); err != nil {
		return nil, problemf(codeTokenInvalid, "the key of the CSR is of no type that a token can be bound to")
	}
	return csr, nil
}

// readKey notes the key of the certificate that would be signed.
func (c *exchange) readKey() *Problem {
	var der []byte
	if err := json.Unmarshal(c.body.X509Certificate.PublicKey, &der); err != nil || len(der) == 0 {
		return problemf(codeTokenInvalid, "x509Certificate.publicKey is missing, or is not base64")
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err == nil {
		c.ticket.key, err = enroll.KeyOf(public)
	}
	if err != nil {
		return problemf(codeTokenInvalid, "x509Certificate.publicKey is no key that a token can be bound to")
	}
	return nil
}

// deviceOf is the one device that has redeemed all of these tokens.
func deviceOf(tokens []enroll.Token) (posture.Identifier, error) {
	if slices.ContainsFunc(tokens, func(t enroll.Token) bool {
		return enroll.FoldIdentifier(t.BoundTo) != enroll.FoldIdentifier(tokens[0].BoundTo)
	}) {
		// Fail closed: it is not known which of them asks.
		return posture.Identifier{}, &enroll.Invalid{ID: tokens[0].ID, Reason: "the key is bound to tokens of different devices"}
	}
	return posture.ParseRequested(tokens[0].BoundTo)
}
