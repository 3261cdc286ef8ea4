//go:build linux

package blackbox_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
	"step-posture-connector/internal/test/program"
)

// TestSnapshotAfterOutage: after an outage /readyz gets ok with the next fetch, although no device needs a lookup.
func TestSnapshotAfterOutage(t *testing.T) {
	t.Parallel()
	const good, unknown = "C02XK1JKLVCG", "C02XK1JKLVCK"
	server, d, by, _, _ := startSnapshot(t, program.NewPKI(t), "every: 1h, max_age: 2h", encryptedMac(good, true))
	inSnapshot(t, d, 1)
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusInternalServerError}, jamftest.Computers+"4")
	if status, answer, err := by.SendMode(t, unknown, ""); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("in an outage: %d %s, %v", status, answer, err)
	}
	d.Eventually(t, "/readyz is degraded", func() bool {
		_, status, wrong := d.Ready(t)
		return status == "degraded" && wrong["provider"] != ""
	})
	server.Heal()
	d.Hangup(t)
	d.Eventually(t, "/readyz is ok", func() bool { _, status, _ := d.Ready(t); return status == "ok" })
}

// TestSnapshotHangs: while a fetch hangs, devices are decided, from the snapshot and by lookups; and the daemon can be stopped.
func TestSnapshotHangs(t *testing.T) {
	t.Parallel()
	const good, bad = "C02XK1JKLVCG", "C02XK1JKLVCH"
	server, d, by, _, env := startSnapshot(t, program.NewPKI(t), "every: 1h, max_age: 2h, path: mdm.json", encryptedMac(good, true), encryptedMac(bad, false))
	inSnapshot(t, d, 2)
	requests := server.Count(jamftest.Computers + "4")
	server.Fail(vendortest.Fault{Kind: vendortest.Hang, Times: 1}, jamftest.Computers+"4")
	d.Hangup(t)
	d.Eventually(t, "the fetch has begun", func() bool { return server.Count(jamftest.Computers+"4") > requests })
	for serial, want := range map[string]string{good: `"allow":true`, bad: "notEncrypted"} {
		if status, answer, err := by.SendMode(t, serial, ""); err != nil || status != http.StatusOK || !strings.Contains(answer, want) {
			t.Errorf("%s while a fetch hangs: %d %s, %v", serial, status, answer, err)
		}
	}
	if code, output := d.Stop(t); code != 0 || !strings.Contains(output, "stopped; every request was answered") || strings.Contains(output, env["MDM_SECRET"]) {
		t.Errorf("exit code %d\n%s", code, output)
	}
}

// TestSnapshotTooManyRequests: a list that the MDM turns away for a while neither fails nor makes lookups fail.
func TestSnapshotTooManyRequests(t *testing.T) {
	t.Parallel()
	const good, bad = "C02XK1JKLVCG", "C02XK1JKLVCH"
	server, d, by, _, _ := startSnapshot(t, program.NewPKI(t), "every: 1h, max_age: 2h", encryptedMac(good, true), encryptedMac(bad, false))
	inSnapshot(t, d, 2)
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusTooManyRequests, Headers: map[string]string{"Retry-After": "1"}, Times: 1}, jamftest.Computers+"4")
	d.Hangup(t)
	const adopted = `step_posture_snapshot_fetches_total{inventory="mdm",list="computer",result="adopted"}`
	d.Eventually(t, "the second fetch is adopted", func() bool {
		for serial, want := range map[string]string{good: `"allow":true`, bad: "notEncrypted"} {
			if status, answer, err := by.SendMode(t, serial, ""); err != nil || status != http.StatusOK || !strings.Contains(answer, want) {
				t.Errorf("%s meanwhile: %d %s, %v", serial, status, answer, err)
			}
		}
		return d.Metric(t, adopted) == "2"
	})
	if failed := d.Metric(t, strings.Replace(adopted, "adopted", "failed", 1)); failed != "0" {
		t.Errorf("%s fetches have failed", failed)
	}
}

// TestSnapshotReloads: many reloads that change the settings of a snapshot lose neither the copy nor memory of it, and leave
// nothing behind that runs.
func TestSnapshotReloads(t *testing.T) {
	t.Parallel()
	const good, reloads = "C02XK1JKLVCG", 100
	server, d, by, p, _ := startSnapshot(t, program.NewPKI(t), "every: 1h, max_age: 2h, path: mdm.json", encryptedMac(good, true))
	inSnapshot(t, d, 1)
	number := func(series string) int {
		value, err := strconv.Atoi(d.Metric(t, series))
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	goroutines, files := number("go_goroutines"), number("process_open_fds")
	text := ""
	for n := range reloads {
		text = snapshotOf(server, fmt.Sprintf("every: %ds, max_age: 2h, path: mdm.json", 600+n)) + encryptedMacs
		p.Write(t, text)
		d.Hangup(t)
		if status, answer, err := by.SendMode(t, good, ""); err != nil || status != http.StatusOK || !strings.Contains(answer, `"allow":true`) {
			t.Errorf("reload %d: %d %s, %v", n, status, answer, err)
		}
	}
	d.Eventually(t, "the last file is in effect", func() bool {
		return d.HasSeries(t, fmt.Sprintf("step_posture_policy_info{hash=%q", program.HashOf(text)))
	})
	const some = 15 // connections of the test, which come and go
	d.Eventually(t, "what only earlier versions have used has ended", func() bool {
		return number("go_goroutines") <= goroutines+some && number("process_open_fds") <= files+some
	})
	if got := d.Metric(t, `step_posture_snapshot_devices{inventory="mdm",list="computer"}`); got != "1" {
		t.Errorf("the snapshot has %s devices", got)
	}
	if failed := d.Metric(t, `step_posture_snapshot_fetches_total{inventory="mdm",list="computer",result="failed"}`); failed != "0" {
		t.Errorf("%s fetches have failed", failed)
	}
}

// TestSnapshotFolder: a file that others may write is not used, and a folder that is missing is found by check.
func TestSnapshotFolder(t *testing.T) {
	t.Parallel()
	const good = "C02XK1JKLVCG"
	pki := program.NewPKI(t)
	server, d, _, p, env := startSnapshot(t, pki, "every: 1h, max_age: 2h, path: mdm.json", encryptedMac(good, true))
	inSnapshot(t, d, 1)
	file := filepath.Join(p.Folder, "mdm.json")
	d.Eventually(t, "the file is written", func() bool { _, err := os.Stat(file); return err == nil })
	if code, output := d.Stop(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, output)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	byHand := env.With("HEALTH_ADDRESS", "off")
	check := func(want string) {
		t.Helper()
		if result := program.Run(t, byHand, "", "check"); result.Code != 0 || !strings.Contains(result.Stdout, "warning: snapshot of inventory mdm: the file is not used: "+want) {
			t.Errorf("check exits with %d: %s%s\nwant %s", result.Code, result.Stdout, result.Stderr, want)
		}
	}
	check("others than its owner may write it")
	again := program.StartDaemon(t, env)
	inSnapshot(t, again, 1) // it was fetched
	if got := again.Metric(t, `step_posture_snapshot_alarms_total{alarm="unusable",inventory="mdm",list="computer"}`); got != "1" {
		t.Errorf("%s alarms", got)
	}
	again.Eventually(t, "the file is replaced", func() bool {
		info, err := os.Stat(file)
		return err == nil && info.Mode() == 0o600
	})
	p.Write(t, snapshotOf(server, "every: 1h, max_age: 2h, path: missing/mdm.json")+encryptedMacs)
	check("its folder is missing")
}
