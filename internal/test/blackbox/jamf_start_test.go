//go:build linux

package blackbox_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// jamfNotStarted is a fake Jamf Pro server with one Mac, which was not started, and the environment of a daemon
// that asks it. (Linux, where SSL_CERT_FILE is heeded.)
func jamfNotStarted(t *testing.T, p *pki) (*jamftest.Server, environment) {
	t.Helper()
	managed := true
	address := freeAddress(t)
	server, err := jamftest.New(jamftest.Options{
		Address: address,
		Devices: []jamftest.Device{{Computer: true, Serial: "C02XK1JKLVCG", Managed: &managed}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	roots := filepath.Join(t.TempDir(), "vendor.pem")
	if err := os.WriteFile(roots, server.CACertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	return server, workingEnvironment(t, p).with("PROVIDER", "jamf", "FILE_PATH", "", "FILE_TYPE", "", "SSL_CERT_FILE", roots,
		"JAMF_BASE_URL", "https://"+address, "JAMF_CLIENT_ID", client.ID, "JAMF_CLIENT_SECRET", client.Secret, "HEALTH_ADDRESS", freeHealth)
}

// wantUnanswered checks what a daemon says that started although the inventory did not answer as it should:
// it is degraded before the first request came, and each gets 503.
func wantUnanswered(t *testing.T, d *process, by *signer, why string) {
	t.Helper()
	code, status, wrong := d.ready(t)
	if code != http.StatusOK || status != "degraded" || !strings.Contains(wrong["provider"], "at start, provider jamf: ") || !strings.Contains(wrong["provider"], why) {
		t.Errorf("/readyz = %d %s %q, want 200 degraded because of %q", code, status, wrong, why)
	}
	if !strings.Contains(d.output(), "level=warning msg=\"provider jamf: ") || !strings.Contains(d.output(), why) {
		t.Errorf("the log does not say why lookups will not be answered:\n%s", d.output())
	}
	if status, text, err := by.sendMode(t, "C02XK1JKLVCG", "computer"); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("got %d %s, %v, want 503", status, text, err)
	}
}

// wantRecovery checks that lookups are answered now, and that all is well then.
func wantRecovery(t *testing.T, d *process, by *signer) {
	t.Helper()
	d.eventually(t, "a lookup is answered", func() bool {
		status, text, err := by.sendMode(t, "C02XK1JKLVCG", "computer")
		return err == nil && status == http.StatusOK && strings.HasPrefix(text, `{"allow":true`)
	})
	if code, status, wrong := d.ready(t); code != http.StatusOK || status != "ok" {
		t.Errorf("after a lookup was answered, /readyz = %d %s %q", code, status, wrong)
	}
}

// While the MDM cannot be reached, is not trusted or does not answer as it should, check says so and ends
// with 1; the daemon starts, degraded, says why, and recovers by itself when the fault is over.
func TestStartWhileJamfDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fail func(t *testing.T, server *jamftest.Server, env environment)
		heal func(t *testing.T, server *jamftest.Server, env environment)
		why  string
	}{
		"not reachable": {
			func(*testing.T, *jamftest.Server, environment) {},
			func(t *testing.T, server *jamftest.Server, _ environment) {
				t.Helper()
				if err := server.Start(); err != nil {
					t.Fatal(err)
				}
			},
			"cannot be reached",
		},
		"no lookup is answered": {
			func(t *testing.T, server *jamftest.Server, _ environment) {
				t.Helper()
				if err := server.Start(); err != nil {
					t.Fatal(err)
				}
				server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusInternalServerError}, jamftest.Computers+"4", jamftest.MobileDevices)
			},
			func(_ *testing.T, server *jamftest.Server, _ environment) { server.Heal() },
			"a lookup of a computer was not answered: computers-inventory answered 500",
		},
		"no token": {
			func(t *testing.T, server *jamftest.Server, _ environment) {
				t.Helper()
				if err := server.Start(); err != nil {
					t.Fatal(err)
				}
				server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusServiceUnavailable}, jamftest.Token, jamftest.OldToken)
			},
			func(_ *testing.T, server *jamftest.Server, _ environment) { server.Heal() },
			"token endpoint answered 503",
		},
		"another server": {
			func(t *testing.T, server *jamftest.Server, _ environment) {
				t.Helper()
				if err := server.Start(); err != nil {
					t.Fatal(err)
				}
				server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusNotFound}, jamftest.Token, jamftest.OldToken)
			},
			func(_ *testing.T, server *jamftest.Server, _ environment) { server.Heal() },
			"does not answer as a Jamf Pro server does",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPKI(t)
			server, env := jamfNotStarted(t, p)
			test.fail(t, server, env)
			if r := runOnce(t, env.with("HEALTH_ADDRESS", "off"), "", "check"); r.code != 1 || !strings.Contains(r.stderr, test.why) {
				t.Errorf("check: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
			}
			d := startDaemon(t, env)
			by := newSigner(t, p, d.address, nil)
			why := test.why
			if name == "no lookup is answered" {
				why = "no lookup was answered" // the log has a line for each kind of device besides
			}
			wantUnanswered(t, d, by, why)
			test.heal(t, server, env)
			wantRecovery(t, d, by)
		})
	}
}

// LOGGING_LEVEL=2 shows the requests to the MDM, without what is secret.
func TestDebugLevelShowsRequestsToJamf(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	server, env := jamfNotStarted(t, p)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, env.with("LOGGING_LEVEL", "2"))
	wantRecovery(t, d, newSigner(t, p, d.address, nil))
	_, output := d.stop(t)
	for _, want := range []string{"upstream: POST https://127.0.0.1:", "/api/v1/oauth/token: status 200 in ", "upstream: GET https://127.0.0.1:", "computers-inventory: status 200 in "} {
		if !strings.Contains(output, want) {
			t.Errorf("the log has no %q:\n%s", want, output)
		}
	}
	for _, secret := range []string{env["JAMF_CLIENT_SECRET"], "Bearer", "access_token", "filter="} {
		if strings.Contains(output, secret) {
			t.Errorf("the log has %q:\n%s", secret, output)
		}
	}
}

// Refused credentials end the start: only another configuration helps.
func TestRefusedCredentialsEndTheStart(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	server, env := jamfNotStarted(t, p)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(freeAddress(t))
	env = env.with("JAMF_CLIENT_SECRET", "wrong-secret", "PORT", port, "HEALTH_ADDRESS", "off")
	got := runOnce(t, env, "", "serve")
	if got.code != 1 || !strings.Contains(got.stderr, "provider jamf: ") || !strings.Contains(got.stderr, "check JAMF_CLIENT_ID and JAMF_CLIENT_SECRET") || strings.Contains(got.stderr, "wrong-secret") {
		t.Errorf("serve = %d %s, want 1 and the reason", got.code, got.stderr)
	}
}
