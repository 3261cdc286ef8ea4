package access

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"step-posture-connector/internal/audit"
)

// claims are those of an ID token that are read, beside the groups.
type claims struct {
	AuthorizedParty string `json:"azp"`
	UserName        string `json:"preferred_username"`
	Email           string `json:"email"`
}

// admit judges an ID token whose signature, issuer, audience and times are good.
func (p *Provider) admit(token *oidc.IDToken, l login) (person string, err error) {
	var c claims
	var all map[string]json.RawMessage
	if token.Claims(&c) != nil || token.Claims(&all) != nil {
		return "", refusedBy("ID token: its claims cannot be read")
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(l.nonce)) != 1 {
		return "", refusedBy("ID token: it is not of this log-in: the nonce is another")
	}
	// OpenID Connect Core 1.0 section 3.1.3.7: who else the token is for could use it here.
	if c.AuthorizedParty != "" && c.AuthorizedParty != p.s.ClientID || c.AuthorizedParty == "" && len(token.Audience) > 1 {
		return "", refusedBy("ID token: it was issued to another client")
	}
	if token.Subject == "" || token.IssuedAt.After(p.s.Now().Add(providerTimeout*60)) {
		return "", refusedBy("ID token: it has no subject, or is of the future")
	}
	person = nameOf(c, token.Subject)
	groups, reason := groupsOf(all, p.s.GroupsClaim)
	switch {
	case reason != "":
		return person, &notAdmitted{"The OpenID provider does not say in which groups you are. Tell your administrator.", "ID token: " + reason}
	case !slices.Contains(groups, p.s.Group):
		return person, &notAdmitted{"You are not in the group whose members may see this page.", fmt.Sprintf("ID token: the claim %s does not have the group %q", p.s.GroupsClaim, p.s.Group)}
	}
	return person, nil
}

// nameOf is the name of a person, with the provider before it: nobody in the file of users has a colon in the name.
func nameOf(c claims, subject string) string {
	for _, name := range []string{c.UserName, c.Email, subject} {
		if name = strings.TrimSpace(name); name != "" {
			return string(OIDC) + ":" + audit.Clean(name, maxName)
		}
	}
	return string(OIDC) + ":?"
}

// groupsOf reads the groups of a person: a text, or a list of texts. The reason says why they are not known.
func groupsOf(all map[string]json.RawMessage, claim string) (groups []string, reason string) {
	raw, found := all[claim]
	if !found {
		// OpenID Connect Core 1.0 section 5.6.2; Microsoft leaves the groups out where a person is in more than 200:
		// https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference
		var elsewhere map[string]json.RawMessage
		if json.Unmarshal(all["_claim_names"], &elsewhere) == nil && elsewhere[claim] != nil || string(all["hasgroups"]) == "true" {
			return nil, "the person is in too many groups, so that the provider left the claim " + claim + " out; have it send only the groups that are assigned to the application"
		}
		return nil, "there is no claim " + claim + "; have the provider add the groups of a person, or set CONSOLE_OIDC_GROUPS_CLAIM to the claim that has them"
	}
	var single string
	if json.Unmarshal(raw, &single) == nil && string(raw) != "null" {
		return []string{single}, ""
	}
	var several []string
	if err := json.Unmarshal(raw, &several); err != nil || several == nil || len(several) > maxGroups {
		return nil, "the claim " + claim + " is neither a text nor a list of texts"
	}
	return several, ""
}
