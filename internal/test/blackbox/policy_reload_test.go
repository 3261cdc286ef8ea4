package blackbox_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// hookLines are the webhooks of a policy file: each has the name and the file of its secrets, which end in ".secret".
func hookLines(hooks ...string) string {
	lines := "webhooks:\n"
	for _, hook := range hooks {
		name, secrets, _ := strings.Cut(hook, " ")
		var files []string
		for file := range strings.FieldsSeq(secrets) {
			files = append(files, "{file: "+file+"}")
		}
		lines += fmt.Sprintf("  - {name: %s, id: %s, secret: [%s], policy: default}\n", name, program.HookID(int(name[0])), strings.Join(files, ", "))
	}
	return lines
}

// TestPolicyReload: a webhook, a secret or a rule counts from the next request on, and one that is gone is refused from then
// on, also on open connections. A broken file changes nothing.
func TestPolicyReload(t *testing.T) {
	t.Parallel()
	pki := program.NewPKI(t)
	secrets := map[string]string{"a.secret": program.NewSecret(), "b.secret": program.NewSecret(), "new.secret": program.NewSecret()}
	rule := func(code string) string {
		return "policies:\n  default:\n    rules: [{name: of_" + strings.ToLower(code) + ", require: 'device.identifier == \"none\"', code: " + code + "}]\n"
	}
	first := rule("first") + hookLines("a a.secret")
	p := program.NewPolicies(t, first)
	for name, secret := range secrets {
		if name != "new.secret" {
			p.WriteFile(t, name, secret)
		}
	}
	d := program.StartDaemon(t, p.Environment(program.WorkingEnvironment(t, pki)).With("HEALTH_ADDRESS", program.FreeHealth))
	s := program.NewStepCA(t, pki, d.Address, nil)
	a, b := s.As(t, program.HookID('a'), secrets["a.secret"]), s.As(t, program.HookID('b'), secrets["b.secret"])
	rotated := s.As(t, program.HookID('a'), secrets["new.secret"])
	const device = "C02XK1JKLVCG"
	a.WantDecision(t, "at first", device, program.Refused("first"))
	if b.Accepted(t, device) {
		t.Error("b is accepted before it exists")
	}
	inEffect := func(text string) {
		t.Helper()
		d.Eventually(t, "the file is in effect", func() bool {
			return d.HasSeries(t, `step_posture_policy_info{hash="`+program.HashOf(text)+`"} 1`)
		})
	}
	second := rule("second") + hookLines("a a.secret", "b b.secret")
	p.Overwrite(t, second) // in place, as some editors do
	inEffect(second)
	a.WantDecision(t, "another rule", device, program.Refused("second"))
	b.WantDecision(t, "a new webhook", device, program.Refused("second"))
	for series, want := range map[string]bool{
		`step_posture_rule_evaluations_total{policy="default",result="unmet",rule="of_first"}`:  false,
		`step_posture_rule_evaluations_total{policy="default",result="unmet",rule="of_second"}`: true,
		`step_posture_decisions_total{caller="a",code="first"`:                                  false,
		`step_posture_policy_info{hash="` + program.HashOf(first):                               false,
	} {
		if d.HasSeries(t, series) != want {
			t.Errorf("/metrics has %s: %v, want %v", series, !want, want)
		}
	}
	d.WantLog(t, "policy file: hash "+program.HashOf(second), "policy default: inventories file; rules: of_second; webhooks: "+program.WebhookID+", a, b")

	// Broken, and without b: b stays. The repair is the creation of the secret that the file names.
	third := rule("third") + hookLines("a new.secret a.secret")
	failures := `step_posture_reloads_total{result="failure",source="policy"}`
	p.Write(t, third)
	d.Eventually(t, "/readyz reports the missing secret", func() bool {
		code, status, wrong := d.Ready(t)
		return code == http.StatusOK && status == "degraded" && strings.Contains(wrong["policy"], "webhooks[0].secret[0].file: the file cannot be read: no such file")
	})
	if d.Metric(t, failures) == "0" {
		t.Error("no failure was counted")
	}
	d.WantLog(t, "level=error msg=\"reload failed, keeping the previous version: ")
	if !d.HasSeries(t, `step_posture_policy_info{hash="`+program.HashOf(second)) {
		t.Error("the hash is not that of the file in effect")
	}
	b.WantDecision(t, "gone in a broken file", device, program.Refused("second"))
	used := d.Metric(t, `step_posture_webhook_secret_last_used_timestamp_seconds{secret="1",webhook="a"}`)
	p.WriteFile(t, "new.secret", secrets["new.secret"])
	inEffect(third)
	if b.Accepted(t, device) {
		t.Error("b is accepted after it has gone, on an open connection")
	}
	lastUse := func(n int) string {
		return d.Metric(t, fmt.Sprintf(`step_posture_webhook_secret_last_used_timestamp_seconds{secret="%d",webhook="a"}`, n))
	}
	if used == "0" || lastUse(1) != "0" || lastUse(2) != used {
		t.Errorf("last uses: %s before; new %s, old %s; want 0 and the same", used, lastUse(1), lastUse(2))
	}
	a.WantDecision(t, "the old secret", device, program.Refused("third"))
	rotated.WantDecision(t, "the new secret", device, program.Refused("third"))
	if lastUse(1) == "0" {
		t.Error("the use of the new secret is not noted")
	}
	d.Eventually(t, "/readyz is ok", func() bool { _, status, _ := d.Ready(t); return status == "ok" })

	// The content of a secret's file changes, and nothing else.
	p.WriteFile(t, "a.secret", program.NewSecret())
	d.Eventually(t, "the secret is another one", func() bool { return !a.Accepted(t, device) })
	rotated.WantDecision(t, "the other secret stays", device, program.Refused("third"))
	if code, output := d.Stop(t); code != 0 || strings.Contains(output, secrets["a.secret"][:12]) {
		t.Errorf("exit code %d\n%s", code, output)
	}
}

// TestWebhookFilesAreReloaded: IDs and secrets in files of the environment are read again, with and without a policy file.
func TestWebhookFilesAreReloaded(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"with a policy file": threeLines, "without": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pki := program.NewPKI(t)
			p := program.NewPolicies(t, text)
			other := program.NewSecret()
			ids, secrets := p.WriteFile(t, "ids", program.WebhookID+"\n"), p.WriteFile(t, "secrets", program.WebhookSecret+"\n")
			socket, reported := serviceManager(t)
			env := program.WorkingEnvironment(t, pki).With("WEBHOOK_IDS_FILE", ids, "WEBHOOK_SECRETS_FILE", secrets, "HEALTH_ADDRESS", program.FreeHealth, "NOTIFY_SOCKET", socket)
			delete(env, "WEBHOOK_IDS")
			delete(env, "WEBHOOK_SECRETS")
			if text != "" {
				env = p.Environment(env)
			}
			d := program.StartDaemon(t, env)
			s := program.NewStepCA(t, pki, d.Address, nil)
			second := s.As(t, program.HookID(2), other)
			s.WantDecision(t, "at first", "C02XK1JKLVCG", program.Allowed)
			// Two files change together, one after the other.
			p.WriteFile(t, "ids", program.WebhookID+"\n"+program.HookID(2)+"\n")
			p.WriteFile(t, "secrets", program.WebhookSecret+"\n"+other+"\n")
			d.Eventually(t, "the new webhook is accepted", func() bool { return second.Accepted(t, "C02XK1JKLVCG") })
			s.WantDecision(t, "still", "C02XK1JKLVCG", program.Allowed)

			p.WriteFile(t, "ids", "nonsense\n")
			d.Eventually(t, "/readyz reports it", func() bool {
				_, status, wrong := d.Ready(t)
				return status == "degraded" && strings.Contains(wrong["policy"], "WEBHOOK_IDS")
			})
			second.WantDecision(t, "broken", "C02XK1JKLVCG", program.Allowed)
			p.WriteFile(t, "ids", program.HookID(2)+"\n")
			p.WriteFile(t, "secrets", other+"\n")
			d.Hangup(t)
			d.Eventually(t, "the first webhook is gone", func() bool { return !s.Accepted(t, "C02XK1JKLVCG") })
			second.WantDecision(t, "alone", "C02XK1JKLVCG", program.Allowed)
			d.Eventually(t, "the service manager has both states", func() bool {
				states := strings.Join(reported(), " ")
				return strings.Contains(states, "RELOADING=1") && strings.HasSuffix(states, "READY=1")
			})
		})
	}
}

// TestInventoriesOfPolicyReload: an inventory that stays reloads its own file, a new one does too, and one that is gone
// leaves nothing behind.
func TestInventoriesOfPolicyReload(t *testing.T) {
	t.Parallel()
	pki := program.NewPKI(t)
	secret := program.NewSecret()
	text := func(names ...string) string {
		lines := "inventories:\n"
		for _, name := range names {
			lines += "  " + name + ": {provider: file, path: " + name + ".csv, type: csv}\n"
		}
		return lines + "policies:\n  default: {inventories: [" + strings.Join(names, ", ") + "]}\n" + hookLines("a a.secret")
	}
	p := program.NewPolicies(t, text("one", "two"))
	p.WriteFile(t, "a.secret", secret)
	list := func(name string, devices ...string) string {
		return p.WriteFile(t, name+".csv", "Identifier\n"+strings.Join(devices, "\n")+"\n")
	}
	list("one", "C0000001")
	list("two", "C0000002")
	list("three", "C0000003")
	d := program.StartDaemon(t, p.Alone(t, pki))
	s := program.NewStepCA(t, pki, d.Address, nil).As(t, program.HookID('a'), secret)
	finds := func(device string) func() bool {
		return func() bool { t.Helper(); return s.Answers(t, device, program.Allowed) }
	}
	if got := d.Metric(t, `step_posture_reloads_total{result="failure",source="inventory/two"}`); got != "0" {
		t.Errorf("%s failed reloads, want 0", got)
	}
	s.WantDecision(t, "first", "C0000001", program.Allowed)
	s.WantDecision(t, "second", "C0000002", program.Allowed)
	s.WantDecision(t, "not yet", "C0000003", program.NotFound)
	p.Write(t, text("one", "three"))
	d.Eventually(t, "the third is asked", finds("C0000003"))
	s.WantDecision(t, "gone", "C0000002", program.NotFound)

	list("one", "C0000001", "C0000011")
	d.Eventually(t, "one that stayed is reloaded", finds("C0000011"))
	list("three", "C0000003", "C0000033")
	d.Eventually(t, "a new one is reloaded", finds("C0000033"))
	if d.HasSeries(t, `step_posture_decisions_total{caller="a",code="none",outcome="allow",policy="default",provider="two"}`) || d.HasSeries(t, `step_posture_reloads_total{result="failure",source="inventory/two"}`) {
		t.Error("the inventory that is gone has series")
	}
	// Its file is broken now, which concerns no one.
	two := list("two", "C0000002,")
	p.WriteFile(t, "one.csv", "Identifier\nC0000001,\n")
	d.Eventually(t, "/readyz names the broken file", func() bool {
		_, status, wrong := d.Ready(t)
		return status == "degraded" && strings.Contains(wrong["inventory"], "one.csv")
	})
	d.Hangup(t)
	if _, _, wrong := d.Ready(t); strings.Contains(wrong["inventory"], two) {
		t.Errorf("/readyz names an inventory that is gone: %q", wrong)
	}
	p.Write(t, text("three"))
	d.Eventually(t, "what was wrong with one that is gone is over", func() bool { _, status, _ := d.Ready(t); return status == "ok" })
	s.WantDecision(t, "gone", "C0000001", program.NotFound)

	// The same name, with another file: its series are those of the new one.
	p.Write(t, strings.Replace(text("three"), "three.csv", "four.csv", 1))
	if err := os.Rename(filepath.Join(p.Folder, "three.csv"), filepath.Join(p.Folder, "four.csv")); err != nil {
		t.Fatal(err)
	}
	d.Eventually(t, "the other file is read", func() bool {
		return strings.Contains(d.Output(), "four.csv") || d.HasSeries(t, "step_posture_policy_info")
	})
	list("four", "C0000004")
	d.Eventually(t, "the other file is in effect", finds("C0000004"))
	if code, output := d.Stop(t); code != 0 || strings.Contains(output, "panic") {
		t.Errorf("exit code %d\n%s", code, output)
	}
}
