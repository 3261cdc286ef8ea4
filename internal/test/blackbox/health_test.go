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

	"step-posture-connector/internal/test/program"
)

// wantHealthcheck runs the command healthcheck, as a container's health check does.
func wantHealthcheck(t *testing.T, what, address string, code int, output string) {
	t.Helper()
	got := program.Run(t, program.Environment{"HEALTH_ADDRESS": address}, t.TempDir(), "healthcheck")
	if got.Code != code || !strings.Contains(got.Stdout+got.Stderr, output) {
		t.Errorf("%s: healthcheck = %d %s%s, want %d with %q", what, got.Code, got.Stdout, got.Stderr, code, output)
	}
}

// From start to exit: ok, degraded, shutting down, gone.
func TestHealth(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	inventory := filepath.Join(t.TempDir(), "devices.csv")
	program.ReplaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\n")
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("FILE_PATH", inventory, "FILE_TYPE", "csv", "HEALTH_ADDRESS", program.FreeHealth))
	wantHealthcheck(t, "at first", d.Health, 0, "ok\n")
	if status, text := d.Get(t, "/healthz"); status != http.StatusOK || text != `{"status":"ok"}`+"\n" {
		t.Errorf("/healthz = %d %s", status, text)
	}
	if status, text := d.Get(t, "/webhook/device-attest"); status != http.StatusNotFound {
		t.Errorf("the webhook over plain HTTP = %d %s, want 404", status, text)
	}
	program.ReplaceFile(t, inventory, "Identifier\n,\n")
	d.Eventually(t, "the broken inventory is reported", func() bool { _, status, _ := d.Ready(t); return status == "degraded" })
	wantHealthcheck(t, "a broken inventory", d.Health, 0, "degraded\ninventory: degraded: ")

	request := hold(t, p, d.Address, "http/1.1")
	d.Signal(t, syscall.SIGTERM)
	d.Eventually(t, "it is shutting down", func() bool {
		code, status, wrong := d.Ready(t)
		return code == http.StatusServiceUnavailable && status == "unavailable" && strings.HasPrefix(wrong["shutdown"], "unavailable: ")
	})
	wantHealthcheck(t, "shutting down", d.Health, 1, "unavailable\n")
	if status, _ := d.Get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz = %d during the shutdown, want 200: the process is alive", status)
	}
	request.finish(t)
	d.WantExit(t, 0)
	wantHealthcheck(t, "gone", d.Health, 1, "is the daemon running, with the same HEALTH_ADDRESS?")
	wantHealthcheck(t, "off", "off", 1, "HEALTH_ADDRESS is off")
	wantHealthcheck(t, "broken", "x", 1, `HEALTH_ADDRESS: "x" is not accepted; accepted: host:port`)
}

// The configured HEALTH_ADDRESS must be free. The default need not be: two connectors on one machine both
// decide.
func TestHealthAddressInUse(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(program.FreeAddress(t))
	got := program.Run(t, program.WorkingEnvironment(t, p).With("PORT", port, "HEALTH_ADDRESS", taken.Addr().String()), "")
	if got.Code != 1 || !strings.Contains(got.Stderr, "HEALTH_ADDRESS: listen tcp "+taken.Addr().String()) {
		t.Errorf("with a port in use: %d %s, want 1 and an error about HEALTH_ADDRESS", got.Code, got.Stderr)
	}

	// When this fails, another program uses the port, which serves as well.
	if other, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:9444"); err == nil {
		defer other.Close()
	}
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("HEALTH_ADDRESS", ""))
	program.NewStepCA(t, p, d.Address, nil).WantDecision(t, "without a health listener", "C02XK1JKLVCG", program.Allowed)
	if code, output := d.Stop(t); code != 0 || !strings.Contains(output, "HEALTH_ADDRESS: listen tcp 127.0.0.1:9444") {
		t.Errorf("exit code %d, want 0 and a warning about HEALTH_ADDRESS:\n%s", code, output)
	}
}

// SIGHUP never ends the daemon, not even during its start.
func TestHangups(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p))
	s := program.NewStepCA(t, p, d.Address, nil)
	for range 20 {
		d.Hangup(t)
		s.WantDecision(t, "after SIGHUP", "C02XK1JKLVCG", program.Allowed)
	}
	d.Eventually(t, "certificate and inventory are reloaded", func() bool {
		return strings.Contains(d.Output(), "reloaded: TLS certificate") && strings.Contains(d.Output(), "reloaded: 3 devices")
	})
	if err := os.Remove(p.ServerCert); err != nil {
		t.Fatal(err)
	}
	d.Hangup(t)
	d.Eventually(t, "the missing certificate is logged", func() bool { return strings.Contains(d.Output(), "server.pem: no such file") })
	s.Client.CloseIdleConnections()
	s.WantDecision(t, "the certificate's file is gone", "C02XK1JKLVCG", program.Allowed)
	if code, output := d.Stop(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, output)
	}
}

// The output for machines is valid and complete, and the errors suggest corrections.
func TestJSON(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	good := program.WorkingEnvironment(t, p)
	for name, test := range map[string]struct {
		env  program.Environment
		args string
		code int
		want string // beginning of standard output
		also string // part of standard error
	}{
		"check":               {good, "check --json", 0, `{"ok":true,"found":["TLS certificate: for [127.0.0.1], expires `, ""},
		"check, warning":      {good.With("TLS_CA_PATH", "x"), "check --json", 0, `{"ok":true,"found":[`, ""},
		"check, problems":     {good.With("PORT", "x", "FILE_TYP", "csv"), "check --json", 1, `{"ok":false,"found":[],"warnings":["FILE_TYP is not a variable of the connector and is ignored; did you mean FILE_TYPE?"],"problems":["PORT: \"x\" is not accepted; accepted: a whole number from 1 to 65535"]}` + "\n", ""},
		"lookup, allow":       {good, "lookup C02XK1JKLVCG --json", 0, `{"decision":"allow","reason":"in the inventory`, ""},
		"lookup, deny":        {good, "lookup C02UNKNOWN01 --json", 2, `{"decision":"deny","code":"deviceNotFound","reason":"`, ""},
		"lookup, invalid":     {good, "lookup \xff --json", 2, `{"decision":"deny","code":"identifierInvalid","reason":"`, ""},
		"lookup, no config":   {good.With("FILE_TYPE", "x"), "lookup C02XK1JKLVCG --json", 1, `{"decision":"error","error":"configuration: FILE_TYPE: `, ""},
		"no such flag":        {good, "check --jsn", 64, "", "Did you mean this?\n\t--json\n"},
		"no such command":     {good, "chek", 64, "", "Did you mean this?\n\tcheck\n"},
		"completion":          {good, "completion bash", 0, "# bash completion", ""},
		"completion of modes": {good, "__complete lookup C02XK1JKLVCG --mode m", 0, "mobiledevice\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := program.Run(t, test.env, "", strings.Fields(test.args)...)
			if got.Code != test.code || !strings.HasPrefix(got.Stdout, test.want) || test.want == "" && got.Stdout != "" || !strings.Contains(got.Stderr, test.also) {
				t.Errorf("%s = %d\nstdout %s\nstderr %s\nwant %d, %s, %s", test.args, got.Code, got.Stdout, got.Stderr, test.code, test.want, test.also)
			}
		})
	}
}
