package blackbox_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

// TestConsoleUsersReload: who is removed from the file of users is out at once; a file that is broken keeps those of before.
func TestConsoleUsersReload(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	l.writeUsers(t, htpasswd(t, helpdesk, helpdeskWord)+htpasswd(t, "eve", "eve's own"))
	l.start(t)
	first, eve := l.browser(t), l.browser(t)
	for b, name := range map[*browser][2]string{first: {helpdesk, helpdeskWord}, eve: {"eve", "eve's own"}} {
		if p := b.logIn(t, name[0], name[1]); p.status != http.StatusSeeOther {
			t.Fatalf("%s: %d", name[0], p.status)
		}
	}
	text, err := os.ReadFile(l.users)
	if err != nil {
		t.Fatal(err)
	}
	l.writeUsers(t, "eve:Pa55word\n")
	l.daemon.AwaitLog(t, "reload failed, keeping the previous version: CONSOLE_USERS_FILE: "+l.users+": line 1: the password is not hashed with bcrypt", 1)
	if strings.Contains(l.daemon.Output(), "Pa55word") {
		t.Error("the log shows the line")
	}
	if _, _, wrong := l.daemon.Ready(t); !strings.Contains(wrong["console"], "line 1: the password is not hashed") {
		t.Errorf("/readyz: %q", wrong)
	}
	if p := eve.get(t, "/"); p.status != http.StatusOK {
		t.Errorf("with a broken file: %d", p.status)
	}
	only, _, _ := strings.Cut(string(text), "\n")
	l.writeUsers(t, only+"\n")
	l.daemon.AwaitLog(t, "reloaded: users of the console: 1", 1)
	if p := eve.get(t, "/"); p.status != http.StatusSeeOther {
		t.Errorf("who was removed: %d, want the log-in", p.status)
	}
	if p := eve.logIn(t, "eve", "eve's own"); p.status != http.StatusUnauthorized {
		t.Errorf("who was removed logs in: %d, want 401", p.status)
	}
	if p := first.get(t, "/"); p.status != http.StatusOK {
		t.Errorf("who is still in the file: %d", p.status)
	}
	l.writeUsers(t, htpasswd(t, helpdesk, "another"))
	l.daemon.AwaitLog(t, "reloaded: users of the console: 1", 2)
	if p := first.get(t, "/"); p.status != http.StatusSeeOther {
		t.Errorf("who has another password: %d, want the log-in", p.status)
	}
}

// TestConsoleLastUserRemoved: also the last one who is removed from the file of users is out, and somebody who is added then is in.
func TestConsoleLastUserRemoved(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t).start(t)
	b := l.browser(t)
	b.logIn(t, helpdesk, helpdeskWord)
	l.writeUsers(t, "# nobody\n")
	l.daemon.AwaitLog(t, "reloaded: users of the console: 0; CONSOLE_USERS_FILE: nobody is in it, so that nobody could log in", 1)
	if p := b.get(t, "/"); p.status != http.StatusSeeOther {
		t.Errorf("who was removed: %d, want the log-in", p.status)
	}
	if p := b.logIn(t, helpdesk, helpdeskWord); p.status != http.StatusUnauthorized {
		t.Errorf("who was removed logs in: %d, want 401", p.status)
	}
	l.writeUsers(t, htpasswd(t, "eve", "eve's own"))
	l.daemon.AwaitLog(t, "reloaded: users of the console: 1", 1)
	if p := b.logIn(t, "eve", "eve's own"); p.status != http.StatusSeeOther {
		t.Errorf("who was added logs in: %d", p.status)
	}
}

// TestConsoleRestart: sessions outlive the daemon.
func TestConsoleRestart(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t).start(t)
	b := l.browser(t)
	b.logIn(t, helpdesk, helpdeskWord)
	l.daemon.Signal(t, syscall.SIGTERM)
	l.daemon.WantExit(t, 0)
	b.CloseIdleConnections()
	l.start(t)
	if p := b.get(t, "/"); p.status != http.StatusOK {
		t.Errorf("after a restart: %d", p.status)
	}
}

// TestConsoleTLS: the console has a certificate of its own, which is reloaded, TLS from 1.2, and no plain HTTP.
func TestConsoleTLS(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	own := func() (cert, key string) {
		signer := program.NewECKey(t)
		template := program.LeafTemplate("console")
		template.IPAddresses, template.ExtKeyUsage = []net.IP{net.IPv4(127, 0, 0, 1)}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		der, err := x509.MarshalPKCS8PrivateKey(signer)
		if err != nil {
			t.Fatal(err)
		}
		return l.pki.Write(t, "console.pem", "CERTIFICATE", l.pki.Sign(t, template, signer), l.pki.CA.Raw), l.pki.Write(t, "console_key.pem", "PRIVATE KEY", der)
	}
	cert, key := own()
	l.env = l.env.With("CONSOLE_TLS_CERT_PATH", cert, "CONSOLE_TLS_KEY_PATH", key)
	l.start(t)
	before := l.peer(t)
	if before.Subject.CommonName != "console" {
		t.Errorf("the certificate is of %s", before.Subject)
	}
	own()
	l.daemon.Hangup(t)
	l.daemon.Eventually(t, "the new certificate is shown", func() bool { return !l.peer(t).Equal(before) })
	old := &tls.Dialer{Config: &tls.Config{RootCAs: l.pki.Roots, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}}
	if c, err := old.DialContext(t.Context(), "tcp", l.address); err == nil {
		_ = c.Close()
		t.Error("TLS 1.1 is spoken")
	}
	b := l.browser(t)
	b.base = "http://" + l.address
	if p := b.get(t, "/"); p.status != http.StatusBadRequest {
		t.Errorf("plain HTTP: %d", p.status)
	}
}

// peer is the certificate that the console shows.
func (l *consoleLab) peer(t *testing.T) *x509.Certificate {
	t.Helper()
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: time.Minute}, Config: &tls.Config{RootCAs: l.pki.Roots, MinVersion: tls.VersionTLS12}}
	c, err := dialer.DialContext(t.Context(), "tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0] //nolint:forcetypeassert // a tls.Dialer makes no other
}

// TestConsoleIsAudited: without the audit log nobody gets in, and a view of personal data is a line of it.
func TestConsoleIsAudited(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t).start(t)
	b := l.browser(t)
	b.logIn(t, helpdesk, helpdeskWord)
	if p := b.get(t, "/search?q=C02XK1JKLVCG"); p.status >= http.StatusInternalServerError {
		t.Errorf("the search: %d", p.status)
	}
	found := false
	for _, n := range l.notices(t) {
		found = found || n["event"] == "console_view" && n["user"] == helpdesk && n["page"] == "search" && n["identifier"] == "C02XK1JKLVCG"
	}
	if !found {
		t.Errorf("the audit log has no line about the search: %v", l.notices(t))
	}
	if strings.Contains(l.daemon.Output(), "C02XK1JKLVCG") {
		t.Error("the log has what was searched for")
	}
	for series, want := range map[string]string{
		`step_posture_console_logins_total{result="ok"}`: "1", `step_posture_console_logins_total{result="failed"}`: "0",
		`step_posture_console_requests_total{page="login",result="ok"}`: "2",
	} {
		if got := l.daemon.Metric(t, series); got != want {
			t.Errorf("%s is %s, want %s", series, got, want)
		}
	}
}
