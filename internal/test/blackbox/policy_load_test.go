package blackbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/test/program"
)

// changingPolicies writes versions of a policy file. Everything in a version has its number: the data that an allow has, and
// the code and message of a refusal.
type changingPolicies struct {
	*program.Policies

	jamf    *jamftest.Server
	version atomic.Int64 // the last that was written
}

// The devices: one that every version allows, and one that every version refuses.
const (
	passes  = "C02XK1JKLVCG"
	refused = "C02XK1JKLVCH"
)

// write writes the next version, or a broken one, by rename or in place. The webhook honest has the old and the new secret
// while they are exchanged; guest comes and goes; so does an inventory.
func (c *changingPolicies) write(t *testing.T, broken, inPlace bool) {
	t.Helper()
	v := c.version.Add(1)
	text := "inventories:\n"
	text += fmt.Sprintf("  mdm: {provider: jamf, base_url: %q, client_id: %s, client_secret: {file: mdm.secret}}\n", c.jamf.BaseURL(), c.jamf.Client().ID)
	inventories := "mdm"
	if v%3 == 0 {
		text += "  spare: {provider: file, path: spare.csv, type: csv}\n"
		inventories += ", spare"
	}
	text += fmt.Sprintf(`policies:
  staff:
    inventories: [%s]
    mode: computer
    rules:
      - {name: rule%d, require: 'device.identifier != "%s"', code: code%d, message: Version %d.}
    data: {version: "%d", again: "%d"}
  guests: {inventories: [mdm], mode: computer, data: {version: "%d", again: "%d"}}
`, inventories, v, refused, v, v, v, v, v, v)
	secrets := "{file: honest1.secret}"
	if v%2 == 0 {
		secrets = "[{file: honest1.secret}, {file: honest2.secret}]"
	}
	text += fmt.Sprintf("webhooks:\n  - {name: honest, id: %s, secret: %s, policy: staff}\n", program.HookID(1), secrets)
	if v%4 < 2 {
		text += fmt.Sprintf("  - {name: guest, id: %s, secret: {file: guest.secret}, policy: guests}\n", program.HookID(2))
	}
	if broken {
		text = []string{text[:len(text)/2], strings.Replace(text, "device.identifier", "device.identifer", 1), strings.Replace(text, "policy: staff", "policy: nobody", 1)}[v%3]
	}
	if inPlace {
		c.Overwrite(t, text)
	} else {
		c.Write(t, text)
	}
}

// ask makes a request, and wants the whole answer of one version.
func (c *changingPolicies) ask(t *testing.T, by *program.StepCA, device string) {
	t.Helper()
	status, text, err := by.Send(t, program.WebhookBody(device))
	var answer struct {
		Allow bool
		Data  struct{ Version, Again int64 }
		Error struct{ Code, Message string }
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &answer)
	}
	number := answer.Data.Version
	whole := answer.Allow && device == passes && answer.Data.Again == number
	if device == refused {
		number, _ = strconv.ParseInt(strings.TrimPrefix(answer.Error.Code, "code"), 10, 64)
		whole = !answer.Allow && strings.HasPrefix(answer.Error.Message, fmt.Sprintf("Version %d. (ref ", number))
	}
	if err != nil || status != http.StatusOK || !whole || number < 1 || number > c.version.Load() {
		t.Errorf("%s: got %d %.200s (%v), want the answer of one version", device, status, text, err)
	}
}

// TestPolicyUnderLoad: while the policy file changes a hundred times, a third of them to something broken, webhooks and an
// inventory come and go, and secrets are exchanged, 10,000 requests are answered by one version each, and the inventory that
// did not change needs one token. Four daemons share the changes, because each reload waits until the file is quiet.
func TestPolicyUnderLoad(t *testing.T) {
	t.Parallel()
	const daemons, changes, requests = 4, 100, 10_000
	for i := range daemons {
		t.Run(fmt.Sprint("daemon ", i), func(t *testing.T) {
			t.Parallel()
			changeUnderLoad(t, changes/daemons, requests/daemons)
		})
	}
}

func changeUnderLoad(t *testing.T, changes int, requests int64) {
	t.Helper()
	pki := program.NewPKI(t)
	server, env := program.StartJamf(t, pki, program.Mac(passes), program.Mac(refused))
	c := &changingPolicies{Policies: program.NewPolicies(t, ""), jamf: server}
	secret, guestSecret := program.NewSecret(), program.NewSecret()
	for name, content := range map[string]string{
		"mdm.secret": server.Client().Secret, "honest1.secret": secret, "honest2.secret": program.NewSecret(), "guest.secret": guestSecret, "spare.csv": "Identifier\nC0000009\n",
	} {
		c.WriteFile(t, name, content)
	}
	c.write(t, false, false)
	d := program.StartDaemon(t, c.Alone(t, pki).With("SSL_CERT_FILE", env["SSL_CERT_FILE"]))
	honest := program.NewStepCA(t, pki, d.Address, nil).As(t, program.HookID(1), secret)
	guest := honest.As(t, program.HookID(2), guestSecret)

	ctx, end := context.WithCancel(t.Context())
	defer end()
	var asked atomic.Int64
	var working sync.WaitGroup
	defer func() { end(); working.Wait() }() // also when the test ends early
	for _, device := range []string{passes, refused} {
		working.Go(func() {
			for !t.Failed() && (ctx.Err() == nil || asked.Load() < requests) {
				c.ask(t, honest, device)
				asked.Add(1)
			}
		})
	}
	working.Go(func() { // whether the guest is accepted depends on the version; nothing else may come out
		for ctx.Err() == nil {
			guest.Accepted(t, passes)
		}
	})
	counted := regexp.MustCompile(`(?m)^step_posture_reloads_total\{result="(\w+)",source="policy"\} (\d+)$`)
	reloads := func() (sum int) {
		_, text := d.Get(t, "/metrics")
		for _, series := range counted.FindAllStringSubmatch(text, -1) {
			n, _ := strconv.Atoi(series[2])
			sum += n
		}
		return sum
	}
	tokens := server.TokensIssued()
	for i := range changes {
		if t.Failed() {
			return
		}
		before := reloads()
		if i%5 == 4 { // the secret that is in every version is exchanged with the other one
			c.WriteFile(t, "honest2.secret", program.NewSecret())
		}
		c.write(t, i%3 == 2, i%2 == 1)
		d.Eventually(t, "it was reloaded or refused", func() bool { return reloads() > before })
	}
	c.write(t, false, false)
	last := fmt.Sprintf(`"version":%d`, c.version.Load())
	d.Eventually(t, "the last version is in effect", func() bool {
		_, text, _ := honest.Send(t, program.WebhookBody(passes))
		return strings.Contains(text, last)
	})
	end()
	working.Wait()
	t.Logf("%d requests, %d reloads", asked.Load(), reloads())
	if got := server.TokensIssued(); tokens != 1 || got != tokens {
		t.Errorf("%d tokens at first, %d in the end, want one", tokens, got)
	}
	if v := server.Violations(); len(v) > 0 {
		t.Errorf("the MDM saw: %q", v)
	}
	if code, status, wrong := d.Ready(t); code != http.StatusOK || status != "ok" {
		t.Errorf("in the end /readyz = %d %s %q", code, status, wrong)
	}
	if d.Metric(t, `step_posture_reloads_total{result="failure",source="policy"}`) == "0" {
		t.Error("no broken file was refused")
	}
	c.wantOneVersion(t, d)
	if code, output := d.Stop(t); code != 0 || strings.Contains(output, "panic") || strings.Contains(output, "level=error msg=\"[") {
		t.Errorf("exit code %d\n%s", code, output[max(0, len(output)-5000):])
	}
}

// wantOneVersion wants series of the last version only.
func (c *changingPolicies) wantOneVersion(t *testing.T, d *program.Daemon) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.Folder, "posture.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, metrics := d.Get(t, "/metrics")
	for what, want := range map[string]string{"hash": program.HashOf(string(text)), "rule": fmt.Sprintf("rule%d", c.version.Load()), "code": fmt.Sprintf("code%d", c.version.Load())} {
		var got []string
		for _, found := range regexp.MustCompile(`step_posture_\w+\{[^}]*\b`+what+`="(`+what+`\d+|[0-9a-f]{64})"`).FindAllStringSubmatch(metrics, -1) {
			got = append(got, found[1])
		}
		slices.Sort(got)
		if got = slices.Compact(got); len(got) > 1 || len(got) == 1 && got[0] != want {
			t.Errorf("series have the %ss %q, want %s only", what, got, want)
		}
	}
}
