//go:build linux

package blackbox_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/test/program"
)

// TestSnapshotFile: with its file, a daemon starts although the MDM refuses the credentials, and says until when it answers;
// lookup and check say so too. Without the file it does not start.
func TestSnapshotFile(t *testing.T) {
	t.Parallel()
	const good, bad = "C02XK1JKLVCG", "C02XK1JKLVCH"
	pki := program.NewPKI(t)
	server, d, _, p, env := startSnapshot(t, pki, "every: 1h, max_age: 2h, path: mdm.json", encryptedMac(good, true), encryptedMac(bad, false))
	inSnapshot(t, d, 2)
	file := strings.TrimSuffix(p.Path, "posture.yaml") + "mdm.json"
	d.Eventually(t, "the file is written", func() bool { _, err := os.Stat(file); return err == nil })
	if code, output := d.Stop(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, output)
	}
	byHand := env.With("HEALTH_ADDRESS", "off")
	lookup := func(identifier string, args ...string) string {
		result := program.Run(t, byHand, "", append([]string{"lookup", identifier}, args...)...)
		return result.Stdout
	}
	for _, c := range []struct{ what, got, want string }{
		{"lookup", lookup(good), "from its snapshots, the daemon allows the device until 20"},
		{"lookup, of the file", lookup(good), "snapshot of inventory mdm: computers: 2 devices as of 20"},
		{"lookup of another", lookup(bad), "from its snapshots, the daemon does not allow the device: it asks the inventories"},
		{"lookup --json", lookup(good, "--json"), `"snapshot":{"allows":true,"until":"20`},
		{"lookup --json of another", lookup(bad, "--json"), `"snapshot":{"allows":false,"lists":[{"inventory":"mdm","list":"computer","usable":true,"devices":2,"begun_at":"20`},
		{"check", program.Run(t, byHand, "", "check").Stdout, "snapshot of inventory mdm: computers: 2 devices as of 20"},
	} {
		if !strings.Contains(c.got, c.want) {
			t.Errorf("%s says\n%s\nwant %s", c.what, c.got, c.want)
		}
	}

	server.SetClients(jamftest.Client{ID: "another", Secret: "another"})
	if result := program.Run(t, byHand, "", "check"); result.Code != 1 || !strings.Contains(result.Stderr, "the daemon starts anyway") {
		t.Errorf("check exits with %d: %s", result.Code, result.Stderr)
	}
	again := program.StartDaemon(t, env)
	by := program.NewStepCA(t, pki, again.Address, nil)
	for serial, want := range map[string]int{good: http.StatusOK, bad: http.StatusServiceUnavailable} {
		if status, answer, err := by.SendMode(t, serial, ""); err != nil || status != want {
			t.Errorf("%s after a restart in an outage: %d %s, %v, want %d", serial, status, answer, err, want)
		}
	}
	again.Eventually(t, "/readyz is degraded", func() bool {
		code, status, wrong := again.Ready(t)
		return code == http.StatusOK && status == "degraded" && strings.Contains(wrong["provider"], "inventory mdm")
	})
	if code, output := again.Stop(t); code != 0 || strings.Contains(output, env["MDM_SECRET"]) {
		t.Errorf("exit code %d\n%s", code, output)
	}

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if result := program.Run(t, byHand, "", "serve"); result.Code != 1 || !strings.Contains(result.Stderr, "inventory mdm (jamf)") {
		t.Errorf("without the file: exit code %d\n%s", result.Code, result.Stderr)
	}
}

// TestSnapshotMistakes: an inventory that cannot be listed, a policy that reads what a list lacks, and a file that a variable
// names are found when the configuration is loaded.
func TestSnapshotMistakes(t *testing.T) {
	t.Parallel()
	server, env := program.StartJamf(t, program.NewPKI(t), program.Mac("C02XK1JKLVCG"))
	p := program.NewPolicies(t, "")
	env = p.Environment(env.With("PROVIDER", "", "JAMF_BASE_URL", "", "JAMF_CLIENT_ID", "", "JAMF_CLIENT_SECRET", "", "MDM_SECRET", server.Client().Secret,
		"AUDIT_LOG_PATH", strings.TrimSuffix(p.Path, "posture.yaml")+"audit.jsonl"))
	for text, want := range map[string]string{
		strings.Replace(snapshotOf(server, "every: 1h, max_age: 2h"), "    snapshot", "    api: classic\n    snapshot", 1): "inventory mdm: snapshot: its devices cannot be listed: the Classic API lists no records; the Pro API does; accepted: an inventory that can be listed as it is configured, or no key snapshot",
		snapshotOf(server, "every: 1h, max_age: 2h, path: audit.jsonl"):                                                    "audit.jsonl is also the file of AUDIT_LOG_PATH, which would be overwritten; accepted: a file of its own",
	} {
		p.Write(t, text+encryptedMacs)
		if result := program.Run(t, env, "", "check"); result.Code != 1 || !strings.Contains(result.Stderr, want) {
			t.Errorf("exit code %d: %s\nwant %s", result.Code, result.Stderr, want)
		}
	}
}

// TestSnapshotUntil: lookup says until when the list allows that has the device, although the list of other devices is older.
func TestSnapshotUntil(t *testing.T) {
	t.Parallel()
	const mac, phone = "C02XK1JKLVCG", "DMPXK1JKLVCH"
	server, d, _, p, env := startSnapshot(t, program.NewPKI(t), "every: 1h, max_age: 3h, path: mdm.json", encryptedMac(mac, true),
		jamftest.Device{Serial: phone, Managed: new(true)})
	inSnapshot(t, d, 1)
	p.Write(t, snapshotOf(server, "every: 1h, max_age: 3h, path: mdm.json")+encryptedMacs+"  phones: {inventories: [mdm], mode: mobiledevice, rules: []}\n")
	file := filepath.Join(p.Folder, "mdm.json")
	text := []byte(nil)
	d.Eventually(t, "the file has both lists", func() bool {
		text, _ = os.ReadFile(file)
		return strings.Contains(string(text), phone)
	})
	if code, output := d.Stop(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, output)
	}
	// The list of mobile devices is of two hours before.
	begun := regexp.MustCompile(`("mobiledevice":\{"begun_at":")([^"]+)`)
	older := begun.ReplaceAllFunc(text, func(found []byte) []byte {
		parts := begun.FindSubmatch(found)
		at, err := time.Parse(time.RFC3339, string(parts[2]))
		if err != nil {
			t.Fatal(err)
		}
		return []byte(string(parts[1]) + at.Add(-2*time.Hour).Format(time.RFC3339))
	})
	if err := os.WriteFile(file, older, 0o600); err != nil {
		t.Fatal(err)
	}
	until := func(identifier, policy string) time.Duration {
		result := program.Run(t, env.With("HEALTH_ADDRESS", "off"), "", "lookup", identifier, "--policy", policy, "--json")
		var x struct {
			Snapshot struct {
				Allows bool
				Until  time.Time
			}
		}
		if err := json.Unmarshal([]byte(result.Stdout), &x); err != nil || !x.Snapshot.Allows {
			t.Fatalf("%s: %v\n%s%s", identifier, err, result.Stdout, result.Stderr)
		}
		return time.Until(x.Snapshot.Until)
	}
	if ofMac, ofPhone := until(mac, "default"), until(phone, "phones"); ofMac-ofPhone < 110*time.Minute {
		t.Errorf("the Mac is allowed for %v, and the phone for %v: want two hours more", ofMac, ofPhone)
	}
}
