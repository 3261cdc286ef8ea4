package replay_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/replay"
)

// chooser makes choices of the bytes of a fuzz input.
type chooser struct{ bytes []byte }

func (c *chooser) choose(n int) int {
	if len(c.bytes) == 0 {
		return 0
	}
	b := c.bytes[0]
	c.bytes = c.bytes[1:]
	return int(b) % n
}

func (c *chooser) one(in int) bool         { return c.choose(in) == in-1 }
func (c *chooser) of(all ...string) string { return all[c.choose(len(all))] }

// inventory answers with one record, or an error.
type inventory struct {
	record posture.Device
	err    error
}

func (i inventory) Lookup(context.Context, posture.Query) (posture.Device, error) {
	return i.record, i.err
}

const identifier = "C02XK1JKLVCG"

func start() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

// record makes a record some of whose facts are known.
func (c *chooser) record() posture.Device {
	r := posture.Device{}
	for _, d := range posture.Vocabulary() {
		if c.choose(4) == 3 {
			continue
		}
		switch d.Type {
		case posture.TextFact:
			if d.Words != nil {
				d.Put(&r, d.Words[c.choose(len(d.Words))])
			} else {
				d.Put(&r, c.of("x", "", "\"\\\u202e\n", "é", "no word"))
			}
		case posture.BoolFact:
			d.Put(&r, c.choose(3) > 0)
		case posture.VersionFact:
			v, _ := posture.ParseVersion(c.of("14.7", "15.04", "16"))
			d.Put(&r, v)
		case posture.TimeFact:
			at := start().Add(-time.Duration(c.choose(30)) * 24 * time.Hour).Add(time.Duration(c.choose(3)))
			d.Put(&r, at.In(time.FixedZone("", c.choose(3)*3600)))
		case posture.ListFact:
			d.Put(&r, [][]string{{}, {"x"}, {"y\x00", "x"}, nil}[c.choose(4)])
		case posture.AttributesFact:
			d.Put(&r, []map[string]string{{}, {"a": "x"}, {"a": "", "b\n": "x"}}[c.choose(3)])
		}
	}
	r.Identifier = c.of(identifier, identifier, identifier, "c02xk1jklvcg", "C02OTHER")
	return r
}

func (c *chooser) inventory() inventory {
	switch c.choose(12) {
	case 11:
		return inventory{err: posture.ErrAmbiguous}
	case 10:
		return inventory{err: posture.ErrIdentifier}
	case 9, 8:
		return inventory{err: posture.ErrNotFound}
	case 7:
		return inventory{err: context.DeadlineExceeded}
	}
	return inventory{record: c.record()}
}

func (c *chooser) condition() string {
	return c.of(
		"device.compliant", "!device.encrypted", `device.os == "macOS"`, `device.os_version.atLeast("15.4")`, "device.last_seen > now - days(7)",
		`"x" in device.groups`, `device.groups.all(g, g != "x")`, `device.attributes["a"] == "x"`, `has(device.attributes["a"])`, "has(user.department)",
		"records.a.found", "records.b.found", "records.c.found && records.c.device.managed", `records.b.device.name == device.name`, `inventory == "a"`,
		`request.key_type == "EC" && request.key_bits >= 256`, `request.names.all(n, n == "x")`, `request.provisioner != "y"`, `request.mode == "computer"`,
		`request.kind == "enriching"`, `string(device.os_version) == "15.04"`, `device.last_seen.getHours() == 12`, `request.caller == "devices"`,
	)
}

// policy makes a policy over three inventories.
func (c *chooser) policy(t testing.TB) *policy.Policy {
	t.Helper()
	p := &policy.Policy{Name: "staff", Inventories: []string{"a", "b"}, AlsoIn: []string{"c"}}
	switch c.choose(4) {
	case 1:
		p.Inventories = []string{"b", "a"}
	case 2:
		p.Inventories, p.AlsoIn = []string{"a", "b", "c"}, nil
	}
	s, err := policy.NewScope("a", "b", "c")
	if err != nil {
		t.Fatal(err)
	}
	p.AllowUnmanaged, p.ReportOnly = c.one(3), c.one(6)
	p.Mode = posture.DeviceType(c.of("", "any", "computer"))
	for i := range c.choose(4) {
		r := &policy.Rule{Name: "r" + string(rune('0'+i)), Code: "ruleCode", Message: "a message", ReportOnly: c.one(4)}
		require, faults := s.CompileCondition(c.condition())
		if faults != nil {
			t.Fatal(faults)
		}
		r.Require = require
		if c.one(4) {
			r.When, _ = s.CompileCondition(c.condition())
		}
		if c.one(4) {
			r.EnforcedFrom = start().Add(time.Duration(c.choose(3)-1) * 24 * time.Hour)
		}
		p.Rules = append(p.Rules, r)
	}
	if c.one(3) {
		value, faults := s.CompileValue(c.of("user.email_address", `"Finance" in device.groups ? "30" : "10"`, "device.groups", "device.last_seen"))
		if faults != nil {
			t.Fatal(faults)
		}
		p.Data = []policy.Datum{{Name: "d", Value: value, Required: c.one(2)}}
	}
	return p
}

func (c *chooser) required() map[string]provider.Required {
	all := map[string]provider.Required{}
	for _, name := range []string{"a", "b", "c"} {
		r := provider.Required{DefaultType: posture.DeviceType(c.of("", "mobiledevice"))}
		r.Requirements.AllowUnmanaged = c.one(4)
		if c.one(4) {
			r.Requirements.Groups = posture.RequiredGroups("x", c.of("", "x"))
		}
		all[name] = r
	}
	return all
}

// decide decides as the daemon does, and returns the event of it.
func decide(p *policy.Policy, required map[string]provider.Required, asked map[string]inventory, q posture.Query, request posture.Request, now time.Time) *audit.Event {
	requirements := map[string]posture.Requirements{}
	sources := func(names []string) (all []posture.Source) {
		for _, name := range names {
			requirements[name] = required[name].Requirements
			all = append(all, posture.Source{
				Name: name, Provider: asked[name], DefaultType: required[name].DefaultType, Facts: posture.AllFacts(),
				AllowUnmanaged: required[name].Requirements.AllowUnmanaged,
			})
		}
		return all
	}
	gate := posture.Gate{Join: posture.Join{
		Inventories: sources(p.Inventories), AlsoIn: sources(p.AlsoIn), Reads: p.RecordsRead(), AllowUnmanaged: p.AllowUnmanaged,
	}, Policy: p.Authority(requirements), Mode: p.Mode}
	e := &audit.Event{
		Time: now, Reference: "7F3K9Q2M", Authenticated: true, Identifier: request.Identifier, Policy: p.Name, Caller: request.Caller, Door: request.Door,
		Mode: string(gate.TypeOf(q)), WebhookID: "98a6ad8d-d8e5-4d1d-b465-770fb66a5207",
	}
	request.Mode = e.Mode
	e.Evidence = &posture.Evidence{Now: now, Request: request}
	decision, err := gate.Decide(context.Background(), q, e.Evidence)
	e.Allowed, e.Code, e.Reason = decision.Allowed(), string(decision.Code()), decision.Reason()
	if err != nil {
		e.Code, e.Reason = "unavailable", err.Error()
	}
	e.Inventory, e.Verdict, e.DataUnknown = e.Evidence.Inventory, decision.Verdict(), decision.DataUnknown()
	return e
}

// logged appends events to an audit log with facts, and returns its path.
func logged(t testing.TB, events ...*audit.Event) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	trail, _, err := audit.OpenTrail(path)
	if err != nil {
		t.Fatal(err)
	}
	defer trail.Close()
	trail.RecordFacts()
	for _, e := range events {
		if err := trail.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// options are those of a policy file with one policy and its webhook.
func options(p *policy.Policy, required map[string]provider.Required) replay.Options {
	file := &policyfile.File{
		Policies: map[string]*policy.Policy{p.Name: p},
		Webhooks: []policyfile.Webhook{{Name: "devices", ID: "98A6AD8D-d8e5-4d1d-b465-770fb66a5207", Policy: p.Name}},
	}
	return replay.Options{File: file, Required: required, Codes: outcome.Codes()}
}

// FuzzSamePolicy records decisions, and shows that a replay under the same policy decides every one as before.
func FuzzSamePolicy(f *testing.F) {
	for seed := range byte(200) {
		var input []byte
		for i := range byte(16) {
			block := sha256.Sum256([]byte{seed, i})
			input = append(input, block[:]...)
		}
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		c := &chooser{bytes: input}
		p, required := c.policy(t), c.required()
		var events []*audit.Event
		faults := 0
		for i := range 4 {
			asked := map[string]inventory{"a": c.inventory(), "b": c.inventory(), "c": c.inventory()}
			id, err := posture.ParseIdentifier(identifier)
			if err != nil {
				t.Fatal(err)
			}
			request := posture.Request{
				Door: "webhook", Caller: "devices", Kind: c.of("enriching", "authorizing", ""), Provisioner: c.of("", "x", "y"), Identifier: identifier,
				KeyType: c.of("EC", "RSA", ""), KeyBits: int64(c.choose(3)) * 256, Names: [][]string{nil, {}, {"x"}, {"\u202e\"", "x"}}[c.choose(4)],
			}
			q := posture.Query{Identifier: id, Type: posture.DeviceType(c.of("", "computer", "any", "mobiledevice"))}
			e := decide(p, required, asked, q, request, start().Add(time.Duration(i)*time.Millisecond+time.Duration(c.choose(5))))
			if e.Code == "unavailable" {
				faults++
			}
			events = append(events, e)
		}
		path := logged(t, events...)
		report, err := replay.New(options(p, required)).Run(t.Context(), []string{path}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if report.Differs() || report.OtherCode > 0 || report.Replayed != len(events)-faults || report.NotReplayable != faults {
			text, _ := os.ReadFile(path)
			got, _ := json.Marshal(report)
			t.Errorf("a replay under the same policy: %s\n%+v\n%s", got, report.Devices, bytes.TrimSpace(text))
		}
	})
}
