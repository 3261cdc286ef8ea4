package daemon_test

import (
	"context"
	"maps"
	"net"
	"os"
	"strings"
	"testing"

	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/test/sqltest"
)

const (
	acceptedState = "; accepted: sqlite:/path/of/a/file, or postgres://user:password@host/database"
	acceptedFile  = "; accepted: sqlite: and a file in a folder that the daemon may write to, which no other daemon uses"
	withoutState  = "STATE_URL: not set, but the policy file uses enrolment tokens, which must outlive a restart" + acceptedState

	plainPolicy = "policies:\n  default: {rules: [{name: managed, require: device.managed}]}\n"
	tokenPolicy = "policies:\n  default: {token: {required: true}}\n"
)

// Every STATE_URL that cannot be used is refused before anything is opened, and its password is in no message.
func TestStateURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"state.db":                     "it is not a URL" + acceptedState,
		"mysql://u:pa55word@h/d":       "its scheme is not known" + acceptedState,
		"sqlite:":                      "it has no path" + acceptedState,
		"sqlite::memory:":              "it is in memory, and would not outlive the daemon" + acceptedState,
		"sqlite:state.db":              "its path does not begin at the root" + acceptedState,
		"sqlite://DIR/state.db":        "it has // before the path" + acceptedState,
		"sqlite:DIR/state.db?mode=rwc": "its path has ?, # or %" + acceptedState,
		"sqlite:DIR/":                  "its path is that of a folder" + acceptedState,
		"sqlite:DIR":                   "the state database, sqlite:DIR: it is a folder, want a file" + acceptedFile,
		"sqlite:DIR/none/state.db":     "the state database, sqlite:DIR/none/state.db: its folder does not exist" + acceptedFile,
		"sqlite:DIR/server.crt/s.db":   "the state database, sqlite:DIR/server.crt/s.db: its folder: not a directory" + acceptedFile,
		"postgres://u:pa55word@h/":     "it has no database" + acceptedState,
		"postgres://:pa55word@h/d":     "it has no user" + acceptedState,
		"postgres://u:pa55word@h:x/d":  "it is not a URL (special characters of a password are written as %XX)" + acceptedState,

		"postgres://u:pa55word@h/d?passfile=/x":    "it has a parameter that is not accepted; accepted are host, port, user, password, sslmode, sslrootcert, sslcert, sslkey, search_path, application_name, connect_timeout, target_session_attrs",
		"postgres://u:pa55word@h/d?sslmode=prefer": "its sslmode falls back to an unencrypted connection; accepted: verify-full, verify-ca, require, disable",
	} {
		lines := install(t).refused(t, map[string]string{"STATE_URL": url})
		wantLines(t, "Load with "+url, lines, []string{"STATE_URL: " + want})
		if strings.Contains(strings.Join(lines, "\n"), "pa55word") {
			t.Errorf("%s: the error shows the password: %q", url, lines)
		}
	}
}

// Tokens without a database are refused at start, and at a reload, which keeps the policies before it.
func TestTokensNeedState(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.write(t, "posture.yaml", tokenPolicy)
	changes := map[string]string{"POLICY_PATH": "DIR/posture.yaml"}
	wantLines(t, "Load", in.refused(t, changes), []string{withoutState})

	// A file with the address that cannot be read is one problem, not two.
	missing := maps.Clone(changes)
	missing["STATE_URL_FILE"] = "DIR/missing"
	if lines := in.refused(t, missing); len(lines) != 1 || !strings.HasPrefix(lines[0], "STATE_URL_FILE: ") {
		t.Errorf("Load = %q, want one line about STATE_URL_FILE", lines)
	}

	in.write(t, "posture.yaml", plainPolicy)
	d := in.loaded(t, changes)
	reload, _, _ := d.Reloader()
	in.write(t, "posture.yaml", tokenPolicy)
	if err := reload(); err == nil || !strings.Contains(err.Error(), withoutState) {
		t.Errorf("the reload: %v, want %s", err, withoutState)
	}
	if described := strings.Join(d.Describe(), "\n"); !strings.Contains(described, "rules: managed") {
		t.Errorf("after a reload that failed these are in effect:\n%s", described)
	}

	changes["STATE_URL"] = "sqlite:DIR/state.db"
	in.loaded(t, changes)
	if _, err := os.Stat(in.path("state.db")); err == nil {
		t.Error("Load has created the database")
	}
}

// check says what the state database is like, and creates nothing.
func TestCheckState(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.write(t, "empty.db", "")
	in.write(t, "damaged.db", strings.Repeat("no database", 1000))
	in.run(t, map[string]string{"STATE_URL": "sqlite:DIR/state.db"})
	closed := freeAddress(t)
	for url, row := range map[string]struct{ described, fault string }{
		"":                      {"", ""},
		"sqlite:DIR/state.db":   {"state database: sqlite:DIR/state.db: it answers", ""},
		"sqlite:DIR/none.db":    {"state database: sqlite:DIR/none.db: it is created when the daemon starts", ""},
		"sqlite:DIR/empty.db":   {"state database: sqlite:DIR/empty.db: its tables are created when the daemon starts", ""},
		"sqlite:DIR/damaged.db": {"state database: sqlite:DIR/damaged.db", "STATE_URL: the state database, sqlite:DIR/damaged.db: it is no database, or damaged (SQLite 26)"},

		"postgres://u:pa55word@" + closed + "/d": {"state database: PostgreSQL at " + closed + "/d", "STATE_URL: the state database, PostgreSQL at " + closed + "/d: it cannot be reached"},
	} {
		d := in.loaded(t, map[string]string{"STATE_URL": url})
		fault := ""
		if err := d.CheckState(t.Context()); err != nil {
			fault = err.Error()
		}
		described := ""
		for _, line := range d.Describe() {
			if strings.HasPrefix(line, "state database: ") {
				described = line
			}
		}
		replace := strings.NewReplacer(in.folder, "DIR")
		if replace.Replace(described) != row.described || replace.Replace(fault) != row.fault {
			t.Errorf("%s: %q, %q, want %q, %q", url, described, fault, row.described, row.fault)
		}
		if starts := strings.Contains(strings.Join(d.Warnings, "\n"), "the daemon starts anyway"); starts != strings.HasPrefix(url, "postgres:") {
			t.Errorf("%s: the warnings are %q", url, d.Warnings)
		}
	}
	if _, err := os.Stat(in.path("none.db")); err == nil {
		t.Error("check has created the database")
	}
}

// Of two daemons with one SQLite file, the second ends before it opens a port.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	in := install(t)
	state := map[string]string{"STATE_URL": "sqlite:DIR/state.db"}
	in.run(t, state)

	second := map[string]string{"BIND_ADDRESS": "127.0.0.1", "HEALTH_ADDRESS": "off"}
	_, second["PORT"], _ = net.SplitHostPort(freeAddress(t))
	maps.Copy(second, state)
	var log strings.Builder
	err := in.loaded(t, second).Serve(t.Context(), &log, daemon.Process{})
	want := "configuration:\nSTATE_URL: the state database, sqlite:DIR/state.db: another daemon uses it; give each daemon a file of its own, or PostgreSQL to several" + acceptedFile
	if err == nil || strings.ReplaceAll(err.Error(), in.folder, "DIR") != want || strings.Contains(log.String(), "listening on") {
		t.Errorf("Serve() = %v, want %s; it logged\n%s", err, want, log.String())
	}
}

// A PostgreSQL that is down at start is no reason not to start: what it does not need is decided as ever, and it comes back by
// itself.
func TestStateComesBack(t *testing.T) {
	t.Parallel()
	server := sqltest.PostgreSQL(t)
	server.Exec(t, "CREATE DATABASE state")
	server.Kill()
	r := install(t).run(t, map[string]string{"STATE_URL": server.PostgresURL("admin", sqltest.AdminPassword, "state")})
	if !r.said("the daemon starts anyway: what needs an enrolment token is answered with 503") || r.said(sqltest.AdminPassword) {
		t.Errorf("it logged\n%s", r.text())
	}
	if text := r.ready(t); !strings.HasPrefix(text, "200 ") || !strings.Contains(text, `"status":"degraded"`) ||
		!strings.Contains(text, `"state":{"status":"degraded","message":"what needs an enrolment token is answered with 503: the state database, PostgreSQL at `+server.Address+`/state: `) {
		t.Errorf("/readyz: %s", text)
	}
	if text := r.ask(t); !strings.HasPrefix(text, `200 {"allow":true`) {
		t.Errorf("an order without a token: %s", text)
	}
	server.Start(t)
	r.eventually(t, "the database is used", func() bool { return r.said("state database: it answers again") })
	if text := r.ready(t); !strings.Contains(text, `"state":{"status":"ok"`) {
		t.Errorf("/readyz: %s", text)
	}
	server.Kill()
	r.eventually(t, "its end is noticed", func() bool { return r.said("what needs an enrolment token is answered with 503 until it answers") })
}

// The listener without TLS exists only where it is asked for, on a port of its own.
func TestAPIAddress(t *testing.T) {
	t.Parallel()
	const accepted = "; accepted: host:port with another port, or off"
	for address, want := range map[string]string{
		"127.0.0.1:9443": "the same port as PORT, on the same address" + accepted,
		":9443":          "the same port as PORT, on the same address" + accepted,
		"127.0.0.1:9444": "the same port as HEALTH_ADDRESS, on the same address" + accepted,
		"0.0.0.0:9444":   "the same port as HEALTH_ADDRESS, on the same address" + accepted,
	} {
		wantLines(t, "Load with "+address, install(t).refused(t, map[string]string{"API_ADDRESS": address}), []string{"API_ADDRESS: " + want})
	}
	if r := run(t); r.said("API without TLS") {
		t.Errorf("by default it logged\n%s", r.text())
	}
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	webhooks, health := freeAddress(t), freeAddress(t)
	_, port, _ := net.SplitHostPort(webhooks)
	d := install(t).loaded(t, map[string]string{"BIND_ADDRESS": "127.0.0.1", "PORT": port, "HEALTH_ADDRESS": health, "API_ADDRESS": taken.Addr().String()})
	err = d.Serve(context.WithoutCancel(t.Context()), &strings.Builder{}, daemon.Process{})
	if err == nil || !strings.HasPrefix(err.Error(), "API_ADDRESS: listen tcp "+taken.Addr().String()+": ") || !strings.HasSuffix(err.Error(), "; set it to another address, or to off") {
		t.Errorf("with a port that is taken: %v", err)
	}
	for _, address := range []string{webhooks, health} {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Errorf("the daemon that did not start holds a port: %v", err)
			continue
		}
		_ = l.Close()
	}
}

// freeAddress is one on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
