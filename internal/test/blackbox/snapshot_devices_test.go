//go:build linux

package blackbox_test

import (
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

// wantSnapshot asks about a device and wants this status and text in the answer.
func wantSnapshot(t *testing.T, by *program.StepCA, what, serial string, status int, text string) {
	t.Helper()
	if got, answer, err := by.SendMode(t, serial, ""); err != nil || got != status || !strings.Contains(answer, text) {
		t.Errorf("%s: %d %s, %v, want %d and %s", what, got, answer, err, status, text)
	}
}

func stopLookups(server *jamftest.Server) {
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusInternalServerError}, jamftest.Computers+"4", jamftest.MobileDevices)
}

func devicesOf(t *testing.T, d *program.Daemon) string {
	t.Helper()
	return d.Metric(t, `step_posture_snapshot_devices{inventory="mdm",list="computer"}`)
}

// TestSnapshotDevices: a device that is removed is refused after the next fetch, which SIGHUP begins, and one that is fixed
// is allowed at once. In an outage the copy says what the last fetch has found.
func TestSnapshotDevices(t *testing.T) {
	t.Parallel()
	const stays, leaves, fixed = "C02XK1JKLVCG", "C02XK1JKLVCH", "C02XK1JKLVCJ"
	server, d, by, _, _ := startSnapshot(t, program.NewPKI(t), "every: 1h, max_age: 2h",
		encryptedMac(stays, true), encryptedMac(leaves, true), encryptedMac(fixed, false))
	inSnapshot(t, d, 3)
	server.Remove(leaves)
	wantSnapshot(t, by, "removed, before the next fetch", leaves, http.StatusOK, `"allow":true`)
	wantSnapshot(t, by, "before it is fixed", fixed, http.StatusOK, "notEncrypted")
	server.Change(fixed, func(mac *jamftest.Device) { is := true; mac.Details.Encrypted = &is })
	wantSnapshot(t, by, "fixed", fixed, http.StatusOK, `"allow":true`)

	d.Hangup(t)
	inSnapshot(t, d, 2)
	wantSnapshot(t, by, "removed, after the next fetch", leaves, http.StatusOK, "deviceNotFound")
	stopLookups(server)
	for serial, want := range map[string]int{stays: http.StatusOK, leaves: http.StatusServiceUnavailable, fixed: http.StatusOK} {
		wantSnapshot(t, by, "in an outage", serial, want, "")
	}
}

// TestHalfASnapshot: less than half of the devices is not believed, with an alarm, so that all stay allowed in an outage.
func TestHalfASnapshot(t *testing.T) {
	t.Parallel()
	const count = 40
	serial := func(n int) string { return fmt.Sprintf("C02XK1JKLV%02d", n) }
	devices := make([]jamftest.Device, count)
	for n := range devices {
		devices[n] = encryptedMac(serial(n), true)
	}
	server, d, by, _, _ := startSnapshot(t, program.NewPKI(t), "every: 1h, max_age: 2h", devices...)
	inSnapshot(t, d, count)
	server.Replace(devices[:count/2-1]...)
	d.Hangup(t)
	d.AwaitLog(t, "less than half", 1)
	stopLookups(server)
	wantSnapshot(t, by, "one that the list has", serial(0), http.StatusOK, `"allow":true`)
	wantSnapshot(t, by, "one that the list lacks", serial(count-1), http.StatusOK, `"allow":true`)
	if got := devicesOf(t, d); got != fmt.Sprint(count) {
		t.Errorf("the snapshot has %s devices, want %d", got, count)
	}
	if got := d.Metric(t, `step_posture_snapshot_alarms_total{alarm="shrunk",inventory="mdm",list="computer"}`); got != "1" {
		t.Errorf("%s alarms, want 1", got)
	}
}

// TestSnapshotStart: a daemon that starts while the MDM cannot be reached allows from the file of its copy. A file that others
// may write, or that is cut off, is as good as none: all get 503.
func TestSnapshotStart(t *testing.T) {
	t.Parallel()
	const good = "C02XK1JKLVCG"
	pki := program.NewPKI(t)
	server, d, _, p, env := startSnapshot(t, pki, "every: 1h, max_age: 2h, path: mdm.json", encryptedMac(good, true))
	inSnapshot(t, d, 1)
	file := filepath.Join(p.Folder, "mdm.json")
	d.Eventually(t, "the file is written", func() bool { _, err := os.Stat(file); return err == nil })
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if code, output := d.Stop(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, output)
	}
	server.Close()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		prepare func() error
		status  int
		log     string
	}{
		{"as it was written", func() error { return nil }, http.StatusOK, "was loaded from the file"},
		{"others may write it", func() error { return os.Chmod(file, 0o602) }, http.StatusServiceUnavailable, "others than its owner may write it"},
		{"others may write its folder", func() error {
			if err := os.Chmod(file, 0o600); err != nil {
				return err
			}
			return os.Chmod(p.Folder, 0o777)
		}, http.StatusServiceUnavailable, "its folder: others than its owner may write it"},
		{"cut off", func() error {
			if err := os.Chmod(p.Folder, 0o700); err != nil {
				return err
			}
			return os.WriteFile(file, text[:len(text)/2], 0o600)
		}, http.StatusServiceUnavailable, "cut off or damaged"},
		{"missing", func() error { return os.Remove(file) }, http.StatusServiceUnavailable, ""},
		{"as it was written, again", func() error { return os.WriteFile(file, text, 0o600) }, http.StatusOK, "was loaded from the file"},
	} {
		if err := test.prepare(); err != nil {
			t.Fatal(err)
		}
		d := program.StartDaemon(t, env)
		wantSnapshot(t, program.NewStepCA(t, pki, d.Address, nil), test.name, good, test.status, "")
		if code, status, wrong := d.Ready(t); code != http.StatusOK || status != "degraded" || !strings.Contains(wrong["provider"], "inventory mdm") {
			t.Errorf("%s: /readyz is %d %s %q", test.name, code, status, wrong)
		}
		if code, output := d.Stop(t); code != 0 || !strings.Contains(output, test.log) {
			t.Errorf("%s: exit code %d, the log lacks %q\n%s", test.name, code, test.log, output)
		}
	}
}
