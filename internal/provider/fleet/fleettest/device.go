package fleettest

import (
	"cmp"
	"encoding/json"
	"maps"
	"strconv"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// Device is one host of the inventory.
type Device struct {
	// ID is given by the server where it is 0.
	ID     uint64 `json:"id,omitempty"`
	Serial string `json:"serial"`
	// Hostname and ComputerName are chosen by the user of the computer, and are searched too.
	Hostname     string `json:"hostname,omitempty"`
	ComputerName string `json:"computer_name,omitempty"`
	UUID         string `json:"uuid,omitempty"`
	Model        string `json:"model,omitempty"`
	// Platform is by default darwin, and OSVersion "macOS 15.5".
	Platform  string `json:"platform,omitempty"`
	OSVersion string `json:"os_version,omitempty"`
	IP        string `json:"ip,omitempty"`
	// EnrollmentStatus is that of the MDM; by default null, as of a host that has none.
	EnrollmentStatus string `json:"enrollment_status,omitempty"`
	// OtherMDM says that the host is enrolled in the MDM of another vendor.
	OtherMDM bool `json:"other_mdm,omitempty"`
	// Seen and Updated are how long ago osquery was heard of, and the details were updated; in nanoseconds where a Device is
	// written as JSON. Never has the time that Fleet writes for both where nothing ever was.
	Seen    time.Duration `json:"seen,omitempty"`
	Updated time.Duration `json:"updated,omitempty"`
	Never   bool          `json:"never,omitempty"`
	// Team is the name of its team; empty is none.
	Team   string   `json:"team,omitempty"`
	Labels []string `json:"labels,omitempty"`
	// BuiltIn are the labels that Fleet itself makes.
	BuiltIn  []string  `json:"built_in,omitempty"`
	Policies []Policy  `json:"policies,omitempty"`
	EndUsers []EndUser `json:"end_users,omitempty"`
	// Encrypted is left out where it is nil.
	Encrypted *bool `json:"encrypted,omitempty"`
	// Broken makes its ID a text, which no record has.
	Broken bool `json:"broken,omitempty"`

	// Members replace members of the host wherever it is sent, Details those of the host by its ID; nil leaves one out.
	Members map[string]json.RawMessage `json:"members,omitempty"`
	Details map[string]json.RawMessage `json:"details,omitempty"`
}

// Policy is the answer of a host to a policy.
type Policy struct {
	Name string `json:"name"`
	// Response is pass, fail, or empty where the policy has not run.
	Response string `json:"response"`
	Critical bool   `json:"critical,omitempty"`
}

// EndUser is a user as the identity provider describes it.
type EndUser struct {
	Username    string   `json:"idp_username,omitempty"`
	FullName    string   `json:"idp_full_name,omitempty"`
	Department  string   `json:"idp_department,omitempty"`
	Groups      []string `json:"idp_groups,omitempty"`
	OtherEmails []Email  `json:"other_emails,omitempty"`
}

// Email is an address that is no user name.
type Email struct {
	Email  string `json:"email"`
	Source string `json:"source"`
}

// never is what Fleet writes where something has never happened.
const never = "2000-01-01T00:00:00Z"

// row is a host in a list.
func (d *Device) row(o *Options) map[string]any {
	at := func(ago time.Duration) any {
		if d.Never {
			return never
		}
		return o.Now().Add(-ago).UTC().Format(time.RFC3339)
	}
	row := map[string]any{
		"id": d.ID, "hostname": d.Hostname, "computer_name": d.ComputerName, "uuid": d.UUID,
		"display_name": cmp.Or(d.ComputerName, d.Hostname, d.Model+" ("+d.Serial+")"), "display_text": d.Hostname,
		"hardware_serial": d.Serial, "hardware_model": d.Model, "hardware_vendor": "Apple Inc.",
		"platform": cmp.Or(d.Platform, "darwin"), "os_version": cmp.Or(d.OSVersion, "macOS 15.5"), "status": "online",
		"seen_time": at(d.Seen), "detail_updated_at": at(cmp.Or(d.Updated, d.Seen)), "last_enrolled_at": at(d.Seen + 720*time.Hour),
		"primary_ip": d.IP, "pack_stats": nil, "gigs_disk_space_available": 46.1,
		"issues": map[string]any{"failing_policies_count": 0, "total_issues_count": 0}, // stale, also where a policy fails
	}
	if d.Broken {
		row["id"] = strconv.FormatUint(d.ID, 10)
	}
	mdm := map[string]any{"enrollment_status": nil, "server_url": nil, "name": "", "encryption_key_available": false}
	if d.EnrollmentStatus != "" {
		mdm = map[string]any{
			"enrollment_status": d.EnrollmentStatus, "connected_to_fleet": !d.OtherMDM, "server_url": "https://mdm.example.com/mdm",
			"name": "Fleet", "encryption_key_available": true,
		}
		if d.OtherMDM {
			mdm["name"] = "Jamf"
		}
	}
	row["mdm"] = mdm
	team := map[string]any{"id": nil, "name": nil}
	if d.Team != "" {
		team = map[string]any{"id": len(d.Team), "name": d.Team}
	}
	if !o.NewNames {
		row["team_id"], row["team_name"] = team["id"], team["name"]
	}
	if !o.OldNames {
		row["fleet_id"], row["fleet_name"] = team["id"], team["name"]
	}
	replace(row, d.Members)
	return row
}

// whole is a host by its ID.
func (d *Device) whole(o *Options) map[string]any {
	host := d.row(o)
	labels, policies := []any{}, []any{}
	for i, name := range append(append([]string{}, d.BuiltIn...), d.Labels...) {
		kind := "regular"
		if i < len(d.BuiltIn) {
			kind = "builtin"
		}
		labels = append(labels, map[string]any{"id": i + 1, "name": name, "label_type": kind, "query": "SELECT 1;"})
	}
	for i, p := range d.Policies {
		policies = append(policies, map[string]any{
			"id": i + 1, "name": p.Name, "critical": p.Critical, "response": p.Response, "description": vendortest.Marker,
		})
	}
	maps.Copy(host, map[string]any{
		"labels": labels, "policies": policies, "packs": []any{}, "batteries": nil,
		// The local accounts of the machine, which are not its user.
		"users": []any{map[string]any{"uid": 501, "username": "localadmin", "groupname": "staff", "shell": "/bin/zsh"}},
	})
	if d.EndUsers != nil {
		host["end_users"] = d.EndUsers
	}
	if d.Encrypted != nil {
		host["disk_encryption_enabled"] = *d.Encrypted
	}
	if mdm, ok := host["mdm"].(map[string]any); ok {
		mdm["device_status"], mdm["pending_action"] = "unlocked", ""
	}
	replace(host, d.Members)
	replace(host, d.Details)
	return host
}

// replace replaces members, and leaves out those that are nil.
func replace(host map[string]any, members map[string]json.RawMessage) {
	for name, value := range members {
		if value == nil {
			delete(host, name)
		} else {
			host[name] = value
		}
	}
}
