package blackbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// threeLines are the rules that a user of today adds to a configuration that works.
const threeLines = `policies:
  default:
    rules: [{name: named, require: 'device.identifier != "DMPVLX9QHG5D"', code: deviceRetired, message: This device is retired.}]
`

// TestPolicyFaultsAtStart: a policy is never off by accident. Faults of the file are reported together with those of the
// environment, by start and by check, in the same words, and no secret is shown.
func TestPolicyFaultsAtStart(t *testing.T) {
	t.Parallel()
	pki := program.NewPKI(t)
	secret, other := program.NewSecret(), program.NewSecret()
	hook := func(name, id, secretFile string) string {
		return "  - {name: " + name + ", id: " + id + ", secret: {file: " + secretFile + "}, policy: default}\n"
	}
	const bare = "policies:\n  default: {}\n"
	for name, test := range map[string]struct {
		text   string
		change []string // of the environment; DIR is the folder of the policy file
		want   []string
	}{
		"empty":   {bare, []string{"POLICY_PATH", ""}, []string{"POLICY_PATH: it is set, but empty; accepted: the path of a policy file, or no POLICY_PATH at all"}},
		"missing": {bare, []string{"POLICY_PATH", "DIR/nowhere.yaml"}, []string{"POLICY_PATH: DIR/nowhere.yaml: no such file or directory; accepted: the path of a policy file that the connector's user may read"}},
		"neither": {"inventories:\n  owned: {provider: file, path: x.json, type: json}\n", nil, []string{"posture.yaml:1:1: the file has neither policies nor webhooks"}},
		"nothing": {"", nil, []string{"posture.yaml:1:1: the file is empty"}},
		"both kinds at once": {
			"policies:\n  default:\n    rules: [{name: a, require: device.encypted}]\n",
			[]string{"PORT", "x", "TLS_KEY_PATH", "DIR/none.key"},
			[]string{"PORT: ", "TLS_KEY_PATH: ", `posture.yaml:3:39: policies.default.rules[0].require: unknown name in device "encypted"; did you mean encrypted?`},
		},
		"ID in both":        {bare + "webhooks:\n" + hook("a", strings.ToUpper(program.WebhookID), "other"), nil, []string{"posture.yaml:4:19: webhooks[0].id: WEBHOOK_IDS in the environment has the same ID"}},
		"secret in both":    {bare + "webhooks:\n" + hook("a", program.HookID(1), "same"), nil, []string{"webhooks[0].secret: WEBHOOK_SECRETS in the environment has the same secret; the ID in a request is not signed"}},
		"secret twice":      {bare + "webhooks:\n" + hook("a", program.HookID(1), "one") + hook("b", program.HookID(2), "one"), nil, []string{"webhooks[1].secret: the webhook a has the same secret; the ID in a request is not signed"}},
		"inventory in both": {"inventories:\n  file: {provider: file, path: x.json, type: json}\n" + bare, nil, []string{"posture.yaml:2:3: inventories.file: PROVIDER in the environment names an inventory file too"}},
		"no default": {
			"inventories:\n  owned: {provider: file, path: devices.json, type: json}\npolicies:\n  staff: {inventories: [owned]}\n",
			[]string{"PROVIDER", "", "FILE_PATH", "", "FILE_TYPE", ""},
			[]string{"WEBHOOK_IDS: the policy file has no policy default, which these webhooks have, and PROVIDER is not set"},
		},
		"a test fails": {
			"policies:\n  default:\n    rules: [{name: a, require: device.encrypted}]\n    tests: [{name: plain, device: {encrypted: false}, allow: true}]\n", nil,
			[]string{`posture.yaml:4:13: policies.default.tests[0]: the test "plain" fails: allow is false, want true; rule a is unmet: device.encrypted is false`},
		},
		"audit log in the policy file": {bare, []string{"AUDIT_LOG_PATH", "DIR/posture.yaml"}, []string{"AUDIT_LOG_PATH: it is also the file of POLICY_PATH; decisions would be appended to it"}},
		"audit log in a secret":        {bare + "webhooks:\n" + hook("a", program.HookID(1), "one"), []string{"AUDIT_LOG_PATH", "DIR/one"}, []string{"AUDIT_LOG_PATH: it is also a file that the policy file names; decisions would be appended to it"}},
		"audit log in an inventory": {
			"inventories:\n  owned: {provider: file, path: devices.json, type: json}\npolicies:\n  default: {inventories: [owned]}\n",
			[]string{"AUDIT_LOG_PATH", "DIR/devices.json"},
			[]string{"AUDIT_LOG_PATH: it is also a file that the policy file names; decisions would be appended to it"},
		},
		"an inventory that is missing": {
			"inventories:\n  owned: {provider: file, path: none.csv, type: csv}\npolicies:\n  default: {inventories: [owned]}\n", nil,
			[]string{"inventory owned: path: inventory: open DIR/none.csv: no such file or directory; accepted: a file that exists; a relative path begins in the folder of the policy file"},
		},
		"a secret that is missing": {bare + "webhooks:\n" + hook("a", program.HookID(1), "missing"), nil, []string{"posture.yaml:4:72: webhooks[0].secret.file: "}},
		"a variable that is not set": {
			bare + "webhooks:\n  - {name: a, id: " + program.HookID(1) + ", secret: {env: DEVICES_SECRET}, policy: default}\n", nil,
			[]string{"webhooks[0].secret.env: the environment variable is not set"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := program.NewPolicies(t, test.text)
			p.WriteFile(t, "one", secret+"\n")
			p.WriteFile(t, "other", other)
			p.WriteFile(t, "same", program.WebhookSecret)
			p.WriteFile(t, "devices.json", `{"devices":[{"identifier":"C02XK1JKLVCG"}]}`)
			for i := range test.change {
				test.change[i] = strings.ReplaceAll(test.change[i], "DIR", p.Folder)
			}
			env := p.Environment(program.WorkingEnvironment(t, pki)).With(test.change...)
			for _, command := range []string{"check", "serve"} {
				r := program.Run(t, env, "", command)
				for _, want := range test.want {
					if want = strings.ReplaceAll(want, "DIR", p.Folder); r.Code != 1 || !strings.Contains(r.Stderr, want) {
						t.Errorf("%s: exit %d, want 1 and %q\n%s", command, r.Code, want, r.Stderr)
					}
				}
				if r.Code == 0 {
					return // serve would not end
				}
				if strings.Contains(r.Stderr+r.Stdout, secret[:12]) || strings.Contains(r.Stderr, program.WebhookSecret[:12]) {
					t.Errorf("%s shows a secret:\n%s", command, r.Stderr)
				}
			}
		})
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, ".env"), []byte("POLICY_PATH=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := program.Run(t, program.WorkingEnvironment(t, pki).Absolute(t), folder, "check"); r.Code != 1 || !strings.Contains(r.Stderr, "POLICY_PATH: it is set, but empty") {
		t.Errorf("empty in .env: exit %d\n%s", r.Code, r.Stderr)
	}
}

// TestPolicyNames: a name that is nearly that of the variable is a warning, and one that a secret refers to is none.
func TestPolicyNames(t *testing.T) {
	t.Parallel()
	env := program.WorkingEnvironment(t, program.NewPKI(t))
	for _, name := range []string{"POLICY_FILE", "POLICY_PAHT", "POLICIES_PATH", "POSTURE_PATH"} {
		if r := program.Run(t, env.With(name, "x.yaml"), "", "check"); r.Code != 0 || !strings.Contains(r.Stdout+r.Stderr, name+" is not a variable of the connector and is ignored; did you mean POLICY_PATH?") {
			t.Errorf("%s: exit %d\n%s%s", name, r.Code, r.Stdout, r.Stderr)
		}
	}
	if r := program.Run(t, env.With("POLICY_XYZ", "x.yaml"), "", "check"); r.Code != 0 || !strings.Contains(r.Stdout+r.Stderr, "POLICY_XYZ is not a variable of the connector and is ignored") {
		t.Errorf("exit %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	const variable = "WEBHOOK_SECRET_DEVICES"
	text := threeLines + "webhooks:\n  - {name: devices, id: " + program.HookID(1) + ", secret: {env: " + variable + "}, policy: default}\n"
	for what, broken := range map[string]string{"good": "", "broken": "other: 1\n"} {
		p := program.NewPolicies(t, text+broken)
		r := program.Run(t, p.Environment(env).With(variable, program.NewSecret()), "", "check")
		if (r.Code != 0) != (broken != "") || strings.Contains(r.Stdout+r.Stderr, variable) {
			t.Errorf("%s: exit %d\n%s%s", what, r.Code, r.Stdout, r.Stderr)
		}
	}
}

// TestPolicyAtStart: the log says which policies are in effect, and for whom, and what in the file is probably a mistake.
func TestPolicyAtStart(t *testing.T) {
	t.Parallel()
	pki := program.NewPKI(t)
	text := `inventories:
  owned: {provider: file, path: devices.json, type: json}
  spare: {provider: file, path: devices.json, type: json}
` + threeLines + `  staff:
    inventories: [owned]
    also_in: [file]
    report_only: true
    rules: [{name: quiet, require: device.managed, enforce: 2099-01-02}]
    data: {vlan: '"10"'}
  unused: {inventories: [owned]}
webhooks:
  - {name: devices, id: ` + program.HookID(1) + `, secret: {file: devices.secret}, policy: staff}
`
	p := program.NewPolicies(t, text)
	p.WriteFile(t, "devices.json", `{"devices":[{"identifier":"C02XK1JKLVCG"}]}`)
	p.WriteFile(t, "devices.secret", program.NewSecret()+"\n")
	others := os.FileMode(0o002)
	if err := os.Chmod(p.Path, 0o600|others); err != nil {
		t.Fatal(err)
	}
	d := program.StartDaemon(t, p.Environment(program.WorkingEnvironment(t, pki)).With("HEALTH_ADDRESS", program.FreeHealth))
	d.WantLog(t,
		"policy file: hash "+program.HashOf(text),
		"policy default: inventories file; rules: named; webhooks: "+program.WebhookID,
		"policy staff: inventories owned; also in file; rules: none; rules that only report: quiet; required groups only report too; data: vlan; webhooks: devices",
		"posture.yaml:3:3: inventories.spare: no policy asks this inventory",
		"policies.unused: no webhook has this policy",
		"posture.yaml: every user of this machine may write to the file",
	)
	if got := d.Metric(t, `step_posture_policy_info{hash="`+program.HashOf(text)+`"}`); got != "1" {
		t.Errorf("policy_info is %s, want 1", got)
	}
	for _, series := range []string{
		`step_posture_rule_evaluations_total{policy="default",result="unmet",rule="named"}`,
		`step_posture_reloads_total{result="failure",source="policy"}`,
		`step_posture_webhook_secret_last_used_timestamp_seconds{secret="1",webhook="devices"}`,
	} {
		if got := d.Metric(t, series); got != "0" {
			t.Errorf("%s is %s, want 0", series, got)
		}
	}
	s := program.NewStepCA(t, pki, d.Address, nil)
	s.WantDecision(t, "of the environment", "C02XK1JKLVCG", program.Allowed)
	s.WantDecision(t, "of the environment", "DMPVLX9QHG5D", program.Refused("deviceRetired")+`"message":"This device is retired. (ref `)
}

// TestPolicyAlone: with a policy file that has everything, neither an inventory nor a webhook is in the environment.
func TestPolicyAlone(t *testing.T) {
	t.Parallel()
	pki := program.NewPKI(t)
	secret := program.NewSecret()
	p := program.NewPolicies(t, `inventories:
  owned: {provider: file, path: devices.json, type: json}
policies:
  staff: {inventories: [owned]}
webhooks:
  - {name: devices, id: `+program.HookID(1)+`, secret: {env: DEVICES_SECRET}, policy: staff}
`)
	p.WriteFile(t, "devices.json", `{"devices":[{"identifier":"C02XK1JKLVCG","data":{"a":1}}]}`)
	d := program.StartDaemon(t, p.Alone(t, pki).With("DEVICES_SECRET", secret))
	s := program.NewStepCA(t, pki, d.Address, nil)
	s.As(t, program.HookID(1), secret).WantAllow(t, "C02XK1JKLVCG", `{"a":1}`)
	s.As(t, program.HookID(1), secret).WantDecision(t, "unknown", "C02XK1JKLVCX", program.NotFound)
	if s.Accepted(t, "C02XK1JKLVCG") {
		t.Error("a webhook that is nowhere is accepted")
	}
	if code, status, wrong := d.Ready(t); code != 200 || status != "ok" {
		t.Errorf("/readyz = %d %s %q", code, status, wrong)
	}
	p.Write(t, "inventories:\n  owned: {provider: file, path: devices.json, type: json}\npolicies:\n  default: {inventories: [owned]}\n")
	d.AwaitLog(t, "no webhook may call: neither WEBHOOK_IDS nor the policy file has one", 1)
	if s.As(t, program.HookID(1), secret).Accepted(t, "C02XK1JKLVCG") {
		t.Error("the webhook is accepted after the file has none")
	}
	if r := program.Run(t, p.Alone(t, pki).With("HEALTH_ADDRESS", "off"), "", "check"); r.Code != 0 || !strings.Contains(r.Stdout, "\nwebhooks: none\n") {
		t.Errorf("check: exit %d, %s%s", r.Code, r.Stdout, r.Stderr)
	}
}
