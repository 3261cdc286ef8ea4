package fleet

import (
	"context"
	"fmt"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
)

// absentSerial is in no name, serial number or UUID: one of zeros only would be.
const absentSerial = "STEP-POSTURE-CHECK"

// Check implements posture.Checker: it searches for a serial number that no device has, and asks for the role of the token's
// user.
func (p *Provider) Check(ctx context.Context) (found string, warnings []string, err error) {
	absent, err := posture.ParseIdentifier(absentSerial)
	if err != nil {
		return "", nil, fmt.Errorf("check: %w", err)
	}
	if _, err := p.search(ctx, absent); err != nil {
		return "", nil, p.Explain(err)
	}
	return "Fleet at " + p.Server(), p.roles(ctx), nil
}

// roles warns of a user that sees only some hosts, and of one that may do more than read.
//
// A host of another team is missing in searches, as if Fleet did not have it: nothing else than the role says so.
func (p *Provider) roles(ctx context.Context) []string {
	var answer struct {
		User vendorjson.Maybe[struct {
			Role vendorjson.Text `json:"global_role"`
		}] `json:"user"`
	}
	body, err := p.Get(ctx, meEndpoint, "/api/v1/fleet/me", nil)
	if err == nil {
		err = p.Decode(meEndpoint, "a user", body, &answer)
	}
	role := answer.User.Value.Role
	switch {
	case err != nil || answer.User.Kind != '{' || role.Missing():
		return []string{"the role of the user of FLEET_TOKEN is not known: if it is limited to teams, hosts of others are not found"}
	case role.Said() == "":
		return []string{"the user of FLEET_TOKEN has roles in teams only: hosts of other teams are not found; give it the role Observer for all teams"}
	case role.Said() != "observer":
		return []string{"the user of FLEET_TOKEN has another role than Observer, which is enough: it may do more than read hosts"}
	}
	return nil
}
