package journal

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
)

// Decision is an entry that was read, for people. A line that a later version has written may have more than is read here.
type Decision struct {
	ID        ID        `json:"-"`
	Time      time.Time `json:"time"` // when the request arrived
	Reference string    `json:"reference"`
	// Decision is allow or deny. It is empty where Event says what else the entry is about.
	Decision   string `json:"decision"`
	Event      string `json:"event"`
	Code       string `json:"code"`   // of the refusal or the fault; empty when allowed
	Reason     string `json:"reason"` // for the administrator
	Identifier string `json:"identifier"`
	Mode       string `json:"mode"`
	Provider   string `json:"provider"`
	// These are empty without a policy file.
	Policy    string `json:"policy"`
	Inventory string `json:"inventory"`
	Caller    string `json:"caller"`
	Door      string `json:"door"`

	NAS       string   `json:"nas"`
	VLAN      string   `json:"vlan"`
	WebhookID string   `json:"webhook_id"`
	RequestID string   `json:"request_id"`
	TokenID   string   `json:"token_id"`
	Groups    []string `json:"groups"` // required ones that the device is a member of
	Unmet     []string `json:"unmet"`
	WouldDeny []string `json:"would_deny"`
	// SnapshotAge is in seconds; nil where all answers are the inventories' own.
	SnapshotAge *int    `json:"snapshot_age"`
	DurationMS  float64 `json:"duration_ms"`
	// These are of a notification about a request by SCEP.
	Result        string `json:"result"`
	TransactionID string `json:"transaction_id"`
	SerialNumber  string `json:"serial_number"`

	Rules []Rule `json:"-"` // what each rule said, in their order
	Facts *Facts `json:"-"` // nil where no inventory was asked
}

var errLine = errors.New("the entry of the journal cannot be read: another version of the program, or something else, has written it")

// Parse reads what was found. With an error, the decision has its ID and its time, and what else could be read.
func Parse(f Found) (Decision, error) {
	type line struct {
		Decision

		FactsOf json.RawMessage `json:"facts"`
	}
	var read line
	err := json.Unmarshal(f.Line, &read)
	if len(f.Rules) > 0 {
		err = errors.Join(err, json.Unmarshal(f.Rules, &read.Rules))
	}
	if len(read.FactsOf) > 0 {
		facts, errFacts := ParseFacts(read.FactsOf)
		read.Facts, err = facts, errors.Join(err, errFacts)
	}
	d := read.Decision
	d.ID = f.ID
	if d.Time.IsZero() {
		d.Time = f.ID.Time()
	}
	if err != nil {
		return d, errLine // without what encoding/json says: it repeats parts of the line
	}
	return d, nil
}

// Allowed reports whether the device was allowed.
func (d *Decision) Allowed() bool { return d.Decision == "allow" }

// Advice is what the person at the device was told, and what an administrator can do. Both are empty where nothing was refused.
func (d *Decision) Advice() outcome.Text {
	if d.Decision == "" || d.Allowed() || d.Code == "" {
		return outcome.Text{}
	}
	for _, rule := range d.Rules {
		if rule.Code == d.Code && rule.Message != "" {
			return outcome.Rule(rule.Message)
		}
	}
	code := posture.Code(d.Code)
	if !slices.Contains(outcome.Codes(), code) {
		return outcome.Rule("") // a rule's, which the entry does not have
	}
	return outcome.Of(code)
}
