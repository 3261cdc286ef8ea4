//go:build linux

package blackbox_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/test/program"
)

// jamfPolicy reads something of every section that Jamf has for rules.
const jamfPolicy = `policies:
  default:
    mode: any
    rules:
      - {name: system, require: 'device.os in ["macOS", "iPadOS"] && device.os_version.atLeast("15.4")', code: tooOld}
      - {name: encrypted, require: device.encrypted && device.supervised, code: notEncrypted}
      - {name: seen, require: now - device.last_seen < days(7), code: notSeen}
      - {name: enrolled, require: now - device.enrolled_at > days(1), code: tooNew}
      - {name: group, require: '"Wi-Fi" in device.groups', code: notInGroup}
      - {name: tier, require: 'device.attributes["tier"] == "gold"', code: notGold}
      - {name: department, require: 'user.department == "Platform"', code: notPlatform}
    data:
      owner: user.email_address
      model: device.model
`

// The same rules decide about a computer and a mobile device of a Jamf Pro server, by what its records say. (Linux: Go reads
// SSL_CERT_FILE there.)
func TestPolicyReadsJamf(t *testing.T) {
	t.Parallel()
	details := jamftest.Details{
		OSVersion: "18.5", Encrypted: new(true), LastContact: time.Now().Add(-time.Hour), LastEnrolled: time.Now().Add(-72 * time.Hour),
		Attributes: []jamftest.Attribute{{Name: "tier", Values: []string{"gold"}, Section: "GENERAL"}},
	}
	device := func(computer bool, serial string) jamftest.Device {
		return jamftest.Device{
			Computer: computer, Serial: serial, Managed: new(true), Supervised: true, Groups: []jamftest.Group{{Name: "Wi-Fi"}},
			User: jamftest.User{Username: "ana", Email: "ana@example.com", Department: "Platform"}, Details: details,
		}
	}
	const mac, pad = "C02XK1JKLVCG", "DMPVLX9QHG5D"
	p := program.NewPKI(t)
	server, env := program.StartJamf(t, p, device(true, mac), device(false, pad))
	path := filepath.Join(t.TempDir(), "posture.yaml")
	if err := os.WriteFile(path, []byte(jamfPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	d := program.StartDaemon(t, env.With("POLICY_PATH", path))
	by := program.NewStepCA(t, p, d.Address, nil)
	want := func(what, serial string, status int, text string) {
		t.Helper()
		got, answer, err := by.SendMode(t, serial, "any")
		if err != nil || got != status || !strings.Contains(answer, text) {
			t.Errorf("%s: %d %s, %v, want %d and %s", what, got, answer, err, status, text)
		}
	}
	const allowed = `"allow":true`
	want("a computer", mac, http.StatusOK, allowed)
	want("its data", mac, http.StatusOK, `"owner":"ana@example.com"`)
	want("a mobile device", pad, http.StatusOK, allowed)
	want("its data", pad, http.StatusOK, `"model":"iPad (10th generation)"`)
	for code, change := range map[string]func(*jamftest.Device){
		"tooOld":       func(d *jamftest.Device) { d.Details.OSVersion = "15.3.2" },
		"notEncrypted": func(d *jamftest.Device) { d.Details.Encrypted = nil },
		"notSeen":      func(d *jamftest.Device) { d.Details.LastContact = time.Now().Add(-8 * 24 * time.Hour) },
		"tooNew":       func(d *jamftest.Device) { d.Details.LastEnrolled = time.Now().Add(-time.Hour) },
		"notInGroup":   func(d *jamftest.Device) { d.Groups = nil },
		"notGold":      func(d *jamftest.Device) { d.Details.Attributes[0].Values = []string{"silver"} },
		"notPlatform":  func(d *jamftest.Device) { d.User.Department = "Design" },
	} {
		for _, serial := range []string{mac, pad} {
			changed := device(serial == mac, serial)
			changed.Details.Attributes = []jamftest.Attribute{details.Attributes[0]}
			change(&changed)
			server.Remove(serial)
			server.Add(changed)
			want(serial, serial, http.StatusOK, `"code":"`+code+`"`)
		}
	}
	server.Replace(device(true, mac), device(false, pad))
	client := server.Client()
	client.Privileges = []string{jamftest.ReadComputers, jamftest.ReadMobileDevices}
	server.SetClients(client)
	server.Revoke()
	want("a department that cannot be asked for", mac, http.StatusServiceUnavailable, "")
	want("a mobile device, whose record has it", pad, http.StatusOK, allowed)
	d.Eventually(t, "the log says which privilege is missing", func() bool {
		return strings.Contains(d.Output(), "departments answered 403: the API client lacks the privilege Read Departments")
	})
	if r := program.Run(t, env.With("POLICY_PATH", path), "", "check"); !strings.Contains(r.Stdout, "where a policy reads user.department, lookups of computers will not be answered") {
		t.Errorf("check does not warn: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	for _, violation := range server.Violations() {
		t.Errorf("violation: %s", violation)
	}
}
