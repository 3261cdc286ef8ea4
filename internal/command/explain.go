package command

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/posture"
)

// explained is what lookup prints about a device with a policy file.
type explained struct {
	Decision    string           `json:"decision"`
	Code        posture.Code     `json:"code,omitempty"`
	Reason      string           `json:"reason,omitempty"`
	Error       string           `json:"error,omitempty"`
	Message     string           `json:"message,omitempty"`
	Identifier  string           `json:"identifier"`
	Policy      string           `json:"policy"`
	Webhook     string           `json:"webhook,omitempty"`
	Inventory   string           `json:"inventory,omitempty"`
	Provider    string           `json:"provider,omitempty"`
	Outcome     string           `json:"outcome,omitempty"` // the step of the outcome rule that decided about a sample
	Mode        string           `json:"mode,omitempty"`
	Record      *explainedRecord `json:"record,omitempty"`
	Inventories []askedInventory `json:"inventories"`
	Rules       []explainedRule  `json:"rules"`
	Unmet       []string         `json:"unmet,omitempty"`
	WouldDeny   []string         `json:"would_deny,omitempty"`
	Unknown     []string         `json:"unknown,omitempty"`
	Data        json.RawMessage  `json:"data,omitempty"`
	DataUnknown []string         `json:"data_unknown,omitempty"`
	Snapshot    *snapshotPart    `json:"snapshot,omitempty"`
	Notes       []string         `json:"notes,omitempty"`
	Warnings    []string         `json:"warnings,omitempty"`

	err       error
	device    *posture.Device
	modeGiven bool
	others    []string // policies that could have been chosen
}

// explainedRecord is the record that decides, with every fact that is known: "device" and "user" to their facts.
type explainedRecord struct {
	*record

	Facts map[string]map[string]any `json:"facts"`
}

// askedInventory is what one inventory of the policy said.
type askedInventory struct {
	Name     string `json:"name"`
	Provider string `json:"provider"`
	AlsoIn   bool   `json:"also_in,omitempty"` // it must know the device too
	Answer   string `json:"answer"`            // found, not found, failed, not needed
	Managed  *bool  `json:"managed,omitempty"`
	Error    string `json:"error,omitempty"`
}

// explainedRule is what one rule said.
type explainedRule struct {
	Name         string     `json:"name"`
	Result       string     `json:"result"` // met, unmet, unknown, does not apply
	Enforced     bool       `json:"enforced"`
	EnforcedFrom string     `json:"enforced_from,omitempty"` // a day to come
	Reads        []readFact `json:"reads"`
	Reason       string     `json:"reason,omitempty"`

	said string // for people: what it has read
}

// doesNotApply is the result of a rule whose condition is not met.
const doesNotApply = "does not apply"

// readFact is a fact that a rule has read; null where it is unknown.
type readFact struct {
	Fact  string `json:"fact"`
	Value any    `json:"value"`
}

// explainDevice asks about one device. What looks like a token is shortened: the output is copied into tickets.
func (o *lookupOptions) explainDevice(d asker, choice daemon.Choice, text string) explained {
	f := o.decideDevice(d, choice, text)
	f.Identifier, f.Reason, f.Error = posture.HideTokens(f.Identifier), posture.HideTokens(f.Reason), posture.HideTokens(f.Error)
	for i := range f.Inventories {
		f.Inventories[i].Error = posture.HideTokens(f.Inventories[i].Error)
	}
	return f
}

func (o *lookupOptions) decideDevice(d asker, choice daemon.Choice, text string) explained {
	f := explained{
		Decision: deny, Identifier: text, Policy: choice.Policy, Webhook: choice.Webhook, others: choice.Others, Warnings: d.warnings,
		Inventories: []askedInventory{}, Rules: []explainedRule{}, modeGiven: d.deviceType != "",
	}
	id, invalid := posture.ParseIdentifier(text)
	if invalid != nil { // the webhook refuses it without asking an inventory
		f.Code, f.Reason = posture.IdentifierInvalid, invalid.Error()
		return f
	}
	q := posture.Query{Identifier: id, Type: d.deviceType}
	x := d.explain(choice, q)
	f.Mode, f.Inventory = x.Evidence.Request.Mode, x.Evidence.Inventory
	f.Unmet, f.WouldDeny, f.Unknown = x.Verdict().Unmet, x.Verdict().WouldDeny, x.Verdict().Unknown
	switch {
	case x.Err != nil:
		f.err = fmt.Errorf("no decision: %w", x.Err)
		f.Decision, f.Error = noneMade, oneLine(f.err)
	case x.Allowed():
		f.Decision, f.Data, f.DataUnknown = allow, x.Data(), x.DataUnknown()
		if len(f.Data) == 0 {
			f.Data = json.RawMessage("{}")
		}
	}
	f.Code, f.Reason, f.Message = x.Code(), x.Reason(), x.Message
	for _, asked := range x.Inventories {
		f.Inventories = append(f.Inventories, inventoryOf(asked))
		if asked.Inventory == f.Inventory {
			f.Provider = asked.Kind
		}
	}
	if f.device = x.Evidence.Deciding; f.device != nil {
		f.Record = &explainedRecord{recordOf(*f.device), factsOf(f.device)}
	}
	for _, rule := range x.Rules {
		f.Rules = append(f.Rules, ruleOf(rule))
	}
	f.Snapshot, f.Notes = snapshotOf(x), notes(x.Rules)
	return f
}

func inventoryOf(asked daemon.Asked) askedInventory {
	a := askedInventory{Name: asked.Inventory, Provider: asked.Kind, AlsoIn: asked.AlsoIn}
	switch {
	case !asked.Answered:
		a.Answer = "not needed"
	case asked.Record != nil:
		a.Answer = "found"
		if managed, known := asked.Record.Facts.Managed.Get(); known {
			a.Managed = &managed
		}
	case asked.Failed():
		a.Answer, a.Error = "failed", asked.Err.Error()
	default:
		a.Answer, a.Error = "not found", asked.Err.Error()
	}
	return a
}

func ruleOf(rule daemon.Rule) explainedRule {
	r := explainedRule{Name: rule.Outcome.Rule, Enforced: rule.Enforced, Reason: rule.Reason, Reads: []readFact{}}
	var said []string
	for _, read := range rule.Reads {
		value := read.Value
		if name, ok := value.(string); ok {
			value = posture.HideTokens(name)
		}
		r.Reads = append(r.Reads, readFact{read.Path, value})
		said = append(said, read.Text)
	}
	r.said = strings.Join(said, ", ")
	switch {
	case !rule.Applies:
		r.Result = doesNotApply
	default:
		r.Result = rule.Result.String()
		// The reason says besides why an expression failed whose facts are known.
		if reason, cut := strings.CutPrefix(rule.Reason, "rule "+r.Name+" is "+r.Result+": "); cut {
			r.said = reason
		}
	}
	if !rule.From.IsZero() && !rule.ReportOnly {
		r.EnforcedFrom = rule.From.Format(time.DateOnly)
	}
	return r
}

// notes say where the webhook or the door may decide otherwise, because it knows more of its request.
func notes(rules []daemon.Rule) (notes []string) {
	for _, rule := range rules {
		var unknown []string
		for _, read := range rule.Reads {
			if strings.HasPrefix(read.Path, "request.") && !read.Known && !slices.Contains(unknown, read.Path) {
				unknown = append(unknown, read.Path)
			}
		}
		if len(unknown) > 0 {
			who := "webhook"
			if slices.ContainsFunc(unknown, func(path string) bool { return strings.HasPrefix(path, "request.radius.") }) {
				who = "door"
			}
			note := fmt.Sprintf("the rule %s reads %s, which only a request has: the %s may decide otherwise", rule.Outcome.Rule, strings.Join(unknown, ", "), who)
			if slices.Contains(unknown, "request.caller") {
				note += "; --webhook gives request.caller"
			}
			notes = append(notes, note)
		}
	}
	return notes
}

// factsOf are all known facts of a record.
func factsOf(d *posture.Device) map[string]map[string]any {
	facts := map[string]map[string]any{}
	for _, definition := range posture.Vocabulary() {
		value, known := definition.Get(d)
		if !known {
			continue
		}
		of, name, _ := strings.Cut(definition.Name, ".")
		if facts[of] == nil {
			facts[of] = map[string]any{}
		}
		facts[of][name] = plainFact(value)
	}
	return facts
}

// plainFact is a fact's value as rules and audit lines show it.
func plainFact(value any) any {
	switch v := value.(type) {
	case posture.Version:
		return v.String()
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	}
	return value
}
