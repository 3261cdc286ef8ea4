package command_test

import (
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/command"
)

// Commands that ask policies and inventories say what these say to a device that has a token. They need neither a state database
// nor the credentials of clients.
func TestCommandsWithoutTheStateOfTokens(t *testing.T) {
	t.Parallel()
	policies := file(t, "posture.yaml", `policies:
  default:
    token: {required: true, udid_in: 2.5.4.45}
    rules: [{name: named, require: 'device.attributes["name"].startsWith("mac-")'}]
    tests:
      - {name: a Mac, device: {attributes: {name: mac-ada}}, allow: true}
      - {name: another, device: {attributes: {name: pc-ada}}, allow: false, unmet: [named]}
tokens:
  clients: [{name: mdm, bearer: {file: gone}, policies: [default]}]
`)
	recorded := `{"time":"2026-11-27T09:00:00Z","reference":"NME0ZJ2H","decision":"deny","code":"tokenInvalid","token_id":"T","webhook_id":"11111111-1111-4111-8111-111111111111"}` + "\n"
	audit := file(t, "audit.jsonl", recorded)
	environ := append(inventory(t), "POLICY_PATH="+policies)
	for name, row := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string // regular expressions
	}{
		"policy test":      {[]string{"policy", "test", policies}, command.ExitOK, `2 tests`, `^$`},
		"lookup":           {[]string{"lookup", "C02XK1JKLVCG"}, command.ExitOK, `^\[ALLOW\] C02XK1JKLVCG\n`, `^$`},
		"lookup, unknown":  {[]string{"lookup", "C02UNKNOWN00"}, command.ExitDeny, `^\[DENY\] C02UNKNOWN00 \(deviceNotFound\)\n`, `^$`},
		"inventory list":   {[]string{"inventory", "list"}, command.ExitOK, `file`, `^$`},
		"policy replay":    {[]string{"policy", "replay", audit, "--policy-file", policies}, command.ExitOK, `1 refused before a policy was asked`, ``},
		"lookup of a list": {[]string{"lookup", "--from", file(t, "serials.txt", "C02XK1JKLVCG\n")}, command.ExitOK, `C02XK1JKLVCG`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, environ, row.args...)
			if code != row.code || !regexp.MustCompile(row.stdout).MatchString(stdout) || !regexp.MustCompile(row.stderr).MatchString(stderr) {
				t.Errorf("exit %d\n%s\n%s\nwant %d, %s, %s", code, stdout, stderr, row.code, row.stdout, row.stderr)
			}
			if strings.Contains(stdout+stderr, "STATE_URL") {
				t.Errorf("it asks for the state database: %s%s", stdout, stderr)
			}
		})
	}
}
