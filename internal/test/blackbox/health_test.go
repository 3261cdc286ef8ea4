//go:build unix

package blackbox_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// wantHealthcheck runs the command as a container's health check does.
func wantHealthcheck(t *testing.T, what, address string, code int, output string) {
	t.Helper()
	got := runOnce(t, environment{"HEALTH_ADDRESS": address}, t.TempDir(), "healthcheck")
	if got.code != code || !strings.Contains(got.stdout+got.stderr, output) {
		t.Errorf("%s: healthcheck = %d %s%s, want %d with %q", what, got.code, got.stdout, got.stderr, code, output)
	}
}

// From start to end: ok, degraded, ending, gone.
func TestHealth(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	inventory := filepath.Join(t.TempDir(), "devices.csv")
	replaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\n")
	d := startDaemon(t, workingEnvironment(t, p).with("FILE_PATH", inventory, "FILE_TYPE", "csv", "HEALTH_ADDRESS", freeHealth))
	wantHealthcheck(t, "all is well", d.health, 0, "ok\n")
	if status, text := d.get(t, "/healthz"); status != http.StatusOK || text != `{"status":"ok"}`+"\n" {
		t.Errorf("/healthz = %d %s", status, text)
	}
	if status, text := d.get(t, "/webhook/device-attest"); status != http.StatusNotFound {
		t.Errorf("the webhook over plain HTTP = %d %s, want 404", status, text)
	}
	replaceFile(t, inventory, "Identifier\n,\n")
	d.eventually(t, "the broken inventory is seen", func() bool { _, status, _ := d.ready(t); return status == "degraded" })
	wantHealthcheck(t, "a broken inventory", d.health, 0, "degraded\ninventory: degraded: ")

	request := hold(t, p, d.address, "http/1.1")
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d.eventually(t, "it is ending", func() bool {
		code, status, wrong := d.ready(t)
		return code == http.StatusServiceUnavailable && status == "unavailable" && strings.HasPrefix(wrong["shutdown"], "unavailable: ")
	})
	wantHealthcheck(t, "ending", d.health, 1, "unavailable\n")
	if status, _ := d.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz = %d while it is ending, want 200: it lives", status)
	}
	request.finish(t)
	d.wantEnd(t, 0)
	wantHealthcheck(t, "gone", d.health, 1, "is the daemon running, with the same HEALTH_ADDRESS?")
	wantHealthcheck(t, "off", "off", 1, "HEALTH_ADDRESS is off")
	wantHealthcheck(t, "broken", "x", 1, `HEALTH_ADDRESS: "x" is not accepted; accepted: host:port`)
}

// A port that somebody wanted must be free. The one that nobody asked for need not be: two connectors
// on one machine both decide.
func TestHealthAddressInUse(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(freeAddress(t))
	got := runOnce(t, workingEnvironment(t, p).with("PORT", port, "HEALTH_ADDRESS", taken.Addr().String()), "")
	if got.code != 1 || !strings.Contains(got.stderr, "HEALTH_ADDRESS: listen tcp "+taken.Addr().String()) {
		t.Errorf("with a port that is taken: %d %s, want 1 and an error about HEALTH_ADDRESS", got.code, got.stderr)
	}

	// If this fails, another program has the port, which is as good.
	if other, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:9444"); err == nil {
		defer other.Close()
	}
	d := startDaemon(t, workingEnvironment(t, p).with("HEALTH_ADDRESS", ""))
	newSigner(t, p, d.address, nil).wantDecision(t, "without a health listener", "C02XK1JKLVCG", allowed)
	if code, output := d.stop(t); code != 0 || !strings.Contains(output, "HEALTH_ADDRESS: listen tcp 127.0.0.1:9444") {
		t.Errorf("exit status %d, want 0 and a warning about HEALTH_ADDRESS:\n%s", code, output)
	}
}

// SIGHUP at any time, the very start included, ends nothing.
func TestHangups(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	d := startDaemon(t, workingEnvironment(t, p))
	s := newSigner(t, p, d.address, nil)
	for range 20 {
		d.hangup(t)
		s.wantDecision(t, "after SIGHUP", "C02XK1JKLVCG", allowed)
	}
	d.eventually(t, "certificate and inventory are reloaded", func() bool {
		return strings.Contains(d.output(), "reloaded: TLS certificate") && strings.Contains(d.output(), "reloaded: 3 devices")
	})
	if err := os.Remove(p.serverCert); err != nil {
		t.Fatal(err)
	}
	d.hangup(t)
	d.eventually(t, "the missing certificate is told", func() bool { return strings.Contains(d.output(), "server.pem: no such file") })
	s.client.CloseIdleConnections()
	s.wantDecision(t, "the certificate's file is gone", "C02XK1JKLVCG", allowed)
	if code, output := d.stop(t); code != 0 {
		t.Errorf("exit status %d:\n%s", code, output)
	}
}

// Everything that is written for a machine can be read by one.
func TestJSON(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	good := workingEnvironment(t, p)
	for name, test := range map[string]struct {
		env  environment
		args string
		code int
		want string // what standard output begins with
		also string // what is in standard error
	}{
		"check":               {good, "check --json", 0, `{"ok":true,"found":["TLS certificate: for [127.0.0.1], expires `, ""},
		"check, warning":      {good.with("TLS_CA_PATH", "x"), "check --json", 0, `{"ok":true,"found":[`, ""},
		"check, problems":     {good.with("PORT", "x", "FILE_TYP", "csv"), "check --json", 1, `{"ok":false,"found":[],"warnings":["FILE_TYP is not a variable of the connector and is ignored; did you mean FILE_TYPE?"],"problems":["PORT: \"x\" is not accepted; accepted: a whole number from 1 to 65535"]}` + "\n", ""},
		"lookup, allow":       {good, "lookup C02XK1JKLVCG --json", 0, `{"decision":"allow","reason":"in the inventory`, ""},
		"lookup, deny":        {good, "lookup C02STRANGER1 --json", 2, `{"decision":"deny","code":"deviceNotFound","reason":"`, ""},
		"lookup, no such":     {good, "lookup \xff --json", 2, `{"decision":"deny","code":"identifierInvalid","reason":"`, ""},
		"lookup, no config":   {good.with("FILE_TYPE", "x"), "lookup C02XK1JKLVCG --json", 1, `{"decision":"error","error":"configuration: FILE_TYPE: `, ""},
		"no such flag":        {good, "check --jsn", 64, "", "Did you mean this?\n\t--json\n"},
		"no such command":     {good, "chek", 64, "", "Did you mean this?\n\tcheck\n"},
		"completion":          {good, "completion bash", 0, "# bash completion", ""},
		"completion of modes": {good, "__complete lookup C02XK1JKLVCG --mode m", 0, "mobiledevice\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := runOnce(t, test.env, "", strings.Fields(test.args)...)
			if got.code != test.code || !strings.HasPrefix(got.stdout, test.want) || test.want == "" && got.stdout != "" || !strings.Contains(got.stderr, test.also) {
				t.Errorf("%s = %d\nstdout %s\nstderr %s\nwant %d, %s, %s", test.args, got.code, got.stdout, got.stderr, test.code, test.want, test.also)
			}
		})
	}
}
