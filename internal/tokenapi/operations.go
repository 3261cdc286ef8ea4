package tokenapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
)

// issue answers with a new token.
func (h *Handler) issue(ctx context.Context, x *exchange) (answer, *problem) {
	if x.query != "" {
		return answer{}, malformed("there is a query; accepted is none")
	}
	o, p := decode(x.body)
	if p != nil {
		return answer{}, p
	}
	wanted := enroll.Wanted{Identifier: value(o.Identifier), UDID: value(o.UDID), Client: x.client.name}
	x.event.Identifier, x.event.UDID = audit.Clean(wanted.Identifier, maxIdentifier), audit.Clean(wanted.UDID, maxIdentifier)
	rule := x.rule(x.client, value(o.Policy))
	if rule == nil {
		return answer{}, x.noSuchPolicy(o.Policy)
	}
	x.event.Policy = rule.Policy
	if o.Lifetime != nil {
		var err error
		if wanted.Lifetime, err = ParseLifetime(*o.Lifetime); err != nil {
			return answer{}, malformed("lifetime %w", err)
		}
	}
	text, t, err := h.Tokens.Issue(ctx, rule, wanted)
	var refused *enroll.Refused
	switch {
	case errors.As(err, &refused):
		return answer{}, malformed("%s", refused.Reason)
	case errors.Is(err, enroll.ErrTooMany):
		return answer{}, tooManyTokens(err)
	case err != nil:
		return answer{}, unavailable(err)
	}
	x.event.TokenID = t.ID
	return success(http.StatusCreated, NewIssued(text, t))
}

// noSuchPolicy is the same for a policy that does not exist, one that has no tokens, and one of other clients.
func (x *exchange) noSuchPolicy(policy *string) *problem {
	own := "none: ask your administrator to list one in tokens.clients of the policy file"
	if names := x.issuable(x.client); len(names) > 0 {
		own = "one of " + strings.Join(names, ", ")
	}
	p := malformed("policy is none that this client may issue tokens for; accepted is %s", own)
	if policy == nil {
		p = malformed("there is no policy; accepted is %s", own)
	} else {
		p.cause = errors.New("the client may issue no tokens for the policy " + shown(*policy))
	}
	return p
}

// list answers with the tokens of the client's policies, the newest first.
func (h *Handler) list(ctx context.Context, x *exchange) (answer, *problem) {
	identifier, p := readIdentifier(x.query)
	if p != nil {
		return answer{}, p
	}
	filter := enroll.Filter{Policies: x.client.policies}
	if identifier != "" {
		x.event.Identifier = audit.Clean(identifier, maxIdentifier)
		id, err := posture.ParseRequested(identifier)
		if err != nil {
			return answer{}, malformed("the parameter identifier: %w", err)
		}
		filter.Identifier = id.Key()
	}
	if len(filter.Policies) == 0 { // to the store, no policies could mean all
		return success(http.StatusOK, NewList(nil, false))
	}
	tokens, more, err := h.Tokens.Store.List(ctx, filter)
	if err != nil {
		return answer{}, unavailable(err)
	}
	return success(http.StatusOK, NewList(tokens, more))
}

// revoke ends a token of the client's policies. It succeeds again for one that is revoked.
func (h *Handler) revoke(ctx context.Context, x *exchange) (answer, *problem) {
	if x.query != "" {
		return answer{}, malformed("there is a query; accepted is none")
	}
	if !isTokenID(x.id) || len(x.client.policies) == 0 { // to the store, no policies could mean all
		return answer{}, noSuchToken(enroll.ErrUnknown)
	}
	err := h.Tokens.Store.Revoke(ctx, x.id, slices.Clone(x.client.policies))
	switch {
	case errors.Is(err, enroll.ErrUnknown):
		return answer{}, noSuchToken(err)
	case err != nil:
		return answer{}, unavailable(err)
	}
	x.event.TokenID = x.id
	return answer{status: http.StatusNoContent}, nil
}

// isTokenID reports whether a part of a path can be the ID of a token: letters and digits. Any escape is none.
func isTokenID(text string) bool {
	return len(text) <= maxTokenID && !strings.ContainsFunc(text, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
