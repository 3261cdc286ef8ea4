//go:build linux

package blackbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
	"step-posture-connector/internal/test/program"
)

// snapshotOf is the section of a simulated Jamf Pro server in a policy file, with a snapshot.
func snapshotOf(server *jamftest.Server, snapshot string) string {
	return fmt.Sprintf("inventories:\n  mdm:\n    provider: jamf\n    base_url: %s\n    client_id: %s\n    client_secret: {env: MDM_SECRET}\n    snapshot: {%s}\n",
		server.BaseURL(), server.Client().ID, snapshot)
}

const encryptedMacs = "policies:\n  default:\n    inventories: [mdm]\n    mode: computer\n    rules: [{name: encrypted, require: device.encrypted, code: notEncrypted}]\n"

// startSnapshot starts a daemon whose only inventory is a simulated Jamf Pro server with a snapshot, and returns also its
// policy file.
func startSnapshot(t *testing.T, pki *program.PKI, snapshot string, devices ...jamftest.Device) (*jamftest.Server, *program.Daemon, *program.StepCA, *program.Policies, program.Environment) {
	t.Helper()
	server, env := program.StartJamf(t, pki, devices...)
	p := program.NewPolicies(t, snapshotOf(server, snapshot)+encryptedMacs)
	env = p.Environment(env.With("PROVIDER", "", "JAMF_BASE_URL", "", "JAMF_CLIENT_ID", "", "JAMF_CLIENT_SECRET", "", "MDM_SECRET", server.Client().Secret,
		"HEALTH_ADDRESS", program.FreeHealth, "AUDIT_LOG_PATH", filepath.Join(t.TempDir(), "audit.jsonl")))
	d := program.StartDaemon(t, env)
	return server, d, program.NewStepCA(t, pki, d.Address, nil), p, env
}

func encryptedMac(serial string, is bool) jamftest.Device {
	mac := program.Mac(serial)
	mac.Details.Encrypted = &is
	return mac
}

func inSnapshot(t *testing.T, d *program.Daemon, devices int) {
	t.Helper()
	d.Eventually(t, "the snapshot has the devices", func() bool {
		return d.HasSeries(t, fmt.Sprintf(`step_posture_snapshot_devices{inventory="mdm",list="computer"} %d`, devices))
	})
}

// TestSnapshot: in an outage, those are allowed that the inventory would allow; nobody is refused. What the copy says is in
// the log, in the audit log, in the metrics and in /readyz.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	const good, bad, added, unknown = "C02XK1JKLVCG", "C02XK1JKLVCH", "C02XK1JKLVCJ", "C02XK1JKLVCK"
	server, d, by, p, env := startSnapshot(t, program.NewPKI(t), "every: 1h, max_age: 2h", encryptedMac(good, true), encryptedMac(bad, false))
	want := func(what, serial string, status int, text string) {
		t.Helper()
		if got, answer, err := by.SendMode(t, serial, ""); err != nil || got != status || !strings.Contains(answer, text) {
			t.Errorf("%s: %d %s, %v, want %d and %s", what, got, answer, err, status, text)
		}
	}
	const allowed, refused = `"allow":true`, `"allow":false`
	inSnapshot(t, d, 2)
	want("in the snapshot", good, http.StatusOK, allowed)
	d.AwaitLog(t, "snapshot-age=", 1)
	want("refused by the inventory itself", bad, http.StatusOK, "notEncrypted")
	want("unknown to the inventory itself", unknown, http.StatusOK, "deviceNotFound")
	server.Add(encryptedMac(added, true))
	want("added since", added, http.StatusOK, allowed)
	if _, status, wrong := d.Ready(t); status != "ok" {
		t.Errorf("/readyz is %s: %q", status, wrong)
	}

	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusInternalServerError}, jamftest.Computers+"4", jamftest.MobileDevices)
	want("in the snapshot, in an outage", good, http.StatusOK, allowed)
	want("refused, in an outage", bad, http.StatusServiceUnavailable, "")
	want("unknown, in an outage", unknown, http.StatusServiceUnavailable, "")
	want("added since, in an outage", added, http.StatusServiceUnavailable, "")
	d.Hangup(t) // fetches
	d.Eventually(t, "/readyz says until when the snapshot answers", func() bool {
		code, status, wrong := d.Ready(t)
		return code == http.StatusOK && status == "degraded" && strings.Contains(wrong["snapshot"], "inventory mdm: computers: the last fetch was not adopted: ") &&
			strings.Contains(wrong["snapshot"], "; the snapshot of 20") && strings.Contains(wrong["snapshot"], " answers until 20")
	})
	d.AwaitLog(t, "level=warning msg=\"snapshot of inventory mdm: ", 1)

	server.Heal()
	d.Hangup(t)
	inSnapshot(t, d, 3)
	d.Eventually(t, "/readyz is ok", func() bool {
		want("added", bad, http.StatusOK, refused)
		_, status, _ := d.Ready(t)
		return status == "ok"
	})

	// A rule that reads more is decided on a fetch that has read it, at once; the copy goes on for others meanwhile.
	p.Write(t, snapshotOf(server, "every: 1h, max_age: 2h")+strings.Replace(encryptedMacs, "device.encrypted,", "device.encrypted && device.os_version.atLeast('1'),", 1))
	d.AwaitLog(t, "reloaded: policies and webhooks", 1)
	before := strings.Count(d.Output(), "snapshot-age=")
	d.Eventually(t, "the snapshot has what the new rule reads", func() bool {
		want("another rule", good, http.StatusOK, allowed)
		return strings.Count(d.Output(), "snapshot-age=") > before
	})

	// Without the key there is no snapshot, and nothing is fetched any more.
	p.Write(t, strings.Replace(snapshotOf(server, ""), "    snapshot: {}\n", "", 1)+encryptedMacs)
	d.Eventually(t, "its series are gone", func() bool { return !d.HasSeries(t, `step_posture_snapshot_devices{inventory="mdm"`) })
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusInternalServerError}, jamftest.Computers+"4", jamftest.MobileDevices)
	want("without a snapshot, in an outage", good, http.StatusServiceUnavailable, "")

	recalled := 0
	trail, err := os.ReadFile(env["AUDIT_LOG_PATH"])
	if err != nil {
		t.Fatal(err)
	}
	for text := range strings.Lines(string(trail)) {
		var line struct {
			Decision, Identifier string
			SnapshotAge          *int `json:"snapshot_age"`
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		if line.SnapshotAge != nil {
			recalled++
			if line.Decision != "allow" || *line.SnapshotAge < 0 {
				t.Errorf("%s: %s rests on a snapshot of %d s", line.Identifier, line.Decision, *line.SnapshotAge)
			}
		}
	}
	if recalled == 0 {
		t.Error("the audit log has no decision that rests on a snapshot")
	}
	if code, output := d.Stop(t); code != 0 || strings.Contains(output, env["MDM_SECRET"]) {
		t.Errorf("exit code %d\n%s", code, output)
	}
}

// TestSnapshotAndSecrets: another secret keeps the copy, and another server drops it.
func TestSnapshotAndSecrets(t *testing.T) {
	t.Parallel()
	const good = "C02XK1JKLVCG"
	server, d, by, p, _ := startSnapshot(t, program.NewPKI(t), "every: 1h, max_age: 2h", encryptedMac(good, true))
	inSnapshot(t, d, 1)
	text := snapshotOf(server, "every: 1h, max_age: 2h") + encryptedMacs
	server.Close()
	p.WriteFile(t, "other", "another-secret")
	p.Write(t, strings.Replace(text, "{env: MDM_SECRET}", "{file: other}", 1))
	d.AwaitLog(t, "reloaded: policies and webhooks", 1)
	if status, answer, err := by.SendMode(t, good, ""); err != nil || status != http.StatusOK || !strings.Contains(answer, `"allow":true`) {
		t.Errorf("with another secret: %d %s, %v", status, answer, err)
	}
	p.Write(t, strings.Replace(text, server.Client().ID, "another", 1))
	d.AwaitLog(t, "reloaded: policies and webhooks", 2)
	if status, answer, err := by.SendMode(t, good, ""); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("of another account: %d %s, %v", status, answer, err)
	}
}
