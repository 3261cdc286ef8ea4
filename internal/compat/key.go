package compat

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/enroll"
)

// client is the name under which tokens are issued here.
const client = "mdmsecuritydemo"

// issue answers with a new key: an enrolment token for the UDID, with the lifetime of the policy. As in dynamicacme no inventory
// is asked: the webhook asks when the key is used.
func (h *Handler) issue(r *http.Request, escaped string, event *Event) (answer, *problem) {
	udid, err := url.PathUnescape(escaped)
	if err != nil {
		return answer{}, malformed("the UDID in the path: an escape is wrong")
	}
	event.UDID = audit.Clean(udid, maxShown)
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		// enrollhandler writes UDIDs into the path unescaped. The key would be for the part before the question mark.
		return answer{}, malformed("the path has a query, which belongs to a UDID perhaps")
	}
	rule := h.Rule()
	if rule == nil { // fail closed: nobody would ask for the key
		return answer{}, unavailable(errors.New("the policy requires no token, so no keys are issued"))
	}
	text, token, err := h.Tokens.Issue(r.Context(), rule, enroll.Wanted{UDID: udid, Client: client})
	var refused *enroll.Refused
	switch {
	case errors.As(err, &refused):
		return answer{}, malformed("%w", refused)
	case errors.Is(err, enroll.ErrTooMany):
		return answer{}, problemf(http.StatusTooManyRequests, codeTooMany, "%w", err)
	case err != nil:
		return answer{}, unavailable(err)
	}
	event.Policy, event.TokenID = rule.Policy, token.ID
	// A token has letters, digits, hyphens and underscores, which JSON and the XML of a profile take as they are.
	return answer{http.StatusOK, "application/json", fmt.Appendf(nil, "{\"key\":%q}\n", text)}, nil
}
