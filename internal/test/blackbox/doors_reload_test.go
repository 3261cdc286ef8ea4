package blackbox_test

import (
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
	"step-posture-connector/internal/test/testca"
)

// TestDoorsForget: an answer that is remembered for an hour does not outlive what it was decided by. Each change counts from the
// next question after it was read.
func TestDoorsForget(t *testing.T) {
	t.Parallel()
	encrypted := "rules: [{name: encrypted, require: device.encrypted, code: diskNotEncrypted, message: Encrypt the disk.}]"
	for name, c := range map[string]struct {
		change func(t *testing.T, l *doorLab)
		want   string
	}{
		"the policy file": {func(t *testing.T, l *doorLab) {
			t.Helper()
			l.policies.Write(t, strings.Replace(doorPolicies, encrypted, `rules: [{name: none, require: device.identifier == "none", code: deviceRetired}]`, 1))
		}, "deviceRetired"},
		"the inventory": {func(t *testing.T, l *doorLab) { t.Helper(); l.policies.WriteFile(t, "devices.csv", doorsRefused) }, "diskNotEncrypted"},
		"the issuers": {func(t *testing.T, l *doorLab) {
			t.Helper()
			other := testca.New(t, "Other")
			// The list first: it has those of both. Then the issuer is another one.
			l.overwrite(t, "devices.crl", testca.ListPEM(other.List(t, 1, nil)))
			l.overwrite(t, "issuers.pem", other.PEM())
		}, "certificateUntrusted"},
		"the revocation list": {func(t *testing.T, l *doorLab) {
			t.Helper()
			l.overwrite(t, "devices.crl", testca.ListPEM(l.devices.List(t, 2, nil, serials(l.device)...)))
		}, "certificateUntrusted"},
		"the inventory, and a signal": {func(t *testing.T, l *doorLab) {
			t.Helper()
			l.policies.WriteFile(t, "devices.csv", doorsRefused)
			l.Hangup(t)
		}, "diskNotEncrypted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newDoorLab(t, doorPolicies)
			l.want(t, "before", l.device, http.StatusOK, `{"allow":true}`)
			l.want(t, "remembered", l.device, http.StatusOK, `{"allow":true}`)
			c.change(t, l)
			l.await(t, "it counts", l.device, http.StatusForbidden, program.Refused(c.want))
		})
	}
}

// TestDoorsReload: files that do not fit together change nothing, and /readyz says so until they fit.
func TestDoorsReload(t *testing.T) {
	t.Parallel()
	l := newDoorLab(t, doorPolicies)
	reports := func(check, text string) {
		t.Helper()
		l.Eventually(t, "/readyz reports "+text, func() bool {
			code, status, wrong := l.Ready(t)
			return code == http.StatusOK && status == "degraded" && strings.Contains(wrong[check], text)
		})
	}
	isWell := func() {
		t.Helper()
		l.Eventually(t, "/readyz is ok", func() bool { _, status, _ := l.Ready(t); return status == "ok" })
	}
	other := testca.New(t, "Other")
	ofOther := l.issue(t, other, doorDevice)

	// Another issuer alone: the list is of none that is left.
	l.overwrite(t, "issuers.pem", other.PEM())
	reports("policy", "doors.crl: revocation list of devices")
	l.WantLog(t, "reload failed, keeping the previous version: ")
	l.want(t, "an issuer before", l.device, http.StatusOK, `{"allow":true}`)
	l.want(t, "an issuer that is not in effect", ofOther, http.StatusForbidden, program.Refused("certificateUntrusted"))
	l.overwrite(t, "devices.crl", testca.ListPEM(other.List(t, 5, nil)))
	isWell()
	l.await(t, "the other issuer counts", ofOther, http.StatusOK, `{"allow":true}`)
	l.want(t, "the issuer before", l.device, http.StatusForbidden, program.Refused("certificateUntrusted"))

	// An older list could bring a revoked certificate back.
	l.overwrite(t, "devices.crl", testca.ListPEM(other.List(t, 4, nil)))
	reports("policy", "doors.crl: revocation list of devices")
	l.want(t, "with an older list", ofOther, http.StatusOK, `{"allow":true}`)
	l.overwrite(t, "devices.crl", testca.ListPEM(other.List(t, 6, nil, serials(ofOther)...)))
	isWell()
	l.await(t, "revoked", ofOther, http.StatusForbidden, program.Refused("certificateUntrusted"))

	// A caller of a CA that is removed is refused, also on the connection that it has.
	l.overwrite(t, "callers.pem", other.PEM())
	l.WantLog(t, `CAs of callers of doors: \"Other\"`)
	l.Eventually(t, "the caller is refused", func() bool { status, _ := l.ask(t, ofOther); return status == 0 })
	l.overwrite(t, "callers.pem", l.callers.PEM())
	l.await(t, "the caller is back", ofOther, http.StatusForbidden, program.Refused("certificateUntrusted"))

	// A list that should have been replaced goes on counting.
	late := func(r *x509.RevocationList) { r.NextUpdate = time.Now().Add(-time.Second) }
	l.overwrite(t, "devices.crl", testca.ListPEM(other.List(t, 7, late)))
	reports("device_revocation", `doors.crl: the list of "Other" should have been replaced by `)
	l.await(t, "no longer revoked", ofOther, http.StatusOK, `{"allow":true}`)
	l.overwrite(t, "devices.crl", testca.ListPEM(other.List(t, 8, nil)))
	isWell()

	// An inventory file that cannot be read changes nothing.
	l.policies.WriteFile(t, "devices.csv", "Identifier\n\"")
	reports("inventory", "keeping the previous version")
}
