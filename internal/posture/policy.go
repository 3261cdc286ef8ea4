package posture

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Requirements are what the configuration of an inventory itself requires of the devices that it knows.
// The zero Requirements require only that the device is managed.
type Requirements struct {
	// Groups names, for a device type, the group that devices of that type must be a
	// member of. Names are compared byte for byte.
	Groups map[DeviceType]string
	// AllowUnmanaged lets a record pass that the inventory keeps but no longer manages.
	AllowUnmanaged bool
	// Compliant requires that the inventory itself says that the device is compliant.
	Compliant bool
}

// RequiredGroup makes Requirements.Groups of one group for devices of all types; "" requires none.
func RequiredGroup(name string) map[DeviceType]string { return RequiredGroups(name, name) }

// Facts are those that the requirements read, besides whether the device is managed.
func (r Requirements) Facts() (facts FactSet) {
	if len(r.Groups) > 0 {
		facts |= MustFacts("device.groups")
	}
	if r.Compliant {
		facts |= MustFacts("device.compliant")
	}
	return facts
}

// RequiredGroups makes Requirements.Groups of a group for computers and a group for mobile devices; "" requires none.
func RequiredGroups(computers, mobileDevices string) map[DeviceType]string {
	groups := map[DeviceType]string{}
	for of, group := range map[DeviceType]string{Computer: computers, MobileDevice: mobileDevices} {
		if group != "" {
			groups[of] = group
		}
	}
	return groups
}

// Policy decides about a device that the inventories have answered about. The zero Policy requires only that the device
// is managed.
type Policy struct {
	// Name is empty without a policy file.
	Name string
	// Requirements are those of the inventories, by name.
	Requirements map[string]Requirements
	// AlsoIn names the inventories that must know the device besides the one that decides.
	AlsoIn []string
	// AllowUnmanaged lets the records of all inventories pass that they do not manage.
	AllowUnmanaged bool
	// ReportOnly makes a required group a report: it refuses nothing.
	ReportOnly bool
	// Rules are those of a policy file, or nil.
	Rules Rules
	// Token is what is required of an order's enrolment token; nil requires none. The caller redeems it last, after Authorize.
	Token *TokenRequirement
}

// Rules are the rules and the data of a policy file.
type Rules interface {
	// Evaluate evaluates every rule. It only reads: a rule can refuse, never allow.
	Evaluate(e *Evidence) Verdict
	// Render makes the data for the certificate; nil means the inventory's own. Unknown names the members that could
	// not be evaluated. With an error the device is refused.
	Render(e *Evidence) (data json.RawMessage, unknown []string, err error)
}

// Result is what a rule says about a request.
type Result int

// The results of a rule. The zero Result is not met.
const (
	Unknown Result = iota // it cannot be evaluated: a fact that it needs is unknown
	Unmet
	Met
)

// String returns the word for logs and metrics.
func (r Result) String() string { return [...]string{"unknown", "unmet", "met"}[r] }

// Outcome is what one rule said about a request.
type Outcome struct {
	Rule   string
	Result Result
	// Applies is false where the rule's condition is unmet; the rule then says nothing.
	Applies bool
	// Enforced says that the outcome refuses the device unless it is met.
	Enforced bool
	// Code and Message are the refusal's. The message is for the person at the device.
	Code    Code
	Message string
	// Reason is for the administrator, and empty where the rule is met.
	Reason string
}

// Refuses reports whether the outcome refuses the device.
func (o Outcome) Refuses() bool { return o.Applies && o.Enforced && o.Result != Met }

// Verdict is what all rules of a policy said about a request.
type Verdict struct {
	// Outcomes are those of all rules, in their order.
	Outcomes []Outcome
	// Unmet are the enforced rules that are not met, WouldDeny those that only report, and Unknown those of both that
	// are unknown: names, in the order of the policy.
	Unmet, WouldDeny, Unknown []string
}

// refusal is the first outcome that refuses; nil means that no rule refuses.
func (v *Verdict) refusal() *Outcome {
	for i := range v.Outcomes {
		if o := &v.Outcomes[i]; o.Refuses() {
			return o
		}
	}
	return nil
}

// explain adds to a reason that of each rule that is not met, also of one that only reports.
func (v *Verdict) explain(reason string) string {
	var reasons []string
	if reason != "" {
		reasons = append(reasons, reason)
	}
	for i := range v.Outcomes {
		if o := &v.Outcomes[i]; o.Applies && o.Result != Met {
			reasons = append(reasons, o.Reason)
		}
	}
	return strings.Join(reasons, "; ")
}

// Authorize decides about the device of e.Deciding. It is the only maker of a Decision that allows. The order is: the other
// inventories that must know the device, managed, required groups, rules, data. Rules are evaluated always: an
// administrator sees all that are not met, not only the first.
func (p Policy) Authorize(e *Evidence) Decision {
	var verdict Verdict
	if p.Rules != nil {
		verdict = p.Rules.Evaluate(e)
	}
	decision := p.judge(e, &verdict)
	if len(verdict.Outcomes) > 0 {
		decision.reason = verdict.explain(decision.reason)
	}
	decision.verdict, decision.device = verdict, e.Deciding
	return decision
}

func (p Policy) judge(e *Evidence, verdict *Verdict) Decision {
	others := make([]Answer, len(p.AlsoIn))
	for i, name := range p.AlsoIn {
		others[i] = e.Answer(name)
		if refusal, refused := alsoIn(others[i]); refused {
			return refusal
		}
	}
	// Fail closed: a record that does not say it is managed is not.
	if managed, _ := e.Deciding.Facts.Managed.Get(); !managed && !p.allowsUnmanaged(e.Inventory) {
		return deny(DeviceNotManaged, inventoryNamed(e.Inventory)+" has the device but does not manage it")
	}
	for _, other := range others {
		// An inventory without this fact is no MDM: a list of purchases, for example.
		if managed, known := other.Record.Facts.Managed.Get(); known && !managed && !p.allowsUnmanaged(other.Inventory) {
			return deny(DeviceNotManaged, inventoryNamed(other.Inventory)+" has the device but does not manage it")
		}
	}
	groups, reason, err := p.groups(e, others)
	for _, required := range []struct {
		code Code
		err  error
	}{{DeviceNotInGroup, err}, {DeviceNotCompliant, p.compliance(e, others)}} {
		if required.err == nil {
			continue
		}
		if !p.ReportOnly {
			return deny(required.code, required.err.Error())
		}
		verdict.WouldDeny = append([]string{string(required.code)}, verdict.WouldDeny...)
		reason += "; " + required.err.Error()
	}
	if refusal := verdict.refusal(); refusal != nil {
		return Decision{code: refusal.Code, message: refusal.Message} // the reason is that of the rules
	}
	decision := Decision{allow: true, groups: groups, reason: reason, data: e.Deciding.Data}
	if p.Rules != nil {
		data, unknown, err := p.Rules.Render(e)
		if err != nil {
			return deny(DeviceNotCompliant, err.Error())
		}
		if data != nil {
			decision.data, decision.dataUnknown = data, unknown
		}
	}
	return decision
}

// alsoIn refuses where an inventory that must know the device does not.
func alsoIn(a Answer) (refusal Decision, refused bool) {
	if a.Record != nil {
		return Decision{}, false
	}
	code, text := DeviceNotFound, "it does not have the device"
	if a.Err != nil {
		text = a.Err.Error()
	}
	switch {
	case errors.Is(a.Err, ErrAmbiguous):
		code = DeviceAmbiguous
	case errors.Is(a.Err, ErrIdentifier):
		code = IdentifierInvalid
	}
	return deny(code, fmt.Sprintf("inventory %s, which must know the device too: %s", a.Inventory, text)), true
}

func (p Policy) allowsUnmanaged(inventory string) bool {
	return p.AllowUnmanaged || p.Requirements[inventory].AllowUnmanaged
}

// groups returns the required groups that the device is a member of; the error names one that it is not a member of.
func (p Policy) groups(e *Evidence, others []Answer) (groups []string, reason string, err error) {
	reason = "in the inventory"
	if e.Inventory != "" {
		reason += " " + e.Inventory
	}
	group, err := p.Requirements[e.Inventory].check(e.Deciding)
	if group != "" {
		groups = []string{group}
		reason = fmt.Sprintf("%s, member of the required group %q", reason, group)
	}
	for _, other := range others {
		group, otherErr := p.Requirements[other.Inventory].check(other.Record)
		if otherErr != nil && err == nil {
			err = fmt.Errorf("%s: %w", inventoryNamed(other.Inventory), otherErr)
		}
		if group != "" && !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	return groups, reason, err
}

// compliance is the error of the first inventory that requires a compliant device, and does not say that it is one.
func (p Policy) compliance(e *Evidence, others []Answer) error {
	err := p.Requirements[e.Inventory].vouch(e.Deciding, e.Inventory)
	for i := range others {
		if err == nil {
			err = p.Requirements[others[i].Inventory].vouch(others[i].Record, others[i].Inventory)
		}
	}
	return err
}

// vouch returns an error where the inventory has to say that d is compliant, and does not.
func (r Requirements) vouch(d *Device, inventory string) error {
	if !r.Compliant {
		return nil
	}
	switch compliant, known := d.Facts.Compliant.Get(); {
	case !known:
		return errors.New(inventoryNamed(inventory) + " does not say whether the device is compliant, and that is required")
	case !compliant:
		return errors.New(inventoryNamed(inventory) + " says that the device is not compliant")
	}
	return nil
}

// check returns the group that d had to be a member of, or "" if none is required; the error says that it is no member.
func (r Requirements) check(d *Device) (group string, err error) {
	group = r.Groups[d.Type]
	if len(r.Groups) > 0 && d.Type != Computer && d.Type != MobileDevice {
		group = r.Groups[Computer]
		// Fail closed: without a type, nothing shows that no group is required.
		if group != r.Groups[MobileDevice] {
			return "", errors.New("the inventory does not say which type of device it is, so the required group is unknown")
		}
	}
	if group == "" {
		return "", nil
	}
	groups, _ := d.Facts.Groups.Get()
	if !slices.Contains(groups, group) {
		return "", fmt.Errorf("not a member of the required group %q%s", group, nearMiss(group, groups))
	}
	return group, nil
}

// inventoryNamed names an inventory in a sentence. Without a policy file there is one, and it has no name.
func inventoryNamed(name string) string {
	if name == "" {
		return "the inventory"
	}
	return "the inventory " + name
}
