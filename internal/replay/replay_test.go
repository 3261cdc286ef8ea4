package replay_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
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

// A request that was recorded under one policy is decided under another, or it is said why that is not possible.
func TestOtherPolicy(t *testing.T) {
	t.Parallel()
	typed := map[string]provider.Required{"a": {DefaultType: posture.MobileDevice}}
	grouped := map[string]provider.Required{"a": {Requirements: posture.Requirements{Groups: posture.RequiredGroups("x", "x")}}}
	both := map[string]inventory{"a": has(encrypted), "b": has(unencrypted)}
	for name, c := range map[string]struct {
		before, after *policy.Policy
		required      map[string]provider.Required // of the new policy
		of            posture.DeviceType
		inventories   map[string]inventory
		change        func(*audit.Event)
		want          string
	}{
		"a new rule": {
			before: policyOf(t, "staff", []string{"a"}), after: policyOf(t, "staff", []string{"a"}, "device.encrypted", "device.managed"),
			inventories: map[string]inventory{"a": has(unencrypted)}, want: "allow, deny ruleCode r0",
		},
		"a new rule, about the answer of a copy": {
			before: policyOf(t, "staff", []string{"a"}), after: policyOf(t, "staff", []string{"a"}, "device.encrypted", "device.managed"),
			inventories: map[string]inventory{"a": has(unencrypted)}, change: recalled(posture.AllFacts()), want: "allow, deny ruleCode r0",
		},
		"a fact that a copy was not fetched with": {
			before: policyOf(t, "staff", []string{"a"}), after: policyOf(t, "staff", []string{"a"}, "device.encrypted"), inventories: both,
			change: recalled(posture.MustFacts("device.groups")), want: "the line lacks device.encrypted of the inventory a",
		},
		"a rule that is gone": {
			before: policyOf(t, "staff", []string{"a"}, "device.encrypted"), after: policyOf(t, "staff", []string{"a"}),
			inventories: map[string]inventory{"a": has(unencrypted)}, want: "deny ruleCode r0, allow",
		},
		"a rule that is met": {
			before: policyOf(t, "staff", []string{"a"}), after: policyOf(t, "staff", []string{"a"}, "device.encrypted"),
			inventories: map[string]inventory{"a": has(encrypted)}, want: "",
		},
		"an unknown fact": {
			before: policyOf(t, "staff", []string{"a"}), after: policyOf(t, "staff", []string{"a"}, "!device.encrypted"),
			inventories: map[string]inventory{"a": has(nil)}, want: "allow, deny ruleCode r0",
		},
		"another order of inventories": {
			before: policyOf(t, "staff", []string{"a", "b"}, "device.encrypted", "records.b.found"),
			after:  policyOf(t, "staff", []string{"b", "a"}, "device.encrypted"), inventories: both, want: "allow, deny ruleCode r0",
		},
		"an inventory that was not asked": {
			before: policyOf(t, "staff", []string{"a", "b"}), after: policyOf(t, "staff", []string{"b", "a"}), inventories: both,
			want: "the line has no answer of the inventory b",
		},
		"an inventory behind the one that decides": {
			before: policyOf(t, "staff", []string{"a"}), after: policyOf(t, "staff", []string{"a", "b"}), inventories: both, want: "",
		},
		"a record that was not asked for": {
			before: policyOf(t, "staff", []string{"a"}), after: policyOf(t, "staff", []string{"a", "b"}, "records.b.found"), inventories: both,
			want: "the line has no answer of the inventory b",
		},
		"another type of device": {
			before: policyOf(t, "staff", []string{"a"}), required: typed, inventories: both, change: func(e *audit.Event) { e.Evidence.Answers[0].Type = posture.AnyDevice },
			after: policyOf(t, "staff", []string{"a"}), want: "the inventory a was asked for another type of device than the policy asks for",
		},
		"the type of the request": {
			before: policyOf(t, "staff", []string{"a"}), required: typed, inventories: both, of: posture.Computer, after: policyOf(t, "staff", []string{"a"}), want: "",
		},
		"a fact that was not asked for": {
			before: policyOf(t, "staff", []string{"a"}), after: policyOf(t, "staff", []string{"a"}, "device.encrypted", "device.managed"), inventories: both,
			change: func(e *audit.Event) { e.Evidence.Answers[0].Asked = posture.MustFacts("device.groups") },
			want:   "the line lacks device.encrypted of the inventory a",
		},
		"a group that the settings require": {
			before: policyOf(t, "staff", []string{"a"}), after: policyOf(t, "staff", []string{"a"}), required: grouped,
			inventories: map[string]inventory{"a": has(func(f *posture.Facts) { f.Groups = posture.Known([]string{"y"}) })}, want: "allow, deny deviceNotInGroup",
		},
		"a fault": {
			before: policyOf(t, "staff", []string{"a"}), after: policyOf(t, "staff", []string{"a"}), inventories: map[string]inventory{"a": {err: os.ErrDeadlineExceeded}},
			want: "no decision was made then: an inventory had not answered",
		},
		"a fault of a record that is read now": {
			before: policyOf(t, "staff", []string{"a", "b"}), after: policyOf(t, "staff", []string{"a", "b"}, "records.b.found"), inventories: both,
			change: func(e *audit.Event) {
				e.Evidence.Answers = append(e.Evidence.Answers, posture.Answer{Inventory: "b", Err: os.ErrDeadlineExceeded})
			},
			want: "the inventory b had not answered then",
		},
		"a token that is required now": {
			before: policyOf(t, "staff", []string{"a"}), after: withToken(policyOf(t, "staff", []string{"a"}, "device.encrypted")), inventories: both,
			change: func(e *audit.Event) {
				e.Evidence.Answers[0].Asked = posture.MustFacts("device.identifier", "device.managed", "device.encrypted")
			},
			want: "",
		},
		"a token that is required, and a rule that is not met": {
			before: policyOf(t, "staff", []string{"a"}), after: withToken(policyOf(t, "staff", []string{"a"}, "!device.encrypted")), inventories: both,
			want: "allow, deny ruleCode r0",
		},
		"a token that was not valid": {
			before: withToken(policyOf(t, "staff", []string{"a"})), after: withToken(policyOf(t, "staff", []string{"a"}, "!device.encrypted")), inventories: both,
			change: func(e *audit.Event) { e.Code, e.Allowed = "tokenInvalid", false }, want: "early",
		},
		"a certificate that shows its token": {
			before: withToken(policyOf(t, "staff", []string{"a"})), after: policyOf(t, "staff", []string{"a"}), inventories: both,
			change: func(e *audit.Event) { e.Code, e.Allowed = "tokenInCertificate", false }, want: "early",
		},
		"no facts": {
			before: policyOf(t, "staff", []string{"a"}), after: policyOf(t, "staff", []string{"a"}), inventories: both,
			change: func(e *audit.Event) { e.Evidence = nil }, want: "no inventory was asked",
		},
		"refused before the policy": {
			before: policyOf(t, "staff", []string{"a"}), after: policyOf(t, "staff", []string{"a"}), inventories: both,
			change: func(e *audit.Event) { e.Evidence, e.Code, e.Allowed = nil, "sanMismatch", false }, want: "early",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := asked(t, c.before, nil, c.of, identifier, c.inventories)
			if c.change != nil {
				c.change(e)
			}
			report := run(t, options(c.after, c.required), logged(t, e))
			got := said(report)
			if got != c.want || report.Differs() != strings.Contains(c.want, ", ") {
				t.Errorf("got %q, want %q (%+v)", got, c.want, report)
			}
		})
	}
}

// The policy of a line is that of its webhook in the new file: by name, by ID, or by the ID in the environment; else the one
// that was applied, or "default" for a line that had none.
func TestPolicyOfALine(t *testing.T) {
	t.Parallel()
	names := []string{"default", "staff", "guests"}
	file := func(without string, webhooks ...policyfile.Webhook) *policyfile.File {
		f := &policyfile.File{Policies: map[string]*policy.Policy{}, Webhooks: webhooks}
		for _, name := range names {
			if name != without {
				f.Policies[name] = policyOf(t, name, []string{"a"}, "device.encrypted", `request.caller != "x"`)
			}
		}
		return f
	}
	const id, other = "98a6ad8d-d8e5-4d1d-b465-770fb66a5207", "0d0f4a2e-6f8a-4f6c-9a57-0a4f5d3c2b1a"
	for name, c := range map[string]struct {
		file           *policyfile.File
		ids            []string
		caller, policy string // of the line
		want           string
	}{
		"its name":                         {file: file("", policyfile.Webhook{Name: "devices", ID: other, Policy: "guests"}), caller: "devices", policy: "staff", want: "guests"},
		"its ID":                           {file: file("", policyfile.Webhook{Name: "renamed", ID: id, Policy: "guests"}), caller: "devices", policy: "staff", want: "guests"},
		"the environment":                  {file: file(""), ids: []string{strings.ToUpper(id)}, caller: "devices", policy: "staff", want: "default"},
		"the environment, without default": {file: file("default"), ids: []string{id}, caller: id, policy: "default", want: "the policy file has neither the webhook nor a policy default"},
		"the same policy":                  {file: file("", policyfile.Webhook{Name: "another", ID: other, Policy: "guests"}), caller: "devices", policy: "staff", want: "staff"},
		"no policy":                        {file: file(""), want: "default"},
		"a policy that is gone":            {file: file("staff"), caller: "devices", policy: "staff", want: "the policy file has neither the webhook nor a policy staff"},
		"a default that is not there":      {file: file("default"), want: "the policy file has neither the webhook nor a policy default"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := asked(t, policyOf(t, "staff", []string{"a"}), nil, "", identifier, map[string]inventory{"a": has(unencrypted)})
			e.Policy, e.Caller, e.WebhookID = c.policy, c.caller, strings.ToUpper(id)
			report := run(t, replay.Options{File: c.file, WebhookIDs: c.ids, Codes: outcome.Codes()}, logged(t, e))
			got := ""
			if len(report.Devices) > 0 {
				got = report.Devices[0].Policy
			} else if len(report.Lacks) > 0 {
				got = report.Lacks[0].Why
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A device has one line, about the last of its requests, whatever the order of the files; the lines are in one order.
func TestReport(t *testing.T) {
	t.Parallel()
	before := policyOf(t, "staff", []string{"a"}, "device.supervised")
	after := policyOf(t, "staff", []string{"a"}, "device.encrypted", "device.compliant")
	after.Rules[1].ReportOnly = true
	at := func(e *audit.Event, minutes int) *audit.Event {
		e.Time = e.Time.Add(time.Duration(minutes) * time.Minute)
		return e
	}
	request := func(who string, minutes int, facts func(*posture.Facts)) *audit.Event {
		return at(asked(t, before, nil, "", who, map[string]inventory{"a": has(facts)}), minutes)
	}
	newlyDenied := func(f *posture.Facts) { f.Supervised = posture.Known(true) }
	newlyAllowed := func(f *posture.Facts) { f.Encrypted = posture.Known(true) }
	asBefore := func(f *posture.Facts) { f.Encrypted, f.Supervised = posture.Known(true), posture.Known(true) }
	first := logged(t, request("C02B", 0, newlyDenied), request("C02A", 0, newlyDenied), request("C02C", 1, newlyAllowed), request("C02D", 0, asBefore))
	second := logged(t, request("c02b", 2, newlyDenied), request("C02E", 0, nil), request("C02A", 1, newlyAllowed))
	for _, paths := range [][]string{{first, second}, {second, first}} {
		report := run(t, options(after, nil), paths...)
		var got []string
		for _, d := range report.Devices {
			got = append(got, strings.ToUpper(d.Identifier)+" "+d.Would.Decision+" "+d.Last.Format("15:04"))
		}
		if want := "C02B deny 12:02, C02A allow 12:01, C02C allow 12:01"; strings.Join(got, ", ") != want {
			t.Errorf("got %q, want %s", got, want)
		}
		if report.Denied != 1 || report.Allowed != 2 || report.OtherCode != 0 || report.Replayed != 7 {
			t.Errorf("got %+v", report)
		}
		want := []replay.Rule{{Policy: "staff", Rule: "r0", Requests: 7, Unmet: 4, Devices: 2}, {Policy: "staff", Rule: "r1", Requests: 7, WouldDeny: 7}}
		if len(report.Rules) != 2 || report.Rules[0] != want[0] || report.Rules[1] != want[1] {
			t.Errorf("the rules are %+v, want %+v", report.Rules, want)
		}
	}
}

// Lines that are too long, cut off or foreign are counted, and do not hide those around them.
func TestLines(t *testing.T) {
	t.Parallel()
	p := policyOf(t, "staff", []string{"a"})
	path := filepath.Join(t.TempDir(), "mixed.jsonl")
	line, err := os.ReadFile(logged(t, asked(t, p, nil, "", identifier, map[string]inventory{"a": has(nil)})))
	if err != nil {
		t.Fatal(err)
	}
	long := bytes.Repeat([]byte("x"), 3<<20)
	text := bytes.Join([][]byte{line, long, []byte("\n"), line, []byte("\n\n"), line[:len(line)/2], []byte("\n"), line, line[:len(line)-1]}, nil)
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(text); err != nil {
		t.Fatal(err)
	}
	stdin := bytes.NewReader(text)
	report, err := replay.New(options(p, nil)).Run(t.Context(), []string{"-", path}, stdin)
	if err != nil {
		t.Fatal(err)
	}
	want := "-:2: not a line of the audit log, -:6: not a line of the audit log, " + path + ":2: not a line of the audit log, " + path + ":6: not a line of the audit log"
	if got := strings.Join(report.UnreadableAt, ", "); report.Lines != 12 || report.Replayed != 8 || report.Unreadable != 4 || got != want {
		t.Errorf("got %+v, want %s", report, want)
	}
}
