package blackbox_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
	"step-posture-connector/internal/test/testca"
)

// TestDoorFaultsAtStart: doors are never off, or open to somebody else, by accident. check and start say the same.
func TestDoorFaultsAtStart(t *testing.T) {
	t.Parallel()
	hook := "webhooks:\n  - {name: cloud, id: " + program.HookID(1) + ", secret: {file: secret}, accepts: radius, policy: doors}\n"
	withoutDoors := doorPolicies[:strings.Index(doorPolicies, "doors:\n  issuers")]
	withoutEntries := doorPolicies[:strings.Index(doorPolicies, "  forward_auth:")]
	for name, test := range map[string]struct {
		text   string
		change []string // of the environment; DIR is the folder of the policy file
		files  func(t *testing.T, l *doorLab)
		want   string // DIR likewise
	}{
		"DOOR_ADDRESS, no doors":        {withoutDoors, nil, nil, "DOOR_ADDRESS: set, but the policy file has neither doors.radius nor doors.forward_auth: nobody may ask"},
		"doors, no DOOR_ADDRESS":        {doorPolicies, []string{"DOOR_ADDRESS", "", "DOOR_CLIENT_CA_PATH", ""}, nil, "DOOR_ADDRESS: not set, but the policy file has doors: nobody could ask; accepted: host:port of a listener for RADIUS servers and web servers"},
		"DOOR_ADDRESS, no POLICY_PATH":  {doorPolicies, []string{"POLICY_PATH", "-", "PROVIDER", "file", "FILE_TYPE", "csv", "FILE_PATH", "DIR/devices.csv", "WEBHOOK_IDS", program.WebhookID, "WEBHOOK_SECRETS", program.WebhookSecret}, nil, "DOOR_ADDRESS: set, but POLICY_PATH is not: doors are in the policy file"},
		"no CA of callers":              {doorPolicies, []string{"DOOR_CLIENT_CA_PATH", ""}, nil, "DOOR_CLIENT_CA_PATH: not set, but DOOR_ADDRESS is"},
		"a CA of callers that is gone":  {doorPolicies, []string{"DOOR_CLIENT_CA_PATH", "DIR/none.pem"}, nil, "DOOR_CLIENT_CA_PATH: "},
		"a CA of callers that is a key": {doorPolicies, []string{"DOOR_CLIENT_CA_PATH", "DIR/secret"}, nil, "DOOR_CLIENT_CA_PATH: "},
		"a caller in place of the CA": {doorPolicies, nil, func(t *testing.T, l *doorLab) {
			t.Helper()
			l.overwrite(t, "callers.pem", testca.PEM("CERTIFICATE", l.device.Raw))
		}, "DOOR_CLIENT_CA_PATH: "},
		"the port of webhooks":  {doorPolicies, []string{"DOOR_ADDRESS", "127.0.0.1:24999", "PORT", "24999"}, nil, "DOOR_ADDRESS: "},
		"the port of health":    {doorPolicies, []string{"DOOR_ADDRESS", "127.0.0.1:24999", "HEALTH_ADDRESS", "127.0.0.1:24999"}, nil, "DOOR_ADDRESS: "},
		"issuers that are gone": {strings.Replace(doorPolicies, "issuers.pem", "none.pem", 1), nil, nil, "doors.issuers: CA bundle of devices DIR/none.pem: no such file or directory; accepted: a file that exists; a relative path begins in the folder of the policy file"},
		"health at every host":  {doorPolicies, []string{"DOOR_ADDRESS", "0.0.0.0:24999", "HEALTH_ADDRESS", "127.0.0.1:24999"}, nil, "DOOR_ADDRESS: the same port as HEALTH_ADDRESS, on the same address"},
		"an issuer that is a device": {doorPolicies, nil, func(t *testing.T, l *doorLab) {
			t.Helper()
			l.overwrite(t, "issuers.pem", testca.PEM("CERTIFICATE", l.device.Raw))
		}, "doors.issuers: CA bundle of devices DIR/issuers.pem: "},
		"a list of another CA": {doorPolicies, nil, func(t *testing.T, l *doorLab) {
			t.Helper()
			l.overwrite(t, "devices.crl", testca.ListPEM(l.callers.List(t, 1, nil)))
		}, "doors.crl: revocation list of devices DIR/devices.crl: "},
		"a list that is gone":            {strings.Replace(doorPolicies, "devices.crl", "none.crl", 1), nil, nil, "doors.crl: revocation list of devices DIR/none.crl: no such file or directory; accepted: a file that exists; a relative path begins in the folder of the policy file"},
		"accepts: radius, no issuers":    {withoutDoors + hook, []string{"DOOR_ADDRESS", "", "DOOR_CLIENT_CA_PATH", ""}, nil, "a webhook accepts radius, and the policy file has no doors.issuers: no certificate of a device could be verified; accepted: doors with issuers and provisioners"},
		"accepts: radius, and a mandate": {withoutEntries + hook, []string{"DOOR_ADDRESS", "", "DOOR_CLIENT_CA_PATH", "", "ENABLE_MTLS", "1", "TLS_CA_PATH", "DIR/callers.pem"}, nil, "ENABLE_MTLS: 1, but a webhook accepts radius, and Smallstep's RADIUS server presents no client certificate; accepted: 0, or no such webhook"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := prepareDoors(t, test.text)
			l.policies.WriteFile(t, "secret", program.NewSecret())
			if test.files != nil {
				test.files(t, l)
			}
			env := l.env.With("DOOR_ADDRESS", program.FreeAddress(t), "HEALTH_ADDRESS", "off").With(inFolder(l.policies.Folder, test.change)...)
			if env["POLICY_PATH"] == "-" {
				delete(env, "POLICY_PATH")
			}
			for _, command := range []string{"check", "serve"} {
				r := program.Run(t, env, "", command)
				if want := inFolder(l.policies.Folder, []string{test.want})[0]; r.Code != 1 || !strings.Contains(r.Stderr, want) {
					t.Errorf("%s: exit %d, want 1 and %q\n%s", command, r.Code, want, r.Stderr)
				}
			}
		})
	}
}

func inFolder(folder string, texts []string) (all []string) {
	for _, text := range texts {
		all = append(all, strings.ReplaceAll(text, "DIR", folder))
	}
	return all
}

// TestDoorsChecked: check shows who may ask, whose devices, and what may not be meant.
func TestDoorsChecked(t *testing.T) {
	t.Parallel()
	l := prepareDoors(t, doorPolicies)
	second := testca.New(t, "Second")
	expired := l.callers.Intermediate(t, "Expired", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })
	l.overwrite(t, "issuers.pem", l.devices.PEM(), second.PEM(), expired.PEM())
	l.overwrite(t, "callers.pem", l.devices.PEM())
	late := l.devices.List(t, 1, func(r *x509.RevocationList) { r.NextUpdate = time.Now().Add(-time.Second) })
	l.overwrite(t, "devices.crl", testca.ListPEM(late))
	r := program.Run(t, l.env.With("DOOR_ADDRESS", program.FreeAddress(t), "HEALTH_ADDRESS", "off"), "", "check")
	if r.Code != 0 {
		t.Errorf("exit %d, want 0\n%s", r.Code, r.Stderr)
	}
	for _, want := range []string{
		"door radius: callers cn:radius, policy doors", "door forward_auth: callers proxy.example.com, policy doors, answers are remembered for 1h0m0s",
		"door listener: 127.0.0.1:", `; callers need a certificate of the CA in `, `("Devices", expires `,
		`devices' certificates: of "Devices"`, "every provisioner", "devices' revocation lists: \"Devices\", CRL number 1",
		`doors.crl: it has no list of the issuer "Second", so that none of its certificates is ever revoked`,
		`doors.crl: the list of "Devices" should have been replaced by `,
		`"Expired"`,
		`DOOR_CLIENT_CA_PATH: "Devices" is in doors.issuers too: whoever has a certificate of it with a name in callers may ask about every device`,
	} {
		if !strings.Contains(r.Stdout+r.Stderr, want) {
			t.Errorf("there is no %q in\n%s%s", want, r.Stdout, r.Stderr)
		}
	}
}
