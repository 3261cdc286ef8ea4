package fleet

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorjson"
)

// teamPrefix is in front of the name of a team among groups.
const teamPrefix = "team:"

// groups are the names of labels, and the name of the team, alone and behind teamPrefix, where no label can have it.
//
// Fail closed: where one of them cannot be read, all are unknown, because a rule may refuse members. So they are where a label
// has the name of a team, which who may make labels could choose.
func (h *host) groups() posture.Fact[[]string] {
	if !h.Labels.Known {
		return posture.Fact[[]string]{}
	}
	names := []string{}
	for _, l := range h.Labels.Values {
		name := l.Value.Name.Said()
		if name == "" || strings.HasPrefix(name, teamPrefix) {
			return posture.Fact[[]string]{}
		}
		names = append(names, name)
	}
	switch team, known := h.team(); {
	case !known:
		return posture.Fact[[]string]{}
	case team != "":
		names = append(names, team, teamPrefix+team)
	}
	return posture.Known(names)
}

// team is the name of the team, or "" of a host that is in none. It is not known where the record says neither.
func (h *host) team() (name string, known bool) {
	one, other := h.TeamName.Said(), h.FleetName.Said()
	switch {
	case one != "" && other != "" && one != other:
		return "", false
	case one != "" || other != "":
		return one + strings.TrimPrefix(other, one), true
	}
	none := func(t vendorjson.Text) bool { return t.Missing() || t.Kind == 'n' }
	said := !h.TeamID.Missing() || !h.FleetID.Missing() || !h.TeamName.Missing() || !h.FleetName.Missing()
	return "", said && none(h.TeamID) && none(h.FleetID) && none(h.TeamName) && none(h.FleetName)
}

// compliant is whether every policy of the host answers pass. One that has not run yet, whose answer is empty, has not passed.
// Fail closed: without policies, or with an answer that is no known word, it is unknown, unless another policy has failed.
func (h *host) compliant() posture.Fact[bool] {
	if !h.Policies.Known || len(h.Policies.Values) == 0 {
		return posture.Fact[bool]{}
	}
	all, unknown := true, false
	for _, p := range h.Policies.Values {
		switch response := p.Value.Response; {
		case p.Broken:
			unknown = true
		case response.Said() == "pass":
		case response.Said() == "fail", response.Kind == '"' && response.Any == "":
			all = false
		default:
			unknown = true
		}
	}
	if all && unknown {
		return posture.Fact[bool]{}
	}
	return posture.Known(all)
}

// attributes are the answers to policies, and what Fleet says of the MDM.
func (h *host) attributes() map[string]string {
	all := map[string]string{}
	for name, value := range map[string]vendorjson.Text{
		"mdm.enrollment_status": h.MDM.Value.EnrollmentStatus, "mdm.name": h.MDM.Value.Name, "mdm.connected_to_fleet": h.MDM.Value.ConnectedToFleet,
		"mdm.device_status": h.MDM.Value.DeviceStatus, "mdm.pending_action": h.MDM.Value.PendingAction,
	} {
		if value.Any != "" {
			all[name] = value.Any
		}
	}
	seen := map[string]bool{}
	for _, p := range h.Policies.Values {
		name, response := "policy:"+p.Value.Name.Said(), p.Value.Response.Said()
		// Fail closed: a global policy and one of the team may have the same name, and only one of them may have passed.
		if seen[name] || response != "pass" && response != "fail" {
			delete(all, name)
		} else {
			all[name] = response
		}
		seen[name] = true
	}
	if u, one := h.endUser(); one && u.Groups.Known {
		if text := u.groups(); text != "" {
			all["user.idp_groups"] = text
		}
	}
	return all
}

// endUser is a user as the identity provider describes it.
type endUser struct {
	Username    vendorjson.Text       `json:"idp_username"`
	FullName    vendorjson.Text       `json:"idp_full_name"`
	Department  vendorjson.Text       `json:"idp_department"`
	Groups      list[vendorjson.Text] `json:"idp_groups"`
	OtherEmails records[email]        `json:"other_emails"`
}

type email struct {
	Email vendorjson.Text `json:"email"`
}

// endUser returns the user of the device; false where it has none, or several: Fleet does not say which of them is the owner.
func (h *host) endUser() (endUser, bool) {
	if !h.EndUsers.Known || len(h.EndUsers.Values) != 1 || h.EndUsers.Values[0].Broken {
		return endUser{}, false
	}
	return h.EndUsers.Values[0].Value, true
}

func (h *host) user() posture.UserFacts {
	u, one := h.endUser()
	if !one {
		return posture.UserFacts{}
	}
	user := posture.UserFacts{Username: u.Username.Fact(), RealName: u.FullName.Fact(), Department: u.Department.Fact()}
	if strings.Contains(u.Username.Said(), "@") {
		user.EmailAddress = u.Username.Fact()
		return user
	}
	var addresses []string
	for _, e := range u.OtherEmails.Values {
		if address := e.Value.Email.Said(); !slices.Contains(addresses, address) {
			addresses = append(addresses, address)
		}
	}
	if len(addresses) == 1 {
		user.EmailAddress = posture.Text(addresses[0])
	}
	return user
}

// groups are the groups of the user as a JSON list; "" where one of them is no text.
func (u *endUser) groups() string {
	names := []string{}
	for _, g := range u.Groups.Values {
		if g.Said() == "" {
			return ""
		}
		names = append(names, g.Said())
	}
	text, err := json.Marshal(names)
	if err != nil {
		return ""
	}
	return string(text)
}
