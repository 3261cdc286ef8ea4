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

// twoServers are two Jamf servers and a list, in one daemon. (Linux: Go reads SSL_CERT_FILE there.)
type twoServers struct {
	*program.Policies

	eu, us *jamftest.Server
	pki    *program.PKI
	env    program.Environment
	secret string
}

// servers are the sections of both, and of the list.
func (s *twoServers) servers() string {
	text := "inventories:\n"
	for name, server := range map[string]*jamftest.Server{"eu": s.eu, "us": s.us} {
		text += fmt.Sprintf("  %s: {provider: jamf, base_url: %q, client_id: %q, client_secret: {file: %s.secret}}\n", name, server.BaseURL(), server.Client().ID, name)
	}
	return text + "  owned: {provider: file, path: owned.csv, type: csv}\n"
}

// hooks are webhooks with these policies; the ID of each is that of its place, from 1. They share no secret.
func (s *twoServers) hooks(t *testing.T, policies ...string) string {
	t.Helper()
	text := "webhooks:\n"
	for i, policy := range policies {
		secret := s.secret
		if i > 0 {
			secret = program.NewSecret()
		}
		s.WriteFile(t, fmt.Sprintf("hook%d.secret", i+1), secret)
		text += fmt.Sprintf("  - {name: %s, id: %s, secret: {file: hook%d.secret}, policy: %s}\n", policy, program.HookID(i+1), i+1, policy)
	}
	return text
}

// caller is the client of the webhook at a place, from 1.
func (s *twoServers) caller(t *testing.T, d *program.Daemon, place int) *program.StepCA {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(s.Folder, fmt.Sprintf("hook%d.secret", place)))
	if err != nil {
		t.Fatal(err)
	}
	return program.NewStepCA(t, s.pki, d.Address, nil).As(t, program.HookID(place), string(secret))
}

func newTwoServers(t *testing.T, eu, us []jamftest.Device, owned ...string) *twoServers {
	t.Helper()
	s := &twoServers{Policies: program.NewPolicies(t, ""), pki: program.NewPKI(t), secret: program.NewSecret()}
	s.eu, _ = program.StartJamf(t, s.pki, eu...)
	s.us, _ = program.StartJamf(t, s.pki, us...)
	roots := s.WriteFile(t, "roots.pem", string(s.eu.CACertPEM())+string(s.us.CACertPEM()))
	s.WriteFile(t, "eu.secret", s.eu.Client().Secret)
	s.WriteFile(t, "us.secret", s.us.Client().Secret)
	s.WriteFile(t, "owned.csv", "Identifier\n"+strings.Join(owned, "\n")+"\n")
	s.env = s.Alone(t, s.pki).With("SSL_CERT_FILE", roots)
	return s
}

func unmanaged(serial string) jamftest.Device {
	device := program.Mac(serial)
	device.Managed = new(false)
	return device
}

// TestSeveralInventories: the first that knows the device decides; one that fails counts where its answer is needed, and
// nowhere else; log, metrics and /readyz say which one it was.
func TestSeveralInventories(t *testing.T) {
	t.Parallel()
	const inEU, inUS, inList, moved, twice, left = "C0000EU1", "C0000US1", "C0000OW1", "C000MOV1", "C000TWO1", "C000LEF1"
	s := newTwoServers(t,
		[]jamftest.Device{program.Mac(inEU), unmanaged(moved), unmanaged(left)},
		[]jamftest.Device{program.Mac(inUS), program.Mac(moved), program.Mac(twice), program.Mac(twice)},
		inList, inUS, twice)
	s.Write(t, s.servers()+`policies:
  staff:
    inventories: [eu, us, owned]
    mode: computer
    data: {where: inventory, bought: records.owned.found}
  strict: {inventories: [eu, us], also_in: [owned], mode: computer, data: {}}
`+s.hooks(t, "staff", "strict"))
	d := program.StartDaemon(t, s.env)
	d.WantLog(t, "inventory eu (jamf): Jamf Pro", "inventory us (jamf): Jamf Pro", "inventory owned (file): 3 devices")
	staff, strict := s.caller(t, d, 1), s.caller(t, d, 2)
	staff.WantAllow(t, inEU, `{"bought":false,"where":"eu"}`)
	staff.WantAllow(t, inUS, `{"bought":true,"where":"us"}`)
	staff.WantAllow(t, inList, `{"bought":true,"where":"owned"}`)
	staff.WantAllow(t, moved, `{"bought":false,"where":"us"}`) // the server that does not manage it keeps its record
	staff.WantDecision(t, "in no inventory", "C0000XX1", program.NotFound)
	staff.WantDecision(t, "left over", left, program.Refused("deviceNotManaged"))
	staff.WantDecision(t, "twice in one", twice, program.Refused("deviceAmbiguous"))
	strict.WantAllow(t, inUS, `{}`)
	strict.WantDecision(t, "not bought", inEU, program.NotFound)
	strict.WantDecision(t, "not known, but bought", inList, program.NotFound)
	d.WantLog(t, `in the inventory us`, `inventory owned, which must know the device too`, "inventory us: ")

	// Behind the one that decides, a fault counts for no device.
	s.us.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusInternalServerError})
	staff.WantAllow(t, inEU, `{"bought":false,"where":"eu"}`)
	staff.WantStatus(t, "us fails", inUS, http.StatusServiceUnavailable)
	staff.WantStatus(t, "us fails before owned", inList, http.StatusServiceUnavailable)
	if code, status, wrong := d.Ready(t); code != http.StatusOK || status != "degraded" || !strings.Contains(wrong["provider"], "inventory us: ") || strings.Contains(wrong["provider"], "inventory eu") {
		t.Errorf("/readyz = %d %s %q, want a fault of us", code, status, wrong)
	}
	staff.WantAllow(t, inEU, `{"bought":false,"where":"eu"}`)
	if _, status, _ := d.Ready(t); status != "degraded" {
		t.Error("an answer of eu ends what is wrong with us")
	}
	s.us.Heal()
	d.Eventually(t, "us answers again", func() bool { return staff.Answers(t, inUS, program.Allowed) })
	if _, status, wrong := d.Ready(t); status != "ok" {
		t.Errorf("/readyz = %s %q", status, wrong)
	}
	// Before the one that decides, it counts for every device.
	s.eu.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusInternalServerError})
	for _, device := range []string{inEU, inUS, inList, "C0000XX1"} {
		staff.WantStatus(t, "eu fails", device, http.StatusServiceUnavailable)
	}
	for _, series := range []string{
		`step_posture_decisions_total{caller="staff",code="none",outcome="allow",policy="staff",provider="us"}`,
		`step_posture_decisions_total{caller="strict",code="none",outcome="allow",policy="strict",provider="us"}`,
		`step_posture_provider_duration_seconds_count{provider="eu",result="failed"}`,
		`step_posture_provider_duration_seconds_count{provider="us",result="failed"}`,
		`step_posture_provider_duration_seconds_count{provider="owned",result="answered"}`,
		`step_posture_upstream_requests_total{inventory="eu",status="500"}`,
		`step_posture_token_renewals_total{inventory="us",result="success"}`,
	} {
		if got := d.Metric(t, series); got == "0" {
			t.Errorf("%s is 0", series)
		}
	}
	for name, server := range map[string]*jamftest.Server{"eu": s.eu, "us": s.us} {
		if n := server.TokensIssued(); n != 1 {
			t.Errorf("%d tokens of %s, want 1", n, name)
		}
	}
}

// TestHeadStart: the second inventory is asked while the first one hangs, and does not decide before the first has answered.
func TestHeadStart(t *testing.T) {
	t.Parallel()
	s := newTwoServers(t, nil, []jamftest.Device{program.Mac("C0000US1")})
	s.Write(t, s.servers()+"policies:\n  staff: {inventories: [eu, us], mode: computer, data: {where: inventory}}\n"+s.hooks(t, "staff"))
	d := program.StartDaemon(t, s.env)
	release := make(chan struct{})
	s.eu.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: release}, jamftest.Computers+"4")
	asked := s.us.Count(jamftest.Computers + "4")
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		s.caller(t, d, 1).WantAllow(t, "C0000US1", `{"where":"us"}`)
	}()
	if err := s.us.Await(t.Context(), func() bool { return s.us.Count(jamftest.Computers+"4") > asked }); err != nil {
		t.Fatal(err)
	}
	select {
	case <-answered:
		t.Error("us decides before eu has answered")
	default:
	}
	close(release)
	<-answered
}

// TestInventoriesAtStart: an inventory that is down stops no start, and is named; one that refuses the credentials does.
func TestInventoriesAtStart(t *testing.T) {
	t.Parallel()
	s := newTwoServers(t, []jamftest.Device{program.Mac("C0000EU1")}, []jamftest.Device{program.Mac("C0000US1")})
	s.Write(t, s.servers()+"policies:\n  staff: {inventories: [eu, us], mode: computer, data: {}}\n"+s.hooks(t, "staff"))
	s.us.Down()
	d := program.StartDaemon(t, s.env)
	d.WantLog(t, `level=warning msg="inventory us (jamf): `, "the daemon starts anyway", "inventory us (jamf): no answer yet", "inventory eu (jamf): Jamf Pro")
	by := s.caller(t, d, 1)
	by.WantAllow(t, "C0000EU1", `{}`)
	if _, status, wrong := d.Ready(t); status != "degraded" || !strings.Contains(wrong["provider"], "at start, inventory us (jamf): ") || strings.Contains(wrong["provider"], "inventory eu") {
		t.Errorf("/readyz = %s %q, want that us is down although eu has answered", status, wrong)
	}
	s.us.Up()
	d.Eventually(t, "us answers", func() bool { return by.Answers(t, "C0000US1", program.Allowed) })
	if _, status, wrong := d.Ready(t); status != "ok" {
		t.Errorf("/readyz = %s %q", status, wrong)
	}
	if code, _ := d.Stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.WriteFile(t, "us.secret", "not-the-secret")
	for _, command := range []string{"check", "serve"} {
		r := program.Run(t, s.env.With("HEALTH_ADDRESS", "off"), "", command)
		if r.Code != 1 || !strings.Contains(r.Stderr, "inventory us (jamf): ") || strings.Contains(r.Stderr, "not-the-secret") {
			t.Fatalf("%s: exit %d, want 1\n%s", command, r.Code, r.Stderr)
		}
	}
}

// TestRequestOfTheGenerationBefore: a request whose lookup is slow finishes by the rules and with the inventory with which it
// began, although both are gone by then. Afterwards the connections of that inventory are closed.
func TestRequestOfTheGenerationBefore(t *testing.T) {
	t.Parallel()
	s := newTwoServers(t, []jamftest.Device{program.Mac("C0000EU1")}, nil, "C0000EU1")
	s.Write(t, s.servers()+"policies:\n  staff: {inventories: [eu], mode: computer, data: {version: '\"old\"'}}\n"+s.hooks(t, "staff"))
	d := program.StartDaemon(t, s.env)
	release := make(chan struct{})
	s.eu.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: release}, jamftest.Computers+"4")
	answered := make(chan struct{})
	by := s.caller(t, d, 1)
	go func() {
		defer close(answered)
		by.WantAllow(t, "C0000EU1", `{"version":"old"}`)
	}()
	if err := s.eu.Await(t.Context(), func() bool { return s.eu.InFlight(jamftest.Computers+"4") > 0 }); err != nil {
		t.Fatal(err)
	}
	text := "inventories:\n  owned: {provider: file, path: owned.csv, type: csv}\npolicies:\n  staff: {inventories: [owned], data: {version: '\"new\"'}}\n" + s.hooks(t, "staff")
	s.Write(t, text)
	d.Eventually(t, "the new file is in effect", func() bool {
		return d.HasSeries(t, `step_posture_policy_info{hash="`+program.HashOf(text)+`"}`)
	})
	by.WantAllow(t, "C0000EU1", `{"version":"new"}`)
	close(release)
	<-answered
	d.Eventually(t, "the connections to the server that is gone are closed", func() bool { return s.eu.Open() == 0 })
	if _, status, wrong := d.Ready(t); status != "ok" || d.HasSeries(t, `step_posture_upstream_requests_total{inventory="eu"`) || d.HasSeries(t, `step_posture_provider_duration_seconds_count{provider="eu"`) {
		t.Errorf("/readyz = %s %q, or series of the server that is gone", status, wrong)
	}
}

// TestLateFault: a request that began with an inventory that is gone by then fails, and /readyz does not report it for ever.
func TestLateFault(t *testing.T) {
	t.Parallel()
	s := newTwoServers(t, []jamftest.Device{program.Mac("C0000EU1")}, nil, "C0000EU1")
	s.Write(t, s.servers()+"policies:\n  staff: {inventories: [eu], mode: computer, data: {}}\n"+s.hooks(t, "staff"))
	d := program.StartDaemon(t, s.env)
	by := s.caller(t, d, 1)
	s.eu.Fail(vendortest.Fault{Kind: vendortest.Hang})
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		by.WantStatus(t, "the server hangs", "C0000EU1", http.StatusServiceUnavailable)
	}()
	if err := s.eu.Await(t.Context(), func() bool { return s.eu.Hanging() > 0 }); err != nil {
		t.Fatal(err)
	}
	s.Write(t, "inventories:\n  owned: {provider: file, path: owned.csv, type: csv}\npolicies:\n  staff: {inventories: [owned], data: {}}\n"+s.hooks(t, "staff"))
	d.Eventually(t, "the list decides", func() bool { return by.Answers(t, "C0000EU1", program.Allowed) })
	<-answered
	if _, status, wrong := d.Ready(t); status != "ok" {
		t.Errorf("/readyz = %s %q, want ok", status, wrong)
	}
}
