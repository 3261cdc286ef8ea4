package addigytest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Device is one record of the inventory. What is empty or nil is a fact that the record does not have.
type Device struct {
	// AgentID is given by the server where it is empty.
	AgentID string `json:"agent_id,omitempty"`
	Serial  string `json:"serial"`
	Name    string `json:"name,omitempty"`
	// Model is the device_model_name, such as "MacBook Pro (14-inch, 2023)"; HardwareModel is Apple's identifier, such as
	// "Mac15,3"; ProductName is often empty for Macs.
	Model         string `json:"model,omitempty"`
	HardwareModel string `json:"hardware_model,omitempty"`
	ProductName   string `json:"product_name,omitempty"`
	OSVersion     string `json:"os_version,omitempty"`
	// MacOSVersion is the mac_os_x_version, which only Macs have.
	MacOSVersion string `json:"mac_os_version,omitempty"`
	// LastOnline is the time as it is written; its fraction has any number of digits.
	LastOnline string `json:"last_online,omitempty"`
	Online     *bool  `json:"online,omitempty"`
	Compliant  *bool  `json:"compliant,omitempty"`
	FileVault  *bool  `json:"filevault,omitempty"`
	Supervised *bool  `json:"supervised,omitempty"`
	// PolicyID is one place in the tree of policies, Policies are all of them; nil is a record without the fact.
	PolicyID string   `json:"policy_id,omitempty"`
	Policies []string `json:"policies,omitempty"`
	// CurrentUser is who is logged in.
	CurrentUser  string `json:"current_user,omitempty"`
	AgentVersion string `json:"agent_version,omitempty"`
	// Facts replace the facts of the same identifiers, or are others.
	Facts map[string]Fact `json:"facts,omitempty"`
	// Broken says that the record has a text in place of its facts.
	Broken bool `json:"broken,omitempty"`
}

// Fact is a fact as Addigy writes it.
type Fact struct {
	Type     string `json:"type"`
	Value    any    `json:"value"`
	ErrorMsg string `json:"error_msg"`
}

// identifiers are the facts that can be asked for.
func identifiers() []string {
	return []string{
		"serial_number", "device_name", "device_model_name", "hardware_model", "product_name", "os_version", "mac_os_x_version",
		"last_online", "online", "is_compliant", "filevault_enabled", "is_supervised", "policy_id", "policy_ids", "current_user", "agent_version",
	}
}

// byDefault are the facts of an answer to a request that names none.
func byDefault() []string { return []string{"serial_number", "device_name", "agent_version"} }

// Replace makes the given records, and no others, the inventory. Several may have the same serial number.
func (s *Server) Replace(devices ...Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices = nil
	for _, d := range devices {
		if d.AgentID == "" {
			s.lastID++
			d.AgentID = fmt.Sprintf("agent-%06d", s.lastID)
		}
		s.devices = append(s.devices, d)
	}
	slices.SortStableFunc(s.devices, func(a, b Device) int { return cmp.Compare(a.Serial, b.Serial) })
}

// Change alters every record with the serial number.
func (s *Server) Change(serial string, change func(*Device)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.devices {
		if s.devices[i].Serial == serial {
			change(&s.devices[i])
		}
	}
}

// facts are those of a record.
func (d Device) facts() map[string]Fact {
	all := map[string]Fact{"serial_number": {"string", d.Serial, ""}}
	for identifier, text := range map[string]string{
		"device_name": d.Name, "device_model_name": d.Model, "hardware_model": d.HardwareModel, "os_version": d.OSVersion,
		"mac_os_x_version": d.MacOSVersion, "policy_id": d.PolicyID, "current_user": d.CurrentUser, "agent_version": d.AgentVersion,
	} {
		if text != "" {
			all[identifier] = Fact{"string", text, ""}
		}
	}
	all["product_name"] = Fact{"string", d.ProductName, ""} // empty for Macs
	if d.LastOnline != "" {
		all["last_online"] = Fact{"date", d.LastOnline, ""}
	}
	for identifier, truth := range map[string]*bool{
		"online": d.Online, "is_compliant": d.Compliant, "filevault_enabled": d.FileVault, "is_supervised": d.Supervised,
	} {
		if truth != nil {
			all[identifier] = Fact{"boolean", *truth, ""}
		}
	}
	if d.Policies != nil {
		all["policy_ids"] = Fact{"list", d.Policies, ""}
	}
	for identifier, fact := range d.Facts {
		all[identifier] = fact
	}
	return all
}

// item is a record as Addigy writes it, with the facts that were asked for.
func (d Device) item(desired []string) map[string]any {
	all, facts := d.facts(), map[string]Fact{}
	for _, identifier := range desired {
		if fact, has := all[identifier]; has {
			facts[identifier] = fact
		}
	}
	const audited = "2026-07-29T08:31:45.1Z"
	item := map[string]any{"orgid": "o-1", "agentid": d.AgentID, "audit_date": audited, "agent_audit_date": time.Time{}.Format(time.RFC3339), "facts": facts}
	if d.Broken {
		item["facts"] = "unavailable"
	}
	return item
}

// matches reports whether a record passes a filter.
func (d Device) matches(f filter, contains bool) bool {
	fact, has := d.facts()[f.AuditField]
	if !has {
		return false
	}
	is, want := textOf(fact.Value), textOf(f.Value)
	if contains {
		return strings.Contains(strings.ToUpper(is), strings.ToUpper(want))
	}
	return strings.EqualFold(is, want) // by the rules of Unicode, as databases may
}

func textOf(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}
