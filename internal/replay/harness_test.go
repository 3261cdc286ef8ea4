package replay_test

import (
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
	"step-posture-connector/internal/replay"
)

// policyOf makes a policy with rules r0, r1 and so on.
func policyOf(t testing.TB, name string, inventories []string, rules ...string) *policy.Policy {
	t.Helper()
	s, err := policy.NewScope("a", "b", "c")
	if err != nil {
		t.Fatal(err)
	}
	p := &policy.Policy{Name: name, Inventories: inventories}
	for i, text := range rules {
		require, faults := s.CompileCondition(text)
		if faults != nil {
			t.Fatal(faults)
		}
		p.Rules = append(p.Rules, &policy.Rule{Name: "r" + string(rune('0'+i)), Require: require, Code: "ruleCode", Message: "a message"})
	}
	return p
}

// withToken makes a policy require an enrolment token.
func withToken(p *policy.Policy) *policy.Policy {
	p.Token = &posture.TokenRequirement{Policy: p.Name, In: "2.5.4.35", Lifetime: time.Minute}
	return p
}

// has is an inventory with a managed device that has these facts too.
func has(facts func(*posture.Facts)) inventory {
	d := posture.Device{Identifier: identifier, Type: posture.Computer}
	d.Facts.Managed = posture.Known(true)
	if facts != nil {
		facts(&d.Facts)
	}
	return inventory{record: d}
}

// asked makes a request of a device under a policy.
func asked(t testing.TB, p *policy.Policy, required map[string]provider.Required, of posture.DeviceType, who string, inventories map[string]inventory) *audit.Event {
	t.Helper()
	id, err := posture.ParseIdentifier(who)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]inventory{}
	for name, i := range inventories {
		i.record.Identifier = who
		all[name] = i
	}
	request := posture.Request{Door: "webhook", Caller: "devices", Kind: "enriching", Identifier: who}
	return decide(p, required, all, posture.Query{Identifier: id, Type: of}, request, start())
}

func run(t *testing.T, o replay.Options, paths ...string) *replay.Report {
	t.Helper()
	report, err := replay.New(o).Run(t.Context(), paths, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// recalled makes the first answer one of a copy, which was fetched with some facts.
func recalled(facts posture.FactSet) func(*audit.Event) {
	return func(e *audit.Event) {
		a := &e.Evidence.Answers[0]
		a.Recalled, a.Age, a.Asked = true, time.Hour, facts
	}
}

func encrypted(f *posture.Facts)   { f.Encrypted = posture.Known(true) }
func unencrypted(f *posture.Facts) { f.Encrypted = posture.Known(false) }

// said is what a report of one line says: what would be decided otherwise, or why nothing was decided.
func said(report *replay.Report) string {
	switch {
	case len(report.Lacks) > 0:
		return report.Lacks[0].Why
	case report.Early > 0:
		return "early"
	case len(report.Devices) > 0:
		d := report.Devices[0]
		text := func(a replay.Answer) string {
			return strings.TrimSpace(strings.Join(append([]string{a.Decision, string(a.Code)}, a.Rules...), " "))
		}
		return text(d.Was) + ", " + text(d.Would)
	}
	return ""
}
