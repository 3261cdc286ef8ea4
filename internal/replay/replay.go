// Package replay decides the requests of an audit log again, under another policy and at the time at which they were made,
// and compares the decisions. It asks no inventory: the lines have what the inventories answered.
package replay

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
)

// Options say what is decided with.
type Options struct {
	// File has the policies, and the webhooks that belong to them.
	File *policyfile.File
	// Required is what the settings of each inventory ask, by its name in policies.
	Required map[string]provider.Required
	// WebhookIDs are those of the environment. They belong to the policy "default".
	WebhookIDs []string
	// Codes are the connector's own.
	Codes []posture.Code
}

// Replay decides recorded requests again. It is safe for concurrent use.
type Replay struct {
	lines    *audit.Reader
	policies map[string]*judge
	// callers are the webhooks, by name and by ID in lower case, and doors the callers of doors.
	callers map[string]caller
	doors   map[doorCaller]*policyfile.Door
	// early are the codes of answers that no policy was asked for.
	early map[string]bool
}

type caller struct{ name, policy string }

// doorCaller is a caller of a door, which may have the name of a webhook or of a caller of the other door.
type doorCaller struct{ door, caller string }

// judge is a policy with the gate that decides by it, as that of the daemon does.
type judge struct {
	policy *policy.Policy
	gate   *posture.Gate
}

const (
	codeUnavailable = "unavailable"
	codeVLAN        = "vlanUnknown"
	defaultPolicy   = "default"
)

// New makes a Replay.
func New(o Options) *Replay {
	r := &Replay{lines: audit.NewReader(), policies: map[string]*judge{}, callers: map[string]caller{}, doors: map[doorCaller]*policyfile.Door{}, early: map[string]bool{}}
	for _, code := range o.Codes {
		r.early[string(code)] = true
	}
	decided := []posture.Code{
		posture.DeviceNotFound, posture.DeviceAmbiguous, posture.DeviceNotManaged, posture.DeviceNotInGroup, posture.DeviceNotCompliant,
		posture.IdentifierInvalid,
	}
	for _, code := range append(decided, codeUnavailable, codeVLAN) {
		delete(r.early, string(code))
	}
	for name, p := range o.File.Policies {
		r.policies[name] = newJudge(p, o.Required)
	}
	for _, id := range o.WebhookIDs {
		id = strings.ToLower(id)
		r.callers[id] = caller{id, defaultPolicy}
	}
	for _, w := range o.File.Webhooks {
		r.callers[w.Name], r.callers[strings.ToLower(w.ID)] = caller{w.Name, w.Policy}, caller{w.Name, w.Policy}
	}
	if o.File.Doors != nil {
		for i := range o.File.Doors.Doors {
			door := &o.File.Doors.Doors[i]
			for _, name := range door.Callers {
				r.doors[doorCaller{door.Door, name}] = door
			}
		}
	}
	return r
}

func newJudge(p *policy.Policy, required map[string]provider.Required) *judge {
	return &judge{p, p.Gate(func(name string) (posture.Source, posture.Requirements) {
		of := required[name]
		facts := p.FactsOf(name)&^posture.Document | posture.MustFacts("device.identifier", "device.managed")
		facts |= of.Requirements.Facts()
		if len(of.Requirements.Groups) > 0 {
			facts |= posture.MustFacts("device.type")
		}
		return posture.Source{
			Name: name, Provider: recorded{name, of.DefaultType != ""}, DefaultType: of.DefaultType, Facts: facts,
		}, of.Requirements
	})}
}

// choice is who asks now, and the policy that decides about it.
type choice struct {
	*judge

	caller string
	door   *policyfile.Door // nil where the file has none for the line
}

// choose returns the policy that applies to a line: the one that its webhook or its door belongs to now, else the one that was
// applied.
func (r *Replay) choose(line *audit.Recorded) (c choice, lacks string) {
	// A webhook that accepts radius has the door radius too.
	if door := line.Evidence.Request.Door; line.WebhookID == "" && (door == posture.RADIUSDoor || door == posture.ForwardAuthDoor) {
		return r.chooseDoor(line)
	}
	id := strings.ToLower(line.WebhookID)
	// Without a policy file, all webhooks are as those that have the policy "default".
	wanted, name := cmp.Or(line.Policy, defaultPolicy), cmp.Or(line.Caller, id)
	for _, key := range []string{line.Caller, id} {
		if c, ok := r.callers[key]; ok && key != "" {
			wanted, name = c.policy, c.name
			break
		}
	}
	// Nothing is guessed: a webhook that the file does not have is no webhook of the default policy.
	if j, ok := r.policies[wanted]; ok {
		return choice{judge: j, caller: name}, ""
	}
	return choice{}, "the policy file has neither the webhook nor a policy " + audit.Clean(wanted, maxName)
}

func (r *Replay) chooseDoor(line *audit.Recorded) (c choice, lacks string) {
	wanted, door := line.Policy, r.doors[doorCaller{line.Evidence.Request.Door, line.Caller}]
	if door != nil {
		wanted = door.Policy
	}
	if j, ok := r.policies[wanted]; ok {
		return choice{j, line.Caller, door}, ""
	}
	return choice{}, "the policy file has neither the caller of the door nor a policy " + audit.Clean(wanted, maxName)
}

// kind is what becomes of a line.
type kind int

const (
	replayed   kind = iota
	early           // refused before a policy was asked
	lacking         // not replayable
	unreadable      // not a line of ours
	empty           // nothing between two line ends, as it follows an unfinished line; or a notification
)

// outcome is the result for one line.
type outcome struct {
	kind kind
	why  string // it is not replayable

	line   *audit.Recorded
	policy *policy.Policy
	// What would be decided now.
	allowed bool
	code    string
	byRules bool // the rules of verdict.Unmet refuse
	verdict posture.Verdict
	applies []bool // by rule
}

// decide decides about one line.
func (r *Replay) decide(ctx context.Context, text []byte) outcome {
	line, err := r.lines.Read(text)
	switch {
	case err != nil:
		return outcome{kind: unreadable, why: err.Error()}
	case line.Event != "":
		return outcome{kind: empty} // nothing was decided
	case r.early[line.Code]:
		return outcome{kind: early}
	case line.Evidence == nil:
		return outcome{kind: lacking, why: line.Lacks}
	case line.Code == codeUnavailable:
		return outcome{kind: lacking, why: "no decision was made then: an inventory had not answered"}
	}
	id, err := posture.ParseRequested(line.Evidence.Request.Identifier)
	if err != nil {
		return outcome{kind: lacking, why: "the facts have no identifier"}
	}
	c, lacks := r.choose(line)
	switch {
	case lacks != "":
		return outcome{kind: lacking, why: lacks}
	case line.Code == codeVLAN && c.door == nil:
		return outcome{kind: lacking, why: "the device was refused for its VLAN, and the policy file does not have the door that said it"}
	}
	q := posture.Query{Identifier: id, Type: line.Evidence.Given}
	e := &posture.Evidence{Now: line.Evidence.Now, Reference: line.Reference, Request: line.Evidence.Request}
	e.Request.Caller, e.Request.Mode = c.caller, string(c.gate.TypeOf(q))
	decision, err := c.gate.Decide(context.WithValue(ctx, evidenceKey{}, line.Evidence), q, e)
	if lack := (*lackError)(nil); errors.As(err, &lack) {
		return outcome{kind: lacking, why: lack.text}
	}
	o := outcome{
		line: line, policy: c.policy, allowed: decision.Allowed(), code: string(decision.Code()),
		byRules: decision.Message() != "", verdict: decision.Verdict(),
	}
	if err != nil { // the inventory would be at fault now: it sends more than a policy may read
		o.allowed, o.code = false, codeUnavailable
	}
	if o.allowed && c.door != nil && !hasVLAN(c.door, e) {
		o.allowed, o.code, o.byRules = false, codeVLAN, false
	}
	for _, rule := range o.verdict.Outcomes {
		o.applies = append(o.applies, rule.Applies)
	}
	o.verdict.Outcomes = nil // only names are compared, and the reasons need memory
	return o
}

// hasVLAN reports whether a door could say the VLAN of a device: without one it refuses.
func hasVLAN(d *policyfile.Door, e *posture.Evidence) bool {
	if d.VLAN == nil {
		return true
	}
	text, err := d.VLAN.Text(e)
	return err == nil && policy.CheckVLAN(text)
}

// evidenceKey is the key of a line's evidence in a context.
type evidenceKey struct{}

// recorded is an inventory that answers what the line in the context says.
type recorded struct {
	name string
	// typed says that it distinguishes types of devices, so that an answer is about the type that was asked for.
	typed bool
}

// lackError is what a line lacks.
type lackError struct{ text string }

func (l *lackError) Error() string { return l.text }

// Lookup implements posture.Provider.
func (r recorded) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	e, _ := ctx.Value(evidenceKey{}).(*posture.Evidence)
	i := slices.IndexFunc(e.Answers, func(a posture.Answer) bool { return a.Inventory == r.name })
	if i < 0 {
		return posture.Device{}, &lackError{"the line has no answer of the inventory " + r.name}
	}
	a := e.Answers[i]
	missing := q.Facts &^ a.Asked
	switch {
	case errors.Is(a.Err, audit.ErrFailed):
		return posture.Device{}, &lackError{"the inventory " + r.name + " had not answered then"}
	case r.typed && q.Type != a.Type:
		return posture.Device{}, &lackError{"the inventory " + r.name + " was asked for another type of device than the policy asks for"}
	case a.Err != nil:
		return posture.Device{}, a.Err
	case missing != 0:
		return posture.Device{}, &lackError{"the line lacks " + strings.Join(missing.Names(), ", ") + " of the inventory " + r.name}
	}
	return *a.Record, nil
}
