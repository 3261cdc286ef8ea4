package replay

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/posture"
)

// Report is the result of a replay.
type Report struct {
	// Devices are those with a request that would be decided otherwise: first the ones that would be denied.
	Devices []Device `json:"-"`
	// Unlisted is how many requests would be decided otherwise of devices that are not in Devices, which is full.
	Unlisted int `json:"unlisted"`
	// Denied and Allowed are how many of the devices would be denied and allowed.
	Denied  int `json:"would_be_denied"`
	Allowed int `json:"would_be_allowed"`
	// Rules are the rules of each policy that was applied, in their order.
	Rules []Rule `json:"rules"`
	// Lines are all lines. Each is one of the four kinds that follow.
	Lines    int `json:"lines"`
	Replayed int `json:"replayed"`
	// Early are requests that were refused before a policy was asked.
	Early         int `json:"refused_before_policy"`
	NotReplayable int `json:"not_replayable"`
	Unreadable    int `json:"unreadable"`
	// OtherCode is how many requests would be denied as before, with another code.
	OtherCode int `json:"denied_with_another_code"`
	// Lacks say why lines are not replayable, and UnreadableAt is where the first lines are that cannot be read.
	Lacks        []Lack   `json:"lacks"`
	UnreadableAt []string `json:"unreadable_at"`
}

// Differs reports whether a request would be decided otherwise.
func (r *Report) Differs() bool { return len(r.Devices) > 0 || r.Unlisted > 0 }

// Device is a device with requests that would be decided otherwise. What is said about a decision is about the last of them.
type Device struct {
	Identifier string `json:"identifier"`
	Policy     string `json:"policy"`
	Was        Answer `json:"was"`
	Would      Answer `json:"would_be"`
	// Requests is how many of them would be decided otherwise.
	Requests  int       `json:"requests"`
	Last      time.Time `json:"last"`
	Reference string    `json:"reference"` // of the last one

	rules map[*Rule]bool // those that have decided otherwise
}

// Answer is what is decided about a device.
type Answer struct {
	Decision string       `json:"decision"`
	Code     posture.Code `json:"code,omitempty"`
	// Rules are those that refuse.
	Rules []string `json:"rules,omitempty"`
}

// Rule is what a rule says about the requests that it applies to.
type Rule struct {
	Policy   string `json:"policy"`
	Rule     string `json:"rule"`
	Requests int    `json:"requests"`
	// Unmet is how many of them it refuses, and WouldDeny how many it would refuse if it did not only report.
	Unmet     int `json:"unmet"`
	WouldDeny int `json:"would_deny"`
	// Devices is how many devices are denied by it, and were allowed.
	Devices int `json:"devices"`
}

// Lack is why lines are not replayable.
type Lack struct {
	Why   string `json:"why"`
	Lines int    `json:"lines"`
	First string `json:"first"` // FILE:LINE
	Last  string `json:"last"`
}

// collector makes the report.
type collector struct {
	Report

	replay  *Replay
	devices map[string]*Device
	rules   map[string][]*Rule // by policy
	lacks   map[string]*Lack
	ours    map[string]bool // by file: whether a line of it is one of ours
}

func newCollector(r *Replay) *collector {
	return &collector{replay: r, devices: map[string]*Device{}, rules: map[string][]*Rule{}, lacks: map[string]*Lack{}, ours: map[string]bool{}}
}

func (c *collector) add(file string, results []result) {
	for _, r := range results {
		if r.kind == empty {
			continue
		}
		c.Lines++
		c.ours[file] = c.ours[file] || r.kind != unreadable
		place := fmt.Sprintf("%s:%d", file, r.number)
		switch r.kind {
		case replayed:
			c.Replayed++
			c.compare(r.outcome)
		case early:
			c.Early++
		case lacking:
			c.NotReplayable++
			c.lack(r.why, place)
		case unreadable:
			c.Unreadable++
			if len(c.UnreadableAt) < maxPlaces {
				c.UnreadableAt = append(c.UnreadableAt, place+": "+r.why)
			}
		case empty:
		}
	}
}

func (c *collector) lack(why, place string) {
	if c.lacks[why] == nil && len(c.lacks) >= maxLacks {
		why = "other reasons"
	}
	lack := c.lacks[why]
	if lack == nil {
		lack = &Lack{Why: why, First: place}
		c.lacks[why] = lack
	}
	lack.Lines++
	lack.Last = place
}

// compare counts what the rules say, and notes the device if the decision is another one.
func (c *collector) compare(o outcome) {
	rules := c.rulesOf(o)
	for i, rule := range rules {
		if i >= len(o.applies) || !o.applies[i] {
			continue // without a record that decides, rules are not evaluated
		}
		rule.Requests++
		if slices.Contains(o.verdict.Unmet, rule.Rule) {
			rule.Unmet++
		}
		if slices.Contains(o.verdict.WouldDeny, rule.Rule) {
			rule.WouldDeny++
		}
	}
	if o.allowed == o.line.Allowed() {
		if o.code != o.line.Code {
			c.OtherCode++
		}
		return
	}
	d := c.device(o)
	if d == nil {
		c.Unlisted++
		return
	}
	d.Requests++
	if o.byRules {
		for _, rule := range rules {
			if !d.rules[rule] && slices.Contains(o.verdict.Unmet, rule.Rule) {
				d.rules[rule] = true
				rule.Devices++
			}
		}
	}
	if o.line.Time.Before(d.Last) {
		return
	}
	d.Policy, d.Last, d.Reference = o.policy.Name, o.line.Time, o.line.Reference
	d.Was = Answer{Decision: o.line.Decision, Code: posture.Code(o.line.Code)}
	if d.Would = (Answer{Decision: "allow"}); o.allowed {
		if !slices.Contains(codesBeforeRules(), d.Was.Code) {
			d.Was.Rules = o.line.Unmet
		}
		return
	}
	d.Would = Answer{Decision: "deny", Code: posture.Code(o.code)}
	if o.byRules {
		d.Would.Rules = o.verdict.Unmet
	}
}

// codesBeforeRules are the refusals for which the rules are evaluated too, but do not count.
func codesBeforeRules() []posture.Code {
	return []posture.Code{posture.DeviceNotFound, posture.DeviceAmbiguous, posture.DeviceNotManaged, posture.DeviceNotInGroup, posture.IdentifierInvalid}
}

// device returns the device of an outcome, or nil where no more fit into the report.
func (c *collector) device(o outcome) *Device {
	identifier := o.line.Evidence.Request.Identifier
	id, _ := posture.ParseRequested(identifier) // decide has parsed it
	d := c.devices[id.Key()]
	if d == nil && len(c.devices) < maxDevices {
		d = &Device{Identifier: identifier, rules: map[*Rule]bool{}}
		c.devices[id.Key()] = d
	}
	return d
}

func (c *collector) rulesOf(o outcome) []*Rule {
	rules, known := c.rules[o.policy.Name]
	if !known {
		for _, rule := range o.policy.Rules {
			rules = append(rules, &Rule{Policy: o.policy.Name, Rule: rule.Name})
		}
		c.rules[o.policy.Name] = rules
	}
	return rules
}

// report returns what was collected. A file whose lines are all not ours is an error: it may be the wrong one.
func (c *collector) report() (*Report, error) {
	for _, file := range slices.Sorted(maps.Keys(c.ours)) {
		if !c.ours[file] {
			return nil, fmt.Errorf("%s: no line of it is one of an audit log", file)
		}
	}
	if c.Lines == 0 {
		return nil, errEmpty
	}
	for _, d := range c.devices {
		if d.Would.Decision == "allow" {
			c.Allowed++
		} else {
			c.Denied++
		}
		c.Devices = append(c.Devices, *d)
	}
	slices.SortFunc(c.Devices, func(a, b Device) int {
		// deny before allow
		return cmp.Or(-strings.Compare(a.Would.Decision, b.Would.Decision), strings.Compare(a.Identifier, b.Identifier))
	})
	c.Rules = []Rule{}
	for _, name := range slices.Sorted(maps.Keys(c.rules)) {
		for _, rule := range c.rules[name] {
			c.Rules = append(c.Rules, *rule)
		}
	}
	c.Lacks = []Lack{}
	for _, why := range slices.Sorted(maps.Keys(c.lacks)) {
		c.Lacks = append(c.Lacks, *c.lacks[why])
	}
	if c.UnreadableAt == nil {
		c.UnreadableAt = []string{}
	}
	return &c.Report, nil
}
