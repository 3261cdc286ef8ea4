package command_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/command"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/store"
)

// tokenPolicies is the environment of a policy file with two policies that require a token, and one that does not. The secrets
// that it names do not exist: no command needs them.
func tokenPolicies(t *testing.T) []string {
	t.Helper()
	return []string{"POLICY_PATH=" + file(t, "posture.yaml", `inventories:
  mdm: {provider: jamf, base_url: "https://mdm.example.com", client_id: x, client_secret: {file: nowhere}}
policies:
  enrolment: {inventories: [mdm], token: {required: true, lifetime: 1h}}
  kiosk: {inventories: [mdm], token: {required: true}}
  staff: {inventories: [mdm]}
tokens:
  clients:
    - {name: enroll, bearer: {file: nowhere}, policies: [enrolment]}
webhooks:
  - {name: devices, id: 3f0c6c1e-1f6e-4a52-9d33-0d6a3c5a7f01, secret: {file: nowhere}, policy: enrolment}
`)}
}

// stateDatabase is a database that a daemon has made, which still runs.
func stateDatabase(t *testing.T) (variable string, db *store.DB) {
	t.Helper()
	variable = "STATE_URL=sqlite:" + filepath.Join(t.TempDir(), "state.db")
	u, err := store.ParseURL(strings.TrimPrefix(variable, "STATE_URL="))
	if err == nil {
		db, err = store.OpenDaemon(t.Context(), u)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return variable, db
}

type issuedToken struct {
	ID, Token string
	ExpiresAt time.Time `json:"expires_at"`
}

func issue(t *testing.T, environ []string, args string) issuedToken {
	t.Helper()
	code, stdout, stderr := run(t, environ, strings.Fields("token issue "+args)...)
	if want := regexp.MustCompile(`^\{"id":"[A-Z2-7]{26}","token":"[A-Za-z0-9_-]{43}","expires_at":"[^"]+Z"\}\n$`); code != command.ExitOK || !want.MatchString(stdout) || stderr != "" {
		t.Fatalf("token issue %s: exit status %d, %q, %q", args, code, stdout, stderr)
	}
	var got issuedToken
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// A token of the command line is as one of the API, and only its hash is kept.
func TestTokenIssue(t *testing.T) {
	t.Parallel()
	variable, db := stateDatabase(t)
	environ := append(tokenPolicies(t), variable)
	for args, want := range map[string]struct {
		token    enroll.Token
		lifetime time.Duration
	}{
		"--policy enrolment --identifier C02ADA":                      {enroll.Token{Policy: "enrolment", Identifier: "C02ADA"}, time.Hour},
		"--policy kiosk --udid 0000-1":                                {enroll.Token{Policy: "kiosk", UDID: "0000-1"}, enroll.DefaultLifetime},
		"--policy enrolment --identifier C02 --udid 1 --lifetime 90s": {enroll.Token{Policy: "enrolment", Identifier: "C02", UDID: "1"}, 90 * time.Second},
	} {
		issued := issue(t, environ, args)
		got, err := db.Find(t.Context(), enroll.HashOf(issued.Token))
		if err != nil || got.ID != issued.ID || got.Policy != want.token.Policy || got.Identifier != want.token.Identifier || got.UDID != want.token.UDID ||
			got.Client != "command" || got.State() != enroll.Live || got.Expires.Sub(got.Created) != want.lifetime || !got.Expires.Truncate(time.Second).Equal(issued.ExpiresAt) {
			t.Errorf("%s: the database has %+v, %v", args, got, err)
		}
	}
}

// Where only one policy requires a token, it need not be named. COMPAT_MDMSECURITYDEMO makes one, also without a policy file.
func TestTokenPolicy(t *testing.T) {
	t.Parallel()
	variable, db := stateDatabase(t)
	compat := append(inventory(t), variable, "COMPAT_MDMSECURITYDEMO=1")
	one := append(inventory(t), variable, "POLICY_PATH="+file(t, "posture.yaml", "policies:\n  only: {inventories: [file], token: {required: true}}\n  staff: {inventories: [file]}\n"))
	for want, environ := range map[string][]string{"default": compat, "only": one} {
		got, err := db.Find(t.Context(), enroll.HashOf(issue(t, environ, "--udid 0000-1").Token))
		if err != nil || got.Policy != want {
			t.Errorf("the token is of %q, %v, want %s", got.Policy, err, want)
		}
	}
}

// What is wrong with the command line is 64, all else 1; the text says what is accepted.
func TestTokenRefused(t *testing.T) {
	t.Parallel()
	variable, db := stateDatabase(t)
	environ := append(tokenPolicies(t), variable)
	for range enroll.MaxLive {
		if _, _, err := (&enroll.Tokens{Store: db}).Issue(t.Context(), ruleFor("enrolment"), enroll.Wanted{Identifier: "C02FULL"}); err != nil {
			t.Fatal(err)
		}
	}
	missing := append(tokenPolicies(t), "STATE_URL=sqlite:"+filepath.Join(t.TempDir(), "state.db"))
	down := append(tokenPolicies(t), "STATE_URL=postgres://u:pa55word@"+closedAddress(t)+"/d")
	foreign := "token issue --policy enrolment --identifier C02"
	for name, test := range map[string]struct {
		environ []string
		args    string
		code    int
		stderr  string
	}{
		"no subcommand":       {nil, "token", command.ExitUsage, `^token: what should be done\? Usage: step-posture-connector token issue `},
		"no policy":           {environ, "token issue --identifier C02", command.ExitUsage, `^token issue: which policy\? Give --policy; accepted: enrolment, kiosk\n`},
		"empty policy":        {environ, "token issue --identifier C02 --policy=", command.ExitUsage, `^--policy: it is empty; `},
		"no device":           {environ, "token issue --policy enrolment", command.ExitUsage, `^token issue: for which device\? Give --identifier, --udid, or both\n`},
		"empty identifier":    {environ, "token issue --policy enrolment --udid 1 --identifier=", command.ExitUsage, `^--identifier: it is empty; `},
		"identifier":          {environ, "token issue --policy enrolment --identifier a\x01b", command.ExitUsage, `^--identifier: it has `},
		"UDID":                {environ, "token issue --policy enrolment --udid \u00e4", command.ExitUsage, `^--udid: identifier has U\+00E4 `},
		"hyphens":             {environ, "token issue --policy enrolment --udid -", command.ExitError, `^token issue: the UDID has only hyphens\n$`},
		"lifetime":            {environ, "token issue --policy enrolment --udid 1 --lifetime 5", command.ExitUsage, `^--lifetime: it is no duration; accepted is `},
		"short":               {environ, "token issue --policy enrolment --udid 1 --lifetime 1ms", command.ExitUsage, `^--lifetime: it is shorter than 1s\n`},
		"long":                {environ, "token issue --policy enrolment --udid 1 --lifetime 2h", command.ExitError, `^token issue: the lifetime is longer than 1h0m0s, the most that the policy gives\n$`},
		"argument":            {environ, "token issue enrolment", command.ExitUsage, `unknown command "enrolment"`},
		"unknown policy":      {environ, "token issue --policy enrolmnt --identifier C02", command.ExitError, `^token issue: unknown policy, or one that requires no token; did you mean enrolment\?; accepted: enrolment, kiosk\n$`},
		"policy without one":  {environ, "token issue --policy staff --identifier C02", command.ExitError, `^token issue: unknown policy, or one that requires no token; accepted: enrolment, kiosk\n$`},
		"too many":            {environ, "token issue --policy enrolment --identifier c02full", command.ExitError, `^token issue: there are too many live tokens for this device: use one of them, revoke some, or wait until they expire\n$`},
		"no policies":         {append(inventory(t), variable), "token issue --identifier C02", command.ExitError, `^token issue: no policy requires an enrolment token; `},
		"no database":         {tokenPolicies(t), foreign, command.ExitError, `^configuration:\nSTATE_URL: not set: enrolment tokens are in the state database; accepted: sqlite:/path/of/a/file, or postgres://user:password@host/database\n$`},
		"a list without it":   {nil, "token list", command.ExitError, `^configuration:\nSTATE_URL: not set: `},
		"database is missing": {missing, foreign, command.ExitError, `^token issue: the state database, sqlite:/[^\n]*/state\.db: it does not exist; start the daemon once\n$`},
		"database is down":    {down, foreign, command.ExitError, `^token issue: the state database, PostgreSQL at 127\.0\.0\.1:\d+/d: it cannot be reached\n$`},
		"revoke while down":   {down, "token revoke X", command.ExitError, `^token revoke: the state database, PostgreSQL at 127\.0\.0\.1:\d+/d: it cannot be reached\n$`},
		"no URL":              {append(tokenPolicies(t), "STATE_URL=mysql://u:pa55word@h/d"), foreign, command.ExitError, `^configuration:\nSTATE_URL: its scheme is not known; accepted: `},
		"revoke nothing":      {environ, "token revoke", command.ExitUsage, `^token revoke: one token at a time\. Usage: step-posture-connector token revoke ID\n`},
		"revoke two":          {environ, "token revoke A B", command.ExitUsage, `^token revoke: one token at a time`},
		"revoke an unknown":   {environ, "token revoke ABCDEFGHIJKLMNOPQRSTUVWXYZ", command.ExitError, `^token revoke: there is no such token; accepted: an ID that token list prints\n$`},
		"list an empty one":   {environ, "token list --identifier=", command.ExitUsage, `^--identifier: it is empty; leave the flag out for all devices\n`},
		"compat":              {append(tokenPolicies(t), variable, "COMPAT_MDMSECURITYDEMO=1"), "token issue --policy default --udid 1", command.ExitOK, `^$`},
		"two defaults":        {append(inventory(t), variable, "COMPAT_MDMSECURITYDEMO=1", "POLICY_PATH="+file(t, "posture.yaml", "policies: {default: {inventories: [file]}}\n")), foreign, command.ExitError, `^configuration:\nCOMPAT_MDMSECURITYDEMO: 1, which makes a policy default, and the policy file has a policy default too; `},
		"broken policy file":  {[]string{variable, "POLICY_PATH=" + file(t, "broken.yaml", "policies: 1\n")}, foreign, command.ExitError, `^configuration:\n/[^\n]*broken\.yaml:1`},
		"broken, but listed":  {[]string{variable, "POLICY_PATH=" + file(t, "broken.yaml", "policies: 1\n")}, "token list --identifier C09", command.ExitOK, `^$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, test.environ, strings.Fields(test.args)...)
			if code != test.code || !regexp.MustCompile(test.stderr).MatchString(stderr) || strings.Contains(stdout+stderr, "pa55word") || code != 0 && stdout != "" {
				t.Errorf("exit status %d\nstandard output %q\nstandard error %q\nwant %d, %s", code, stdout, stderr, test.code, test.stderr)
			}
		})
	}
	if _, err := os.Stat(strings.TrimPrefix(missing[len(missing)-1], "STATE_URL=sqlite:")); err == nil {
		t.Error("a command has made the database")
	}
}

// The list has the tokens of every policy and client, and revoke ends any of them, as often as it is asked to.
func TestTokenListAndRevoke(t *testing.T) {
	t.Parallel()
	variable, _ := stateDatabase(t)
	environ := append(tokenPolicies(t), variable)
	code, stdout, _ := run(t, environ, "token", "list", "--json")
	if code != command.ExitOK || stdout != `{"tokens":[]}`+"\n" {
		t.Errorf("without tokens: exit status %d, %s", code, stdout)
	}
	first := issue(t, environ, "--policy enrolment --identifier C02ADA")
	second := issue(t, environ, "--policy kiosk --udid 0000-1")
	for range 2 {
		if code, stdout, stderr := run(t, environ, "token", "revoke", first.ID); code != command.ExitOK || stdout+stderr != "" {
			t.Errorf("revoke: exit status %d, %q, %q", code, stdout, stderr)
		}
	}
	code, stdout, stderr := run(t, environ, "token", "list")
	want := regexp.MustCompile(`^ID +STATE +POLICY +IDENTIFIER +UDID +CREATED +EXPIRES +USED +CLIENT
` + second.ID + `  live     kiosk      -           0000-1  \S+Z  \S+Z  -     command
` + first.ID + `  revoked  enrolment  C02ADA      -       \S+Z  \S+Z  -     command
$`)
	if code != command.ExitOK || !want.MatchString(stdout) || stderr != "" {
		t.Errorf("exit status %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, _ = run(t, environ, "token", "list", "--identifier", "c02ada", "--json")
	if want := regexp.MustCompile(`^\{"tokens":\[\{"id":"` + first.ID + `","policy":"enrolment","identifier":"C02ADA","udid":null,"state":"revoked","created_at":"[^"]+","expires_at":"[^"]+","bound_at":null,"client":"command"\}\]\}\n$`); code != command.ExitOK || !want.MatchString(stdout) {
		t.Errorf("exit status %d\n%s", code, stdout)
	}
}

// A token that could not be printed is lost: the error says how to end it.
func TestTokenIsNotPrinted(t *testing.T) {
	t.Parallel()
	variable, _ := stateDatabase(t)
	for args, want := range map[string]string{
		"token issue --policy kiosk --udid 1": `^the token (\w{26}) was issued, and could not be printed; revoke it with: token revoke \w{26}: the reader is gone\n$`,
		"token list":                          `^the reader is gone\n$`,
		"token list --json":                   `^the reader is gone\n$`,
	} {
		var errs strings.Builder
		code := command.Run(t.Context(), command.Process{
			Args: append(strings.Fields(args), "--env-file", emptyFile(t)), Environ: append(tokenPolicies(t), variable), Stdout: brokenPipe{}, Stderr: &errs,
		})
		if code != command.ExitError || !regexp.MustCompile(want).MatchString(errs.String()) {
			t.Errorf("%s: exit status %d and %q, want 1 and %s", args, code, errs.String(), want)
		}
	}
}

func ruleFor(policy string) *posture.TokenRequirement {
	return &posture.TokenRequirement{Policy: policy, Lifetime: enroll.DefaultLifetime}
}

// closedAddress is an address on which nobody listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
