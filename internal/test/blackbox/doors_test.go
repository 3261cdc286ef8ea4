package blackbox_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
	"step-posture-connector/internal/test/testca"
)

// TestDoors: each listener answers its own questions alone, and what it answers is in the log, the audit log and the metrics.
func TestDoors(t *testing.T) {
	t.Parallel()
	l := prepareDoors(t, strings.Replace(doorPolicies, "[proxy.example.com], policy: doors", "[proxy.example.com], policy: doors, headers: {X-Groups: device.groups}", 1))
	secret := program.NewSecret()
	l.policies.WriteFile(t, "secret", secret)
	l.policies.Append(t, "webhooks:\n  - {name: ca, id: "+program.HookID(1)+", secret: {file: secret}, policy: doors}\n")
	trail := filepath.Join(t.TempDir(), "audit.jsonl")
	l.env = l.env.With("AUDIT_LOG_PATH", trail)
	l.Daemon = program.StartDaemon(t, l.env)
	l.proxy = l.caller(t, l.callers, &x509.Certificate{DNSNames: []string{"proxy.example.com"}})
	l.WantLog(t, "doors on "+l.Doors, "callers at doors: cn:radius, proxy.example.com", "door listener: "+l.Doors, `doors.issuers: \"Devices\" is a root`, "door forward_auth: callers proxy.example.com, policy doors, answers are remembered for 1h0m0s", "door radius: callers cn:radius, policy doors")

	l.want(t, "a device that is encrypted", l.device, http.StatusOK, `{"allow":true}`)
	l.want(t, "the same, remembered", l.device, http.StatusOK, `{"allow":true}`)
	l.want(t, "another one", l.issue(t, l.devices, otherDevice), http.StatusForbidden, program.Refused("diskNotEncrypted"))
	l.want(t, "of another CA", l.issue(t, testca.New(t, "Devices"), doorDevice), http.StatusForbidden, program.Refused("certificateUntrusted"))
	stranger := l.caller(t, l.callers, &x509.Certificate{Subject: pkix.Name{CommonName: "proxy.example.com"}, DNSNames: []string{"other.example.com"}})
	ca := program.NewStepCA(t, l.pki, l.Address, nil).As(t, program.HookID(1), secret)
	for _, c := range []struct {
		as                    *http.Client
		address, method, path string
		status                int
	}{
		{stranger, l.Doors, http.MethodGet, "/door/http", http.StatusForbidden},
		{l.proxy, l.Doors, http.MethodGet, "/status", http.StatusForbidden},
		{l.proxy, l.Doors, http.MethodPost, "/webhook/device-attest", http.StatusForbidden},
		{l.proxy, l.Doors, http.MethodPost, "/door/radius", http.StatusForbidden},
		{l.proxy, l.Doors, http.MethodGet, "/door/radius", http.StatusForbidden},
		{l.proxy, l.Doors, http.MethodGet, "/metrics", http.StatusForbidden},
		{l.proxy, l.Address, http.MethodGet, "/door/http", http.StatusNotFound},
		{l.proxy, l.Address, http.MethodPost, "/door/radius", http.StatusNotFound},
	} {
		status, text, err := l.send(t, c.as, c.address, c.method, c.path, "{}", shows(l.device))
		if err != nil || status != c.status || strings.Contains(text, `"allow":true`) {
			t.Errorf("%s %s on %s: got %d %s (%v), want %d", c.method, c.path, c.address, status, text, err, c.status)
		}
	}
	ca.WantDecision(t, "a webhook", doorDevice, `{"allow":true`)
	l.WantLog(t,
		"policy=doors inventory=owned door=forward_auth caller=proxy.example.com ",
		"door=forward_auth caller=proxy.example.com repeats=true ",
		"policy=doors inventory=owned door=webhook caller=ca ",
	)
	l.Eventually(t, "the questions are counted", func() bool {
		return l.Metric(t, `step_posture_decisions_total{caller="proxy.example.com",code="none",outcome="allow",policy="doors",provider="owned"}`) == "2" &&
			l.Metric(t, `step_posture_decisions_total{caller="proxy.example.com",code="diskNotEncrypted",outcome="deny",policy="doors",provider="owned"}`) == "1" &&
			l.Metric(t, `step_posture_repeated_answers_total{door="forward_auth"}`) == "1" && l.Metric(t, `step_posture_repeated_answers_total{door="radius"}`) == "0"
	})
	if _, text := l.Get(t, "/metrics"); strings.Contains(text, "other.example.com") || strings.Contains(text, `caller="proxy"`) {
		t.Error("a caller that is not known has a series")
	}
	if _, _, err := l.send(t, l.caller(t, l.devices, &x509.Certificate{DNSNames: []string{"proxy.example.com"}}), l.Doors, http.MethodGet, "/door/http", "", shows(l.device)); err == nil {
		t.Error("a caller of another CA is let in")
	}
	l.Eventually(t, "its handshake is counted, without a certificate: the client sees that it has none of the CA", func() bool {
		return l.Metric(t, `step_posture_door_handshake_failures_total{cause="no_client_certificate"}`) == "1"
	})
	lines := string(contentOf(t, filepath.Dir(trail), filepath.Base(trail)))
	if strings.Count(lines, `"caller":"proxy.example.com","door":"forward_auth"`) != 3 || strings.Count(lines, `"caller":"ca","door":"webhook"`) != 1 {
		t.Errorf("the audit log has\n%s", lines)
	}
}

// TestRADIUSDoor: without the attributes of a certificate nobody gets in, and the log says which access point has asked.
func TestRADIUSDoor(t *testing.T) {
	t.Parallel()
	l := newDoorLab(t, doorPolicies)
	radius := l.caller(t, l.callers, &x509.Certificate{Subject: pkix.Name{CommonName: "radius"}})
	body := `{"NAS-Identifier":{"type":"string","value":["ap-1"]}}`
	status, text, err := l.send(t, radius, l.Doors, http.MethodPost, "/door/radius", body, http.Header{"Content-Type": {"application/json"}})
	if err != nil || status != http.StatusUnauthorized || !strings.Contains(text, `"reply:Reply-Message"`) {
		t.Errorf("got %d %s, %v", status, text, err)
	}
	l.WantLog(t, "code=certificateMissing", "door=radius caller=\"cn:radius\" nas=ap-1 ")
}

// TestDoorsShutDown: a question that is under way is answered.
func TestDoorsShutDown(t *testing.T) {
	t.Parallel()
	l := newDoorLab(t, doorPolicies)
	radius := l.caller(t, l.callers, &x509.Certificate{Subject: pkix.Name{CommonName: "radius"}})
	asked := make(chan string, 1)
	body := &slowBody{begun: make(chan struct{}), rest: make(chan string)}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+l.Doors+"/door/radius", body)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		response, err := radius.Do(request)
		if err != nil {
			asked <- err.Error()
			return
		}
		_ = response.Body.Close()
		asked <- response.Status
	}()
	<-body.begun
	l.Eventually(t, "the connection is counted", func() bool { return l.Metric(t, "step_posture_door_connections") == "1" })
	shutDown(t, l.Daemon, syscall.SIGTERM)
	if strings.Contains(l.Output(), "stopped; every request was answered") {
		t.Error("it says that it has stopped, and a question is not answered")
	}
	body.rest <- "{}"
	close(body.rest)
	if got := <-asked; got != "401 Unauthorized" {
		t.Errorf("the question under way got %s, want 401: it shows no certificate", got)
	}
	l.WantExit(t, 0)
}

// slowBody is a body that ends when a test wants it to.
type slowBody struct {
	begun chan struct{}
	rest  chan string
	sent  bool
}

func (b *slowBody) Read(to []byte) (int, error) {
	if !b.sent {
		b.sent = true
		close(b.begun)
	}
	select {
	case text, ok := <-b.rest:
		if !ok {
			return 0, io.EOF
		}
		return copy(to, text), nil
	case <-time.After(program.Patience):
		return 0, io.EOF
	}
}
