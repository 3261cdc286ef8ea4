package daemon_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/console"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/posture"
)

const livePolicy = `
inventories:
  owned: {provider: file, path: DIR/owned.csv, type: csv}
policies:
  default:
    inventories: [owned]
    rules:
      - {name: encrypted, require: device.encrypted, code: diskNotEncrypted, message: Turn FileVault on}
      - {name: named, require: 'device.name != ""', when: device.managed, enforce: 2099-01-01}
  reports:
    inventories: [owned]
    report_only: true
    rules: [{name: encrypted, require: device.encrypted}]
`

// liveOf is a daemon with the policy file above, beside a list of devices.
func liveOf(t *testing.T) (in installation, live console.Live, reload func() error, noted func(string, error)) {
	t.Helper()
	in = install(t)
	in.write(t, "owned.csv", "Identifier,device.encrypted,device.name\nC02ALLOWED,true,a\nC02REFUSED,false,b\nC02UNKNOWN,,\n")
	in.write(t, "posture.yaml", strings.ReplaceAll(livePolicy, "DIR", in.folder))
	live, reload, noted = in.loaded(t, map[string]string{"POLICY_PATH": "DIR/posture.yaml", "PROVIDER": ""}).ConsoleLive()
	return in, live, reload, noted
}

// The console shows what is in effect, and what is wrong with an inventory until its next answer.
func TestConsoleLive(t *testing.T) {
	t.Parallel()
	_, live, _, noted := liveOf(t)
	inventories := live.Inventories()
	if len(inventories) != 1 || inventories[0].Name != "owned" || inventories[0].Kind != "file" || !inventories[0].InMemory || inventories[0].Devices != 3 || inventories[0].Fetched.IsZero() || inventories[0].Wrong != "" {
		t.Errorf("the inventories are %+v", inventories)
	}
	noted("owned", errors.New("it is\ndown"))
	if wrong := live.Inventories()[0].Wrong; wrong != "the last lookup was not answered: it is; down" {
		t.Errorf("wrong is %q", wrong)
	}
	noted("owned", nil)
	if wrong := live.Inventories()[0].Wrong; wrong != "" {
		t.Errorf("wrong is still %q", wrong)
	}
	policies := live.Policies()
	if len(policies) != 2 || policies[0].Name != "default" || policies[1].Name != "reports" || len(policies[0].Rules) != 2 {
		t.Fatalf("the policies are %+v", policies)
	}
	want := console.Rule{Name: "encrypted", Expression: "device.encrypted", Message: "Turn FileVault on", Code: "diskNotEncrypted"}
	if got := policies[0].Rules[0]; got != want {
		t.Errorf("the rule is %+v, want %+v", got, want)
	}
	if got := policies[0].Rules[1]; got.Expression != "device.name != \"\"\n\nonly where:\ndevice.managed" || got.From.Year() != 2099 || got.ReportOnly {
		t.Errorf("the rule that begins later is %+v", got)
	}
	if !policies[1].Rules[0].ReportOnly {
		t.Error("a rule of a policy that only reports is enforced")
	}
}

// A lookup decides as a webhook does, by the policies in effect.
func TestConsoleDecides(t *testing.T) {
	t.Parallel()
	in, live, reload, _ := liveOf(t)
	decide := func(policy, identifier string) journal.Decision {
		t.Helper()
		decided, err := live.Decide(t.Context(), policy, identifier, posture.Computer)
		if err != nil {
			t.Fatal(err)
		}
		d, err := journal.Parse(decided.Found)
		if err != nil || d.Reference != "" || d.Time.IsZero() || d.Facts == nil || decided.Took < 0 {
			t.Errorf("%s: %+v, %v", identifier, d, err)
		}
		return d
	}
	if d := decide("default", "c02allowed"); !d.Allowed() || d.Inventory != "owned" || d.Provider != "file" || len(d.Rules) != 2 || d.Policy != "default" || d.Door != "webhook" {
		t.Errorf("allowed: %+v", d)
	}
	if d := decide("default", "C02REFUSED"); d.Allowed() || d.Code != "diskNotEncrypted" || d.Rules[0].Message != "Turn FileVault on" || !strings.Contains(d.Reason, "device.encrypted is false") {
		t.Errorf("refused: %+v", d)
	}
	if d := decide("default", "C02UNKNOWN"); d.Allowed() || d.Rules[0].Result != "unknown" || len(d.WouldDeny) != 1 {
		t.Errorf("unknown: %+v", d)
	}
	if d := decide("reports", "C02REFUSED"); !d.Allowed() || len(d.WouldDeny) != 1 {
		t.Errorf("report only: %+v", d)
	}
	if d := decide("default", "C02NONE"); d.Allowed() || d.Code != string(posture.DeviceNotFound) || d.Facts.Records[0].Answer != "not_found" {
		t.Errorf("not found: %+v", d)
	}
	for _, wrong := range []struct{ policy, identifier string }{{"none", "C02ALLOWED"}, {"", "C02ALLOWED"}, {"default", ""}, {"default", "a\u202e"}} {
		if decided, err := live.Decide(t.Context(), wrong.policy, wrong.identifier, ""); err == nil {
			t.Errorf("%+v: decided %s", wrong, decided.Line)
		}
	}
	ended, end := context.WithDeadline(t.Context(), time.Now().Add(-time.Hour))
	defer end()
	if decided, err := live.Decide(ended, "default", "C02ALLOWED", ""); err == nil && strings.Contains(string(decided.Line), `"code":"internal"`) {
		t.Errorf("after the time: %s", decided.Line)
	}
	in.write(t, "posture.yaml", strings.Replace(strings.ReplaceAll(livePolicy, "DIR", in.folder), "require: device.encrypted, code: diskNotEncrypted", "require: '!device.encrypted', code: other", 1))
	if err := reload(); err != nil {
		t.Fatal(err)
	}
	if d := decide("default", "C02ALLOWED"); d.Allowed() || d.Code != "other" {
		t.Errorf("after the reload: %+v", d)
	}
}

// Without a policy file there is one policy, which has no name.
func TestConsoleLiveWithoutPolicies(t *testing.T) {
	t.Parallel()
	live, _, noted := install(t).loaded(t, nil).ConsoleLive()
	if policies := live.Policies(); len(policies) != 1 || policies[0].Name != "" || policies[0].Rules != nil {
		t.Errorf("the policies are %+v", policies)
	}
	noted("file", nil)
	if inventories := live.Inventories(); len(inventories) != 1 || inventories[0].Devices != 1 {
		t.Errorf("the inventories are %+v", inventories)
	}
	decided, err := live.Decide(t.Context(), "", "C02XK1JKLVCG", "")
	if d, errParse := journal.Parse(decided.Found); err != nil || errParse != nil || !d.Allowed() || d.Provider != "file" {
		t.Errorf("Decide() = %s, %v", decided.Line, errors.Join(err, errParse))
	}
}
