package blackbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// TestConsoleFaultsAtStart: the console is never open to more people than was meant. check and start say the same.
func TestConsoleFaultsAtStart(t *testing.T) {
	t.Parallel()
	oidc := []string{
		"CONSOLE_OIDC_ISSUER", "https://login.example.com", "CONSOLE_OIDC_CLIENT_ID", "console", "CONSOLE_OIDC_CLIENT_SECRET", "Pa55word",
		"CONSOLE_OIDC_GROUP", "helpdesk", "CONSOLE_URL", "https://posture.example.com",
	}
	without := func(variable string) []string { return append(oidc[:len(oidc):len(oidc)], variable, "") }
	for name, test := range map[string]struct {
		change []string // DIR is the folder of the file of users
		want   string
	}{
		"no journal":               {[]string{"JOURNAL", "0"}, "CONSOLE_ADDRESS: set, but JOURNAL is not 1: there would be nothing to show; accepted: JOURNAL=1 and STATE_URL with it, or off"},
		"no database":              {[]string{"STATE_URL", ""}, "STATE_URL: "},
		"every address":            {[]string{"CONSOLE_ADDRESS", "0.0.0.0:24990"}, "CONSOLE_ADDRESS: not on loopback, and there are no users: everybody who reaches it could see the devices; accepted: 127.0.0.1:PORT, [::1]:PORT or localhost:PORT; elsewhere with CONSOLE_USERS_FILE or CONSOLE_OIDC_ISSUER"},
		"no address":               {[]string{"CONSOLE_ADDRESS", ":24990"}, "CONSOLE_ADDRESS: not on loopback"},
		"every address of IPv6":    {[]string{"CONSOLE_ADDRESS", "[::]:24990"}, "CONSOLE_ADDRESS: not on loopback"},
		"an address":               {[]string{"CONSOLE_ADDRESS", "192.0.2.1:24990"}, "CONSOLE_ADDRESS: not on loopback"},
		"a name":                   {[]string{"CONSOLE_ADDRESS", "posture.example.com:24990"}, "CONSOLE_ADDRESS: not on loopback"},
		"a name like localhost":    {[]string{"CONSOLE_ADDRESS", "localhost.example.com:24990"}, "CONSOLE_ADDRESS: not on loopback"},
		"the port of webhooks":     {[]string{"CONSOLE_ADDRESS", "127.0.0.1:24991", "PORT", "24991"}, "CONSOLE_ADDRESS: the same port as PORT"},
		"the port of health":       {[]string{"CONSOLE_ADDRESS", "127.0.0.1:24991", "HEALTH_ADDRESS", "127.0.0.1:24991"}, "CONSOLE_ADDRESS: the same port as HEALTH_ADDRESS"},
		"the port of the API":      {[]string{"CONSOLE_ADDRESS", "127.0.0.1:24991", "API_ADDRESS", "127.0.0.1:24991"}, "CONSOLE_ADDRESS: the same port as API_ADDRESS"},
		"no port":                  {[]string{"CONSOLE_ADDRESS", "127.0.0.1"}, "CONSOLE_ADDRESS: "},
		"users that are missing":   {[]string{usersVariable, "DIR/none"}, "CONSOLE_USERS_FILE: DIR/none: open: no such file or directory; accepted: a file of htpasswd with bcrypt hashes"},
		"users of MD5":             {[]string{usersVariable, "DIR/md5"}, "CONSOLE_USERS_FILE: DIR/md5: line 2: the password is not hashed with bcrypt"},
		"nobody":                   {[]string{usersVariable, "DIR/empty"}, "CONSOLE_USERS_FILE: DIR/empty: nobody is in it"},
		"users in place of a file": {[]string{usersVariable, "helpdesk:$2y$05$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, "CONSOLE_USERS_FILE: (the path is not shown"},
		"a certificate alone":      {[]string{"CONSOLE_TLS_CERT_PATH", "DIR/md5"}, "CONSOLE_TLS_KEY_PATH: not set, but CONSOLE_TLS_CERT_PATH is"},
		"a key alone":              {[]string{"CONSOLE_TLS_KEY_PATH", "DIR/md5"}, "CONSOLE_TLS_CERT_PATH: not set, but CONSOLE_TLS_KEY_PATH is"},
		"no certificate":           {[]string{"CONSOLE_TLS_CERT_PATH", "DIR/md5", "CONSOLE_TLS_KEY_PATH", "DIR/md5"}, "CONSOLE_TLS_CERT_PATH: TLS certificate DIR/md5"},
		"no group":                 {without("CONSOLE_OIDC_GROUP"), "CONSOLE_OIDC_GROUP: not set, but CONSOLE_OIDC_ISSUER is; accepted: the name of the group whose members may log in"},
		"no client":                {without("CONSOLE_OIDC_CLIENT_ID"), "CONSOLE_OIDC_CLIENT_ID: not set, but CONSOLE_OIDC_ISSUER is"},
		"no client secret":         {without("CONSOLE_OIDC_CLIENT_SECRET"), "CONSOLE_OIDC_CLIENT_SECRET: not set, but CONSOLE_OIDC_ISSUER is"},
		"no URL":                   {without("CONSOLE_URL"), "CONSOLE_URL: not set, but CONSOLE_OIDC_ISSUER is"},
		"no issuer":                {without("CONSOLE_OIDC_ISSUER"), "CONSOLE_OIDC_ISSUER: not set, but CONSOLE_OIDC_CLIENT_ID is"},
		"an issuer without TLS":    {append(without("CONSOLE_OIDC_ISSUER"), "CONSOLE_OIDC_ISSUER", "http://127.0.0.1:8080"), "CONSOLE_OIDC_ISSUER: "},
		"a URL without TLS":        {append(without("CONSOLE_URL"), "CONSOLE_URL", "http://posture.example.com"), "CONSOLE_URL: "},
		"a URL with a path":        {append(without("CONSOLE_URL"), "CONSOLE_URL", "https://posture.example.com/console"), "CONSOLE_URL: "},
		"a URL with a query":       {append(without("CONSOLE_URL"), "CONSOLE_URL", "https://posture.example.com/?a"), "CONSOLE_URL: "},
		"a URL with a password":    {append(without("CONSOLE_URL"), "CONSOLE_URL", "https://a:Pa55word@posture.example.com"), "CONSOLE_URL: "},
		"a secret given twice":     {append(without("X"), "CONSOLE_OIDC_CLIENT_SECRET_FILE", "DIR/md5"), "CONSOLE_OIDC_CLIENT_SECRET: given together with CONSOLE_OIDC_CLIENT_SECRET_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newConsoleLab(t)
			folder := filepath.Dir(l.users)
			program.ReplaceFile(t, filepath.Join(folder, "md5"), htpasswd(t, helpdesk, helpdeskWord)+"eve:$apr1$Pa55word$aaaaaaaaaaaaaaaaaaaaaa\n")
			program.ReplaceFile(t, filepath.Join(folder, "empty"), "# nobody\n")
			env := l.env.With("HEALTH_ADDRESS", "off").With(inFolder(folder, test.change)...)
			for _, command := range []string{"check", "serve"} {
				r := program.Run(t, env, "", command)
				if want := inFolder(folder, []string{test.want})[0]; r.Code != 1 || !strings.Contains(r.Stderr, want) {
					t.Errorf("%s: exit %d, want 1 and %q\n%s", command, r.Code, want, r.Stderr)
				}
				if strings.Contains(r.Stderr+r.Stdout, "Pa55word") || strings.Contains(r.Stderr+r.Stdout, "$2y$") {
					t.Errorf("%s shows a secret: %s", command, r.Stderr)
				}
			}
		})
	}
}

// TestConsoleChecked: check says where the console is and who may see it, and warns of what may not be meant.
func TestConsoleChecked(t *testing.T) {
	t.Parallel()
	l := newUsersLab(t)
	if err := os.Chmod(l.users, 0o644); err != nil {
		t.Fatal(err)
	}
	env := l.env.With("HEALTH_ADDRESS", "off")
	r := program.Run(t, env.With("CONSOLE_ADDRESS", "0.0.0.0:24992", "AUDIT_LOG_PATH", ""), "", "check")
	wantAll(t, r, 0,
		"console: https://0.0.0.0:24992, certificate for [127.0.0.1]; who may log in: 1 person of "+l.users,
		"CONSOLE_USERS_FILE: line 1: the hash has the cost 4", "CONSOLE_USERS_FILE: every user of this machine can read the hashes of passwords in it",
		"CONSOLE_ADDRESS is set but AUDIT_LOG_PATH is not")
	r = program.Run(t, env.With("CONSOLE_ADDRESS", "off", "CONSOLE_OIDC_GROUPS_CLAIM", "roles", "CONSOLE_URL", "https://posture.example.com", "CONSOLE_USER_FILE", "x"), "", "check")
	wantAll(t, r, 0, "CONSOLE_USERS_FILE is set but CONSOLE_ADDRESS is not: it has no effect", "CONSOLE_URL is set but CONSOLE_ADDRESS is not: it has no effect",
		"CONSOLE_USER_FILE is not a variable of the connector and is ignored; did you mean CONSOLE_USERS_FILE?")
	r = program.Run(t, env.With("CONSOLE_OIDC_ISSUER", "https://login.example.com/realms/x", "CONSOLE_OIDC_CLIENT_ID", "console", "CONSOLE_OIDC_CLIENT_SECRET", "Pa55word",
		"CONSOLE_OIDC_GROUP", "help desk", "CONSOLE_URL", "https://posture.example.com/"), "", "check")
	wantAll(t, r, 0, `who may log in: 1 person of `+l.users+`, and members of the group "help desk" at https://login.example.com/realms/x`)
	delete(env, usersVariable)
	for _, address := range []string{"127.0.0.1:24992", "127.1.2.3:24992", "localhost:24992", "[::1]:24992"} {
		wantAll(t, program.Run(t, env.With("CONSOLE_ADDRESS", address), "", "check"), 0, "console: http://"+address+"; everybody on this machine may see it, without a password")
	}
	wantAll(t, program.Run(t, env.With("CONSOLE_TLS_CERT_PATH", l.pki.ServerCert, "CONSOLE_TLS_KEY_PATH", l.pki.ServerKey), "", "check"), 0, "console: https://"+l.address)
}

func wantAll(t *testing.T, r program.Result, code int, texts ...string) {
	t.Helper()
	if r.Code != code {
		t.Errorf("exit %d, want %d\n%s", r.Code, code, r.Stderr)
	}
	for _, text := range texts {
		if !strings.Contains(r.Stdout+r.Stderr, text) {
			t.Errorf("%q is missing in\n%s%s", text, r.Stdout, r.Stderr)
		}
	}
}
