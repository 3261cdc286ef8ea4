package command_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/command"
)

// run runs a command line with an environment, in this process.
func run(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = command.Run(t.Context(), command.Process{
		// Not the .env of this folder.
		Args: append(args, "--env-file", emptyFile(t)), Environ: environ, Stdout: &out, Stderr: &errs, Version: "v1", Commit: "abc",
	})
	return code, out.String(), errs.String()
}

func emptyFile(t *testing.T) string {
	t.Helper()
	return file(t, "env", "")
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// inventory is the environment of a provider that knows one device.
func inventory(t *testing.T) []string {
	t.Helper()
	return []string{"PROVIDER=file", "FILE_TYPE=csv", "FILE_PATH=" + file(t, "devices.csv", "Identifier,name\nC02XK1JKLVCG,mac-ada\n")}
}

// A wrong command line is 64 with a hint, an error of the work is 1, a refusal 2. Output and errors do not mix.
func TestExitStatus(t *testing.T) {
	t.Parallel()
	known := inventory(t)
	for name, test := range map[string]struct {
		environ        []string
		args           string
		code           int
		stdout, stderr string // regular expressions
	}{
		"version":            {nil, "version", command.ExitOK, `^step-posture-connector v1\ncommit abc\ngo1`, `^$`},
		"schema":             {nil, "schema", command.ExitOK, `^\{\n(?s:.*)"\$schema": "https://json-schema\.org/draft/2020-12/schema"(?s:.*)\n\}\n$`, `^$`},
		"schema of what":     {nil, "schema posture.yaml", command.ExitUsage, `^$`, `unknown command "posture\.yaml" for "step-posture-connector schema"`},
		"root without CA":    {known, "check --ca-root x", command.ExitUsage, `^$`, `--ca-root: is for the check of step-ca; name it with --ca-url`},
		"CA over HTTP":       {known, "check --ca-url http://ca", command.ExitUsage, `^$`, `--ca-url: "http://ca" is no https URL; accepted: https://HOST`},
		"no root":            {known, "check --ca-url https://ca --ca-root /nowhere", command.ExitError, `^$`, `--ca-root: open /nowhere: no such file`},
		"unknown command":    {nil, "chekc", command.ExitUsage, `^$`, `unknown command "chekc"(?s:.*)\nTry 'step-posture-connector --help'\.\n$`},
		"unknown flag":       {nil, "check --jsom", command.ExitUsage, `^$`, `^unknown flag: --jsom\n\nDid you mean this\?\n\t--json\n\nTry 'step-posture-connector check --help'\.\n$`},
		"far from any flag":  {nil, "check --verbose", command.ExitUsage, `^$`, `^unknown flag: --verbose\nTry `},
		"terminal escapes":   {nil, "\x1b[2J", command.ExitUsage, `^$`, `unknown command "\\x1b\[2J"`},
		"no device":          {known, "lookup", command.ExitUsage, `^$`, `^lookup: which device\? `},
		"allow":              {known, "lookup C02XK1JKLVCG", command.ExitOK, `^\[ALLOW\] C02XK1JKLVCG\n`, `^$`},
		"deny":               {known, "lookup C02UNKNOWN00", command.ExitDeny, `^\[DENY\] C02UNKNOWN00 \(deviceNotFound\)\n`, `^$`},
		"no configuration":   {nil, "lookup C02XK1JKLVCG", command.ExitError, `^$`, `^configuration:\nPROVIDER: not set; accepted: [a-z0-9_ ]+\n$`},
		"nothing to ask":     {[]string{"HEALTH_ADDRESS=off"}, "healthcheck", command.ExitError, `^$`, `^HEALTH_ADDRESS is off, `},
		"the same, as JSON":  {[]string{"HEALTH_ADDRESS=off"}, "healthcheck --json", command.ExitError, `^\{"status":"unavailable","checks":\{\},"error":"HEALTH_ADDRESS is off, `, `^$`},
		"one line in JSON":   {nil, "lookup C02XK1JKLVCG --json", command.ExitError, `^\{"decision":"error","error":"configuration: PROVIDER: not set; [^\n]*\}\n$`, `^$`},
		"identifier is none": {known, "lookup C02\u00e4", command.ExitDeny, `^\[DENY\] \(identifierInvalid\)\nreason: `, `^$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, test.environ, strings.Fields(test.args)...)
			if code != test.code || !regexp.MustCompile(test.stdout).MatchString(stdout) || !regexp.MustCompile(test.stderr).MatchString(stderr) {
				t.Errorf("exit status %d\nstandard output %q\nstandard error %q\nwant %d, %s, %s", code, stdout, stderr, test.code, test.stdout, test.stderr)
			}
		})
	}
}

// check --json keeps problems and warnings apart.
func TestCheckJSON(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, append(inventory(t), "WEBHOOK_SECRET=x", "PORT=0"), "check", "--json")
	var got struct {
		OK                 bool
		Problems, Warnings []string
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != command.ExitError || got.OK || stderr != "" {
		t.Fatalf("exit status %d, standard output %s (%v), standard error %s", code, stdout, err, stderr)
	}
	for _, want := range []string{`PORT: "0" is not accepted; accepted: a whole number from 1 to 65535`, "TLS_CERT_PATH: not set; accepted: the path of a PEM file with the server certificate, leaf first"} {
		if !slices.Contains(got.Problems, want) {
			t.Errorf("the problems are %q, want %q in them", got.Problems, want)
		}
	}
	if want := []string{"WEBHOOK_SECRET is not a variable of the connector and is ignored; did you mean WEBHOOK_SECRETS?"}; !slices.Equal(got.Warnings, want) {
		t.Errorf("the warnings are %q, want %q", got.Warnings, want)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("the reader is gone") }

// A result that cannot be printed is an error: a script must not take no output for an answer.
func TestResultIsNotPrinted(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"version", "version --json", "schema", "lookup C02XK1JKLVCG", "lookup C02XK1JKLVCG --json", "inventory list", "inventory list --json", "inventory export file"} {
		var errs strings.Builder
		code := command.Run(t.Context(), command.Process{
			Args: append(strings.Fields(args), "--env-file", emptyFile(t)), Environ: inventory(t), Stdout: brokenPipe{}, Stderr: &errs,
		})
		if code != command.ExitError || !strings.Contains(errs.String(), "the reader is gone") {
			t.Errorf("%s: exit status %d and %q, want 1 and the reason", args, code, errs.String())
		}
	}
}
