package e2e_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/radius"
)

// fault is what must keep a device out at every door, although it was let in a moment ago and that answer is remembered.
type fault struct {
	name string
	// begin brings it about, and returns what ends it, which may be nil.
	begin func(t *testing.T, s *siteLab) (end func())
	// shows is the certificate that is shown instead of the device's.
	shows func(t *testing.T, s *siteLab) doors.Credential
	code  string // in the log; empty where the connector is not asked, or not by every server
}

func faults() []fault {
	return []fault{
		{name: "connector killed", begin: killed},
		{name: "connector stopped", begin: stopped},
		{name: "connector with a certificate of another CA", begin: otherCA},
		{name: "out of the inventory", begin: unlisted, code: "deviceNotFound"},
		{name: "sibling provisioner", shows: siblingProvisioner, code: "certificateUntrusted"},
		{name: "provisioner's extension missing", shows: template(func(c *x509.Certificate) {
			c.ExtraExtensions = c.ExtraExtensions[:1]
		}), code: "certificateUntrusted"},
		{name: "sibling CA", shows: siblingCA},
		{name: "expired", shows: template(func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		})},
		{name: "name with an expression", shows: expression},
		{name: "provisioner's extension broken", shows: template(func(c *x509.Certificate) {
			c.ExtraExtensions[1].Value = []byte("\x30\x00")
		}), code: "certificateUntrusted"},
		{name: "revoked", begin: revoked, code: "certificateUntrusted"},
	}
}

// testFaults: with each fault nobody gets in. When it has ended, the device does.
func testFaults(t *testing.T, s *siteLab) {
	for _, f := range faults() {
		good := t.Run(f.name, func(t *testing.T) {
			s.wantIn(t)
			shown := s.device
			if f.shows != nil {
				shown = f.shows(t, s)
			}
			end := func() {}
			if f.begin != nil {
				if ends := f.begin(t, s); ends != nil {
					end = ends
				}
			}
			c := s.site.Gate().Connector()
			before := strings.Count(c.Log(), "code="+f.code)
			s.wantOut(t, shown, f.name)
			if f.code != "" {
				// One at least of each login, and of each web server that asks.
				ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
				defer cancel()
				if err := c.AwaitCount(ctx, "code="+f.code, before+3); err != nil {
					t.Error(err)
				}
			}
			end()
			s.wantIn(t)
		})
		if !good {
			return // the next one would begin with this fault
		}
	}
}

// wantOut: the device gets in at no door, all of which are tried at once.
func (s *siteLab) wantOut(t *testing.T, device doors.Credential, what string) {
	t.Helper()
	var group sync.WaitGroup
	group.Go(func() {
		for _, tls13 := range []bool{false, true} {
			result := connect(t, s.radius, radius.Login{Device: device, TLS13: tls13})
			wantRejected(t, result)
			if !strings.Contains(result.Output, "(Access-Reject)") {
				t.Errorf("%s: FreeRADIUS has sent no Access-Reject:\n%s", what, result.Output)
			}
		}
	})
	for name, w := range s.web {
		group.Go(func() {
			got, err := w.wantNothing(t, &device, what+", "+name)
			if err == nil && got.status < 400 {
				t.Errorf("%s, %s: status %d", what, name, got.status)
			}
		})
	}
	group.Wait()
}

// startAgain starts the connector again, at the same port of its doors.
func (s *siteLab) startAgain(t *testing.T) {
	t.Helper()
	// It runs for longer than the scenario.
	if err := s.site.Gate().Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func killed(t *testing.T, s *siteLab) func() {
	t.Helper()
	if err := s.site.Gate().Connector().Kill(); err != nil {
		t.Fatal(err)
	}
	return func() { s.startAgain(t) }
}

// stopped: the connector accepts connections, and answers nothing.
func stopped(t *testing.T, s *siteLab) func() {
	t.Helper()
	signal := func(signal os.Signal) {
		if err := s.site.Gate().Connector().Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	return func() { signal(syscall.SIGCONT) }
}

// otherCA: another server is in the connector's place. It would allow: it has the same policy and the same inventory.
func otherCA(t *testing.T, s *siteLab) func() {
	t.Helper()
	g := s.site.Gate()
	other, err := s.site.Callers.Server(s.site.Callers.Root, "impostor", "localhost")
	if err != nil {
		t.Fatal(err)
	}
	closeGate := func() {
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
	closeGate()
	back := g.Present(other.Certificate, other.Key)
	s.startAgain(t)
	return func() {
		closeGate()
		back()
		s.startAgain(t)
	}
}

func unlisted(t *testing.T, s *siteLab) func() {
	t.Helper()
	header, _, _ := strings.Cut(goodRow().inventory(), "\n")
	s.setRow(t, header+"\n"+nobodyRow)
	return func() { s.setRow(t, goodRow().inventory()) }
}

// revoked: step-ca revokes the certificate of the device, and the list is fetched. The device gets another one.
func revoked(t *testing.T, s *siteLab) func() {
	t.Helper()
	before := strings.Count(s.site.Gate().Connector().Log(), "reloaded: ")
	leaf, err := x509.ParseCertificate(s.device.Leaf())
	if err != nil {
		t.Fatal(err)
	}
	s.revoke(t, leaf.SerialNumber.String())
	s.fetchLists(t, s.lists)
	s.awaitReload(t, before)
	return func() { s.enrol(t) }
}

// template changes what the issuer of devices' certificates signs for the known device: the first extension has its names, the
// second one the provisioner.
func template(change func(*x509.Certificate)) func(*testing.T, *siteLab) doors.Credential {
	return func(t *testing.T, s *siteLab) doors.Credential {
		t.Helper()
		c, err := doors.DeviceTemplate(knownSerial, "acme-da")
		if err != nil {
			t.Fatal(err)
		}
		change(c)
		credential, err := s.site.PKI.Issue(s.site.PKI.Issuer, "changed", c)
		if err != nil {
			t.Fatal(err)
		}
		return credential
	}
}

// expression: FreeRADIUS evaluates such text where it is careless.
func expression(t *testing.T, s *siteLab) doors.Credential {
	t.Helper()
	credential, err := s.site.PKI.Device(s.site.PKI.Issuer, "%{User-Name}", "acme-da")
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

func siblingCA(t *testing.T, s *siteLab) doors.Credential {
	t.Helper()
	credential, err := s.site.PKI.Device(s.site.PKI.Sibling, knownSerial, "acme-da")
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

// testExpressionAsVLAN: the name of a device in the inventory is its VLAN, and is an expression of FreeRADIUS. The device does
// not get in there; a web server hands the name on as it is.
func testExpressionAsVLAN(t *testing.T, s *siteLab) {
	const name = "%{User-Name}"
	named := goodRow()
	named.name, named.groups = name, "Staff"
	s.setRow(t, named.inventory())
	wantRejected(t, connect(t, s.radius, radius.Login{Device: s.device}))
	expectLog(t, s.site.Gate().Connector(), "[DENY]", "code=vlanUnknown", "path=/door/radius")
	for server, w := range s.web {
		if got := w.wantPage(t, http.MethodGet, "/", nil, "").Header.Get("X-Device-Name"); got != name {
			t.Errorf("%s: X-Device-Name is %q, want %q", server, got, name)
		}
	}
	s.setRow(t, goodRow().inventory())
	s.wantIn(t)
}
