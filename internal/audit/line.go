package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// timeForm is RFC 3339 with six digits of the second, so that texts sort as times do.
const timeForm = "2006-01-02T15:04:05.000000Z07:00"

// line is an Event as the audit log has it. docs/logging.md describes the keys; a test compares.
type line struct {
	Time       string   `json:"time"`
	Reference  string   `json:"reference"`
	Decision   string   `json:"decision"`
	Code       string   `json:"code"`
	Reason     string   `json:"reason"`
	Identifier string   `json:"identifier"`
	Mode       string   `json:"mode"`
	Provider   string   `json:"provider"`
	WebhookID  string   `json:"webhook_id"`
	RequestID  string   `json:"request_id"`
	Groups     []string `json:"groups"`
	DurationMS float64  `json:"duration_ms"`
	TokenID    string   `json:"token_id,omitempty"`
	PublicKey  string   `json:"public_key_sha256,omitempty"`
	*policyPart
	*notificationPart
	*factsPart
}

// policyPart is what a line has only with a policy file. Policy is empty of a webhook that only notifies.
type policyPart struct {
	Policy    string   `json:"policy"`
	Inventory string   `json:"inventory"`
	Caller    string   `json:"caller"`
	Door      string   `json:"door"`
	NAS       string   `json:"nas,omitempty"`
	VLAN      string   `json:"vlan,omitempty"`
	Unmet     []string `json:"unmet"`
	WouldDeny []string `json:"would_deny"`
	// SnapshotAge is in seconds; nil where all answers are the inventories' own.
	SnapshotAge *int `json:"snapshot_age,omitempty"`
}

// notificationPart is what only a line about a notification has.
type notificationPart struct {
	Event         string `json:"event"`
	Result        string `json:"result"`
	TransactionID string `json:"transaction_id"`
	SerialNumber  string `json:"serial_number"`
}

// factsPart is what a line has only where facts are recorded. They are null if no inventory was asked.
type factsPart struct {
	Facts json.RawMessage `json:"facts"`
}

func (e *Event) line(facts *vocabulary) line {
	l := line{
		Time:       e.Time.UTC().Format(timeForm),
		Reference:  e.Reference,
		Decision:   e.decision(),
		Code:       e.Code,
		Reason:     e.clean(e.Reason, maxReason),
		Identifier: e.clean(e.Identifier, maxShown),
		Mode:       e.clean(e.Mode, maxShown),
		Provider:   e.Provider,
		WebhookID:  e.clean(e.WebhookID, maxShown),
		RequestID:  e.without(e.RequestID),
		Groups:     cleaned(e.Groups),
		TokenID:    e.TokenID,
		DurationMS: float64(e.Duration.Microseconds()) / float64(time.Millisecond/time.Microsecond),
	}
	if e.PublicKey != ([sha256.Size]byte{}) {
		l.PublicKey = hex.EncodeToString(e.PublicKey[:])
	}
	if e.Policy != "" || e.Door != "" { // a webhook that only notifies has no policy
		l.policyPart = &policyPart{
			Policy: e.Policy, Inventory: e.Inventory, Caller: e.clean(e.Caller, maxShown), Door: e.Door,
			NAS: e.clean(e.NAS, maxShown), VLAN: e.clean(e.VLAN, maxShown),
			Unmet: cleaned(e.Verdict.Unmet), WouldDeny: cleaned(e.Verdict.WouldDeny),
		}
		if age, recalled := e.snapshotAge(); recalled {
			l.SnapshotAge = &age
		}
	}
	if n := e.Notification; n != nil {
		l.notificationPart = &notificationPart{EventNotification, n.Result(), Clean(n.TransactionID, maxShown), n.SerialNumber}
	}
	if facts != nil {
		l.factsPart = &factsPart{facts.facts(e)}
	}
	return l
}

// cleaned returns the texts, fit for a log line; [] and not null for none.
func cleaned(texts []string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = Clean(text, maxReason)
	}
	return all
}

// noticeLine is a Notice as the audit log has it.
type noticeLine struct {
	Time          string `json:"time"`
	Reference     string `json:"reference,omitempty"`
	Event         string `json:"event"`
	User          string `json:"user"`
	RemoteAddress string `json:"remote_address"`
	Page          string `json:"page"`
	Identifier    string `json:"identifier"`
	Result        string `json:"result"`
}

func (n *Notice) line() noticeLine {
	return noticeLine{
		Time:          n.Time.UTC().Format(timeForm),
		Reference:     Clean(n.Reference, maxShown),
		Event:         n.Event,
		User:          Clean(n.User, maxShown),
		RemoteAddress: Clean(n.RemoteAddress, maxShown),
		Page:          Clean(n.Page, maxShown),
		Identifier:    Clean(n.Identifier, maxShown),
		Result:        Clean(n.Result, maxShown),
	}
}
