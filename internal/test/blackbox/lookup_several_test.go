package blackbox_test

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"step-posture-connector/internal/test/program"
)

// Of several devices the answers are in the order of the devices, and no failure ends the run.
func TestLookupOfSeveral(t *testing.T) {
	t.Parallel()
	// spare is asked about what macs does not know, and does not answer.
	const policy = `inventories:
  macs: {provider: file, path: macs.json, type: json}
  spare: {provider: jamf, base_url: "https://127.0.0.1:1", client_id: x, client_secret: {env: JAMF}}
policies:
  staff:
    inventories: [macs, spare]
    rules: [{name: encrypted, require: device.encrypted}]
`
	folder := lookupFolder(t, policy)
	env := onlyPolicy().With("JAMF", "hidden-1")
	list := "\ufeffIdentifier,Name\r\nC02ADA,\"Ada, the first\"\r\n\r\nC02BEN,x\r\n"
	if err := os.WriteFile(filepath.Join(folder, "list.csv"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args, stdin string
		code        int
		want        []string // lines of the output that begin with a bracket, or of JSON
	}{
		"all allowed":                {"C02ADA C02CYD", "", 0, []string{"[ALLOW] C02ADA", "[ALLOW] C02CYD"}},
		"one denied":                 {"C02ADA C02BEN C02CYD", "", 2, []string{"[ALLOW] C02ADA", "[DENY] C02BEN (deviceNotCompliant)", "[ALLOW] C02CYD"}},
		"one without an answer":      {"C02BEN C02NOBODY1 C02CYD", "", 1, []string{"[DENY] C02BEN (deviceNotCompliant)", "[ERROR] C02NOBODY1", "[ALLOW] C02CYD"}},
		"of a file":                  {"--from list.csv", "", 2, []string{"[ALLOW] C02ADA", "[DENY] C02BEN (deviceNotCompliant)"}},
		"of both":                    {"C02CYD --from list.csv", "", 2, []string{"[ALLOW] C02CYD", "[ALLOW] C02ADA", "[DENY] C02BEN (deviceNotCompliant)"}},
		"of standard input":          {"--from -", "# Macs\nC02ADA\n\n C02CYD \n", 0, []string{"[ALLOW] C02ADA", "[ALLOW] C02CYD"}},
		"hostile identifiers":        {"--from -", "C02\x1b[2J\nC02CYD\n", 2, []string{"[DENY] (identifierInvalid)", "[ALLOW] C02CYD"}},
		"as JSON":                    {"--from - --json", "C02ADA\nC02NOBODY1\n", 1, []string{`{"decision":"allow",`, `{"decision":"error","error":"no decision: look up device: inventory spare: `}},
		"until the list cannot read": {"--from - --json", "C02ADA\nC02BEN,x\n", 1, []string{`{"decision":"allow",`, `{"decision":"error","error":"--from standard input: line 2: 2 columns without the header; `}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := program.Command(t, env, append([]string{"lookup"}, strings.Fields(test.args)...)...)
			var stdout, stderr strings.Builder
			c.Dir, c.Stdin, c.Stdout, c.Stderr = folder, strings.NewReader(test.stdin), &stdout, &stderr
			_ = c.Run() // the exit status is compared
			var got []string
			for line := range strings.Lines(stdout.String()) {
				if strings.HasPrefix(line, "[") || strings.HasPrefix(line, "{") {
					got = append(got, strings.TrimSpace(line))
				}
			}
			alike := len(got) == len(test.want)
			for i := range min(len(got), len(test.want)) {
				alike = alike && (got[i] == test.want[i] || test.want[i][0] == '{' && strings.HasPrefix(got[i], test.want[i]))
			}
			if c.ProcessState.ExitCode() != test.code || !alike {
				t.Errorf("exit %d, want %d\n%s%s\nwant the lines %q", c.ProcessState.ExitCode(), test.code, stdout.String(), stderr.String(), test.want)
			}
			if output := stdout.String() + stderr.String(); strings.Contains(output, "hidden-1") || strings.Contains(output, "\x1b") {
				t.Errorf("a secret or a control character is printed: %q", output)
			}
			if test.args == "C02BEN C02NOBODY1 C02CYD" && (!strings.Contains(stderr.String(), "\nC02NOBODY1: no decision: look up device: inventory spare: ") ||
				!strings.HasSuffix(stdout.String(), "\n3 devices: 1 allowed, 1 denied, 1 without a decision\n")) {
				t.Errorf("printed %s%s", stdout.String(), stderr.String())
			}
		})
	}
	r := program.Run(t, env, folder, "lookup", "C02NOBODY1")
	if r.Code != 1 || !strings.HasPrefix(r.Stdout, "[ERROR] C02NOBODY1\nreason: no decision: look up device: inventory spare: ") || !strings.Contains(r.Stdout, "  spare (jamf): failed: ") || !strings.Contains(r.Stderr, "\nno decision: look up device: ") {
		t.Errorf("exit %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// A signal ends a run that waits for its list.
func TestLookupIsInterrupted(t *testing.T) {
	t.Parallel()
	c := program.Command(t, onlyPolicy(), "lookup", "--policy", "staff", "--from", "-")
	c.Dir = lookupFolder(t, lookupPolicy)
	var stderr strings.Builder
	c.Stderr = &stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// A list is read in pieces, so this must be more than one.
	if _, err := io.WriteString(stdin, strings.Repeat("C02ADA\n", 1000)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || lines.Text() != "[ALLOW] C02ADA" {
		t.Errorf("printed %q", lines.Text())
	}
	_ = c.Process.Signal(syscall.SIGTERM)
	_, _ = io.Copy(io.Discard, stdout)
	_ = c.Wait()
	if c.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "lookup: interrupted") {
		t.Errorf("exit %d, printed %s", c.ProcessState.ExitCode(), stderr.String())
	}
}

// TestPolicyGuide runs the commands of docs/operation.md that try a policy.
func TestPolicyGuide(t *testing.T) {
	t.Parallel()
	folder := lookupFolder(t, lookupPolicy)
	if err := os.WriteFile(filepath.Join(folder, "serials.txt"), []byte("C02ADA\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	commands := block(t, "docs/operation.md", "Try a policy", "sh")
	runCommands(t, folder, nil, commands, "0 tests, 0 failed\n", "[ALLOW] C02ADA\n", "\n1 device: 1 allowed, 0 denied, 0 without a decision\n")
}
