//go:build linux

package blackbox_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
	"step-posture-connector/internal/test/program"
)

// wantUnanswered checks a daemon that has started although the inventory does not answer correctly: it is degraded
// before the first request, and each request gets 503.
func wantUnanswered(t *testing.T, d *program.Daemon, by *program.StepCA, why string) {
	t.Helper()
	code, status, wrong := d.Ready(t)
	if code != http.StatusOK || status != "degraded" || !strings.Contains(wrong["provider"], "at start, provider jamf: ") || !strings.Contains(wrong["provider"], why) {
		t.Errorf("/readyz = %d %s %q, want 200 degraded because of %q", code, status, wrong, why)
	}
	if !strings.Contains(d.Output(), "level=warning msg=\"provider jamf: ") || !strings.Contains(d.Output(), why) {
		t.Errorf("the log does not say why lookups will fail:\n%s", d.Output())
	}
	if status, text, err := by.SendMode(t, "C02XK1JKLVCG", "computer"); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("got %d %s, %v, want 503", status, text, err)
	}
}

// wantRecovery waits for an answered lookup, after which /readyz must be ok.
func wantRecovery(t *testing.T, d *program.Daemon, by *program.StepCA) {
	t.Helper()
	d.Eventually(t, "a lookup is answered", func() bool {
		status, text, err := by.SendMode(t, "C02XK1JKLVCG", "computer")
		return err == nil && status == http.StatusOK && strings.HasPrefix(text, `{"allow":true`)
	})
	if code, status, wrong := d.Ready(t); code != http.StatusOK || status != "ok" {
		t.Errorf("after a lookup was answered, /readyz = %d %s %q", code, status, wrong)
	}
}

// While the MDM cannot be reached, is not trusted or does not answer correctly, check reports that and exits with 1;
// the daemon starts, is degraded, logs the reason, and recovers by itself after the fault.
func TestStartWhileJamfDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fail func(t *testing.T, server *jamftest.Server, env program.Environment)
		heal func(t *testing.T, server *jamftest.Server, env program.Environment)
		why  string
	}{
		"not reachable": {
			func(*testing.T, *jamftest.Server, program.Environment) {},
			func(t *testing.T, server *jamftest.Server, _ program.Environment) {
				t.Helper()
				if err := server.Start(); err != nil {
					t.Fatal(err)
				}
			},
			"cannot be reached",
		},
		"no lookup is answered": {
			func(t *testing.T, server *jamftest.Server, _ program.Environment) {
				t.Helper()
				if err := server.Start(); err != nil {
					t.Fatal(err)
				}
				server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusInternalServerError}, jamftest.Computers+"4", jamftest.MobileDevices)
			},
			func(_ *testing.T, server *jamftest.Server, _ program.Environment) { server.Heal() },
			"a lookup of a computer was not answered: computers-inventory answered 500",
		},
		"no token": {
			func(t *testing.T, server *jamftest.Server, _ program.Environment) {
				t.Helper()
				if err := server.Start(); err != nil {
					t.Fatal(err)
				}
				server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusServiceUnavailable}, jamftest.Token, jamftest.OldToken)
			},
			func(_ *testing.T, server *jamftest.Server, _ program.Environment) { server.Heal() },
			"token endpoint answered 503",
		},
		"another server": {
			func(t *testing.T, server *jamftest.Server, _ program.Environment) {
				t.Helper()
				if err := server.Start(); err != nil {
					t.Fatal(err)
				}
				server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusNotFound}, jamftest.Token, jamftest.OldToken)
			},
			func(_ *testing.T, server *jamftest.Server, _ program.Environment) { server.Heal() },
			"does not answer as a Jamf Pro server does",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := program.NewPKI(t)
			server, env := program.NewJamf(t, p, program.Mac("C02XK1JKLVCG"))
			test.fail(t, server, env)
			if r := program.Run(t, env, "", "check"); r.Code != 1 || !strings.Contains(r.Stderr, test.why) {
				t.Errorf("check: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
			}
			d := program.StartDaemon(t, env.With("HEALTH_ADDRESS", program.FreeHealth))
			by := program.NewStepCA(t, p, d.Address, nil)
			why := test.why
			if name == "no lookup is answered" {
				why = "no lookup was answered" // the log also has a line for each kind of device
			}
			wantUnanswered(t, d, by, why)
			test.heal(t, server, env)
			wantRecovery(t, d, by)
		})
	}
}

// LOGGING_LEVEL=2 logs the requests to the MDM, without secrets.
func TestDebugLevelShowsRequestsToJamf(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	server, env := program.NewJamf(t, p, program.Mac("C02XK1JKLVCG"))
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	d := program.StartDaemon(t, env.With("LOGGING_LEVEL", "2", "HEALTH_ADDRESS", program.FreeHealth))
	wantRecovery(t, d, program.NewStepCA(t, p, d.Address, nil))
	_, output := d.Stop(t)
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

// Refused credentials are an error at start: only another configuration helps.
func TestRefusedCredentialsPreventTheStart(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	server, env := program.NewJamf(t, p, program.Mac("C02XK1JKLVCG"))
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(program.FreeAddress(t))
	env = env.With("JAMF_CLIENT_SECRET", "wrong-secret", "PORT", port)
	got := program.Run(t, env, "", "serve")
	if got.Code != 1 || !strings.Contains(got.Stderr, "provider jamf: ") || !strings.Contains(got.Stderr, "check JAMF_CLIENT_ID and JAMF_CLIENT_SECRET") || strings.Contains(got.Stderr, "wrong-secret") {
		t.Errorf("serve = %d %s, want 1 and the reason", got.Code, got.Stderr)
	}
}
