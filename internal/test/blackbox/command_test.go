package blackbox_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"step-posture-connector/internal/test/program"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	good := program.WorkingEnvironment(t, program.NewPKI(t)).Absolute(t)
	bad := good.With("PORT", "0", "FILE_TYPE", "xml")
	provider := program.Environment{"PROVIDER": "file", "FILE_PATH": good["FILE_PATH"], "FILE_TYPE": "json"}
	for name, test := range map[string]struct {
		env            program.Environment
		args           string
		code           int
		stdout, stderr string // regular expressions
	}{
		"version":               {bad, "version", 0, `^step-posture-connector \S+\ncommit \S+\ngo1\.\d+`, `^$`},
		"--version":             {bad, "--version", 0, `^step-posture-connector \S+\ncommit \S+\ngo1\.\d+`, `^$`},
		"help":                  {bad, "--help", 0, `(?s)serve.*check|check.*serve`, `^$`},
		"help of a command":     {bad, "lookup --help", 0, `--mode`, `^$`},
		"help about a command":  {bad, "help lookup", 0, `--mode`, `^$`},
		"help, unknown command": {bad, "help bogus", 64, `^$`, `no command "bogus"`},
		"completion":            {bad, "completion bash", 0, `bash completion`, `^$`},
		"completion, no shell":  {bad, "completion", 64, `^$`, `accepted: bash, zsh, fish or powershell`},
		"completion, bad shell": {bad, "completion foo", 64, `^$`, `accepted: bash, zsh, fish or powershell`},
		"check":                 {good, "check", 0, `(?m)^provider file: 3 devices in .*$(?s).*^ok$`, `^$`},
		"check, new database":   {good.With("STATE_URL", "sqlite:"+filepath.Join(t.TempDir(), "state.db")), "check", 0, `(?m)^state database: sqlite:/.*/state\.db: it is created when the daemon starts$(?s).*^ok$`, `^$`},
		"check, no database":    {good.With("STATE_URL", "postgres://u:pa55word@127.0.0.1:1/d"), "check", 1, `(?m)^state database: PostgreSQL at 127\.0\.0\.1:1/d$`, `^STATE_URL: the state database, PostgreSQL at 127\.0\.0\.1:1/d: it cannot be reached\nwarning: STATE_URL: the daemon starts anyway, `},
		"check, broken":         {bad, "check", 1, `^$`, `(?m)^PORT: "0" is not accepted; accepted: a whole number from 1 to 65535\nFILE_TYPE: "xml" is not accepted; accepted: csv or json or lines$`},
		"serve, broken":         {bad, "serve", 1, `^$`, `(?m)^PORT: .*\nFILE_TYPE: `},
		"no command, broken":    {bad, "", 1, `^$`, `(?m)^PORT: .*\nFILE_TYPE: `},
		"lookup, allow":         {good, "lookup C02XK1JKLVCG", 0, `^\[ALLOW\] C02XK1JKLVCG\nreason: .+\nrecord: C02XK1JKLVCG, device, managed\ndata: \{"device":\{"name":"mac-ada"`, `^$`},
		"lookup, low case":      {good, "lookup c02xk1jklvcg --mode computer", 0, `^\[ALLOW\] `, `^$`},
		"lookup, deny":          {good, "lookup C02UNKNOWN00", 2, `^\[DENY\] C02UNKNOWN00 \(deviceNotFound\)\nreason: .+\n$`, `^$`},
		"lookup, no identifier": {good, "lookup C02\u00e4", 2, `^\[DENY\] \(identifierInvalid\)\nreason: .+\n$`, `^$`},
		"lookup, broken":        {bad, "lookup C02XK1JKLVCG", 1, `^$`, `^configuration:\nFILE_TYPE: "xml" is not accepted; accepted: csv or json or lines\n$`},
		"lookup, provider only": {provider, "lookup C02XK1JKLVCG", 0, `^\[ALLOW\] C02XK1JKLVCG\n`, `^$`},
		"lookup, no provider":   {program.Environment{}, "lookup C02XK1JKLVCG", 1, `^$`, `^configuration:\nPROVIDER: not set; accepted: (\w+ or )*file( or \w+)*\n`},
		"lookup, mode":          {good, "lookup C02XK1JKLVCG --mode any", 0, `(?m)^mode: any$`, `^$`},
		"lookup, no argument":   {good, "lookup", 64, `^$`, `^lookup: which device\? Usage: step-posture-connector lookup IDENTIFIER \[--mode mobiledevice\|computer\|any\] \[--json\]\nTry 'step-posture-connector lookup --help'.\n$`},
		"lookup, two arguments": {good, "lookup A B", 64, `^$`, `^lookup: one device at a time, 2 were given. Usage: step-posture-connector lookup IDENTIFIER `},
		"lookup, wrong mode":    {good, "lookup A --mode laptop", 64, `^$`, `mobiledevice, computer, any`},
		"unknown command":       {good, "chekc", 64, `^$`, `unknown command "chekc"(?s).*check`},
		"unknown flag":          {good, "--verbose", 64, `^$`, `unknown flag`},
		"surplus argument":      {good, "check now", 64, `^$`, `(?i)unknown command|arg`},
		"missing env file":      {good, "check --env-file no-such-file", 1, `^$`, `no-such-file`},
		"flag without value":    {good, "check --env-file", 64, `^$`, `env-file`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := program.Run(t, test.env, t.TempDir(), strings.Fields(test.args)...)
			if r.Code != test.code {
				t.Errorf("got exit code %d, want %d", r.Code, test.code)
			}
			if !regexp.MustCompile(test.stdout).MatchString(r.Stdout) {
				t.Errorf("got standard output %q, want it to match %q", r.Stdout, test.stdout)
			}
			if !regexp.MustCompile(test.stderr).MatchString(r.Stderr) {
				t.Errorf("got standard error %q, want it to match %q", r.Stderr, test.stderr)
			}
		})
	}
}

// The flag for the env file may precede or follow the command. The environment has precedence, except for
// empty variables.
func TestEnvFile(t *testing.T) {
	t.Parallel()
	env := program.WorkingEnvironment(t, program.NewPKI(t)).Absolute(t)
	var text strings.Builder
	for name, value := range env {
		text.WriteString(name + "='" + value + "'\n")
	}
	directory := t.TempDir()
	for _, name := range []string{".env", "other.env"} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		env       program.Environment
		directory string
		args      []string
		code      int
	}{
		"in the working directory":   {program.Environment{}, directory, []string{"check"}, 0},
		"before the command":         {program.Environment{}, "/", []string{"--env-file", filepath.Join(directory, "other.env"), "check"}, 0},
		"after the command":          {program.Environment{}, "/", []string{"check", "--env-file=" + filepath.Join(directory, "other.env")}, 0},
		"in another directory":       {program.Environment{}, "/", []string{"check"}, 1},
		"environment has precedence": {program.Environment{"FILE_TYPE": "csv"}, directory, []string{"check"}, 1},
		"empty variable has none":    {program.Environment{"FILE_TYPE": ""}, directory, []string{"check"}, 0},
		"secret and its file":        {program.Environment{"WEBHOOK_SECRETS_FILE": "x"}, directory, []string{"check"}, 1},
		"unknown variable":           {program.Environment{"SOMETHING": "x"}, directory, []string{"check"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := program.Run(t, test.env, test.directory, test.args...); r.Code != test.code {
				t.Errorf("got exit code %d, want %d\n%s%s", r.Code, test.code, r.Stdout, r.Stderr)
			}
		})
	}
}

// A header that is too large is refused like every other request: with an answer that has a reference, and with
// an event, over HTTP/1.1 and HTTP/2.
func TestLargeHeader(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p))
	for _, protocol := range []string{"http/1.1", "h2"} {
		for size, want := range map[int]int{15 << 10: 200, 17 << 10: 431, 40 << 10: 431, 60 << 10: 431} {
			transport := &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: p.Roots, MinVersion: tls.VersionTLS12, NextProtos: []string{protocol}}, ForceAttemptHTTP2: protocol == "h2",
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+d.Address+"/status", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Pad", strings.Repeat("x", size))
			response, err := (&http.Client{Transport: transport}).Do(request)
			if err != nil {
				t.Errorf("%s, %d bytes: %v", protocol, size, err)
				continue
			}
			text, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			transport.CloseIdleConnections()
			if err != nil || response.StatusCode != want || want == 431 && !regexp.MustCompile(`"code":"tooLarge".*\(ref [0-9A-Z]{8}\)`).Match(text) {
				t.Errorf("%s, %d bytes: got %d %s (%v), want %d", protocol, size, response.StatusCode, text, err, want)
			}
		}
	}
	if _, output := d.Stop(t); strings.Count(output, "code=tooLarge") != 6 {
		t.Errorf("want six events in this output:\n%s", output)
	}
}

// A port that another program uses is an error, and the daemon exits.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	env := program.WorkingEnvironment(t, program.NewPKI(t))
	d := program.StartDaemon(t, env)
	r := program.Run(t, env.With("PORT", d.Address[strings.LastIndexByte(d.Address, ':')+1:]), "", "serve")
	if r.Code != 1 || !strings.Contains(r.Stderr, "PORT") || !strings.Contains(r.Stderr, "in use") {
		t.Errorf("got exit code %d and %q, want 1 and that the port is in use", r.Code, r.Stderr)
	}
}

// Without PORT the daemon listens on 9443, or reports that this port is in use.
func TestDefaultPort(t *testing.T) {
	t.Parallel()
	env := program.WorkingEnvironment(t, program.NewPKI(t))
	c := program.Command(t, env, "serve")
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var output strings.Builder
	for log := bufio.NewScanner(stderr); log.Scan(); output.WriteString(log.Text() + "\n") {
		if strings.Contains(log.Text(), "listening on") {
			_ = c.Process.Signal(syscall.SIGTERM)
		}
	}
	_ = c.Wait()
	if !strings.Contains(output.String(), "127.0.0.1:9443") {
		t.Errorf("got %q, want the address 127.0.0.1:9443 in it", output.String())
	}
}
