package daemon_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
)

// warned loads a valid configuration, with more in the environment and an env file, and returns the warnings.
func (in installation) warned(t *testing.T, process map[string]string, file string) []string {
	t.Helper()
	in.write(t, "env", file)
	var list []string
	for name, value := range in.environ(process) {
		list = append(list, name+"="+value)
	}
	environ, err := config.Environ(list, in.path("env"), true)
	if err != nil {
		t.Fatal(err)
	}
	d, err := daemon.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	for i, warning := range d.Warnings {
		d.Warnings[i] = strings.ReplaceAll(warning, "env file "+in.path("env"), "FILE")
	}
	return d.Warnings
}

const ignored = " is not a variable of the connector and is ignored"

// Every unknown name in an env file is reported, with the variable that was probably meant if that can be guessed.
func TestEverythingUnknownInAnEnvFileIsReported(t *testing.T) {
	t.Parallel()
	in := install(t)
	for name, meant := range map[string]string{
		"ENABLE_MLTS": "ENABLE_MTLS", "ENABLE_MTL": "ENABLE_MTLS", "MTLS_ENABLED": "ENABLE_MTLS", "BIND_ADRESS": "BIND_ADDRESS", "LOG_LEVEL": "LOGGING_LEVEL",
		"LOGGING_LEVL": "LOGGING_LEVEL", "TLS_CERTPATH": "TLS_CERT_PATH", "TLS_CERT": "TLS_CERT_PATH", "TLS_KEY": "TLS_KEY_PATH", "HEALTH_ADDR": "HEALTH_ADDRESS",
		"HEALTHADDRESS": "HEALTH_ADDRESS", "WEBHOOK_ID": "WEBHOOK_IDS", "WEBHOOK_SECRET": "WEBHOOK_SECRETS", "WEBHOOK_SECRET_FILE": "WEBHOOK_SECRETS_FILE",
		"FILEPATH": "FILE_PATH", "FILE_TYP": "FILE_TYPE", "PROVIDR": "PROVIDER", "PORTS": "PORT", "PROT": "PORT", "AUDIT_LOG": "AUDIT_LOG_PATH",
		"JAMF_URL": "JAMF_BASE_URL", "JAMF_USERNAME": "JAMF_CLIENT_ID and JAMF_CLIENT_SECRET, of an API client", "JAMF_PASSWORD": "JAMF_CLIENT_ID and JAMF_CLIENT_SECRET, of an API client",
		"JAMF_GROUP": "JAMF_COMPUTER_GROUP or JAMF_DEVICE_GROUP", "JAMF_COMPUTERS_GROUP": "JAMF_COMPUTER_GROUP", "TIMESTAMP_TOLERANC": "TIMESTAMP_TOLERANCE", "CONNECTOR_WEBHOOK_IDS": "WEBHOOK_IDS",
	} {
		wantLines(t, name, in.warned(t, nil, "\n"+name+"=x\n"), []string{"FILE: line 2: " + name + ignored + "; did you mean " + meant + "?"})
	}
	for _, name := range []string{"COLOR", "COMPOSE_PROFILES", "CA_URL", "XYZZY", "JAMF_X", "STEPPATH", "A"} {
		wantLines(t, name, in.warned(t, nil, name+"=x\n"), []string{"FILE: line 1: " + name + ignored})
	}
	// A name that may be a secret is not shown.
	wantLines(t, "lower case", in.warned(t, nil, "webhook_ids=x\nsecretsecret=x\nport=1\n"), []string{
		"FILE: line 1: the name is not in capital letters and is ignored; write WEBHOOK_IDS",
		"FILE: line 2: the name" + ignored,
		"FILE: line 3: the name is not in capital letters and is ignored; write PORT",
	})
	// A name that other lines refer to is used.
	wantLines(t, "a reference", in.warned(t, nil, "WHERE=/tmp\nAUDIT_LOG_PATH=$WHERE/"+filepath.Base(in.folder)+".jsonl\n"), nil)
}

// A variable that only libraries read from the environment has no effect in an env file, and causes a warning there.
func TestWhatOthersReadFromTheEnvironment(t *testing.T) {
	t.Parallel()
	in := install(t)
	const noEffect = " has no effect in an env file, because the program reads it from its environment; set it there"
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "GODEBUG", "GOMEMLIMIT", "TZ", "ENV_FILE"} {
		wantLines(t, name, in.warned(t, nil, name+"=x\n"), []string{"FILE: line 1: " + name + noEffect})
	}
	wantLines(t, "https_proxy", in.warned(t, nil, "https_proxy=x\n"), []string{"FILE: line 1: HTTPS_PROXY" + noEffect})
	wantLines(t, "in the environment", in.warned(t, map[string]string{"SSL_CERT_FILE": "/none", "HTTPS_PROXY": "http://p:3128", "TZ": "UTC", "GODEBUG": "x=1", "ENV_FILE": "y"}, ""), nil)
}

// In the environment, only names that are nearly one of the connector's cause a warning: other programs have variables too.
func TestNearMissesInTheEnvironment(t *testing.T) {
	t.Parallel()
	in := install(t)
	for name, meant := range map[string]string{
		"ENABLE_MLTS": "ENABLE_MTLS", "BIND_ADRESS": "BIND_ADDRESS", "LOG_LEVEL": "LOGGING_LEVEL", "TLS_CERTPATH": "TLS_CERT_PATH", "HEALTH_ADDR": "HEALTH_ADDRESS", "TLS_CERT": "TLS_CERT_PATH",
		"PROVIDR": "PROVIDER", "LOGING_LEVEL": "LOGGING_LEVEL", "MTLS_ENABLED": "ENABLE_MTLS", "MAX_CONECTION": "MAX_CONNECTIONS", "WEBHOOK_SECRET": "WEBHOOK_SECRETS", "JAMF_URL": "JAMF_BASE_URL",
	} {
		wantLines(t, name, in.warned(t, map[string]string{name: "x"}, ""), []string{name + ignored + "; did you mean " + meant + "?"})
	}
	wantLines(t, "lower case", in.warned(t, map[string]string{"enable_mtls": "1"}, ""), []string{"the name of a variable is not in capital letters and is ignored; write ENABLE_MTLS"})

	usual := map[string]string{}
	for _, name := range strings.Fields(`PATH HOME HOSTNAME USER LOGNAME SHELL PWD OLDPWD SHLVL TERM LANG LC_ALL LC_CTYPE TZ MAIL EDITOR VISUAL PAGER LESS
		DISPLAY SSH_AUTH_SOCK SSH_CONNECTION SSH_CLIENT SSH_TTY XDG_RUNTIME_DIR XDG_SESSION_ID XDG_DATA_DIRS DBUS_SESSION_BUS_ADDRESS COLORTERM LS_COLORS TMPDIR
		container DEBIAN_FRONTEND SORT HOST POST PORTS TYPE PATHS FILES FILE SOURCE DEBUG VERBOSE STEPPATH CA_URL
		INVOCATION_ID JOURNAL_STREAM SYSTEMD_EXEC_PID NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID CREDENTIALS_DIRECTORY RUNTIME_DIRECTORY LOGS_DIRECTORY
		KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT KUBERNETES_SERVICE_PORT_HTTPS KUBERNETES_PORT KUBERNETES_PORT_443_TCP KUBERNETES_PORT_443_TCP_PROTO
		KUBERNETES_PORT_443_TCP_PORT KUBERNETES_PORT_443_TCP_ADDR POD_NAME POD_NAMESPACE POD_IP NODE_NAME GOMEMLIMIT GOMAXPROCS HTTP_PROXY HTTPS_PROXY NO_PROXY
		http_proxy https_proxy no_proxy SSL_CERT_DIR JAVA_HOME NODE_ENV PYTHONPATH GOPATH GOROOT VIRTUAL_ENV MAKEFLAGS MAKELEVEL CI PROFILE port provider`) {
		usual[name] = "x"
	}
	for _, prefix := range []string{"WEBHOOK", "JAMF", "FILE", "MTLS", "AUDIT", "WEBHOOK_RECEIVER", "LOG", "HEALTH"} { // services of Kubernetes
		usual[prefix+"_PORT"] = "tcp://10.0.0.1:9443"
		usual[prefix+"_SERVICE_HOST"], usual[prefix+"_SERVICE_PORT"], usual[prefix+"_SERVICE_PORT_HTTPS"] = "10.0.0.1", "9443", "9443"
		usual[prefix+"_PORT_9443_TCP"], usual[prefix+"_PORT_9443_TCP_PROTO"] = "tcp://10.0.0.1:9443", "tcp"
		usual[prefix+"_PORT_9443_TCP_PORT"], usual[prefix+"_PORT_9443_TCP_ADDR"], usual[prefix+"_PORT_53_UDP"] = "9443", "10.0.0.1", "udp://10.0.0.1:53"
	}
	wantLines(t, "a container's environment", in.warned(t, usual, ""), nil)
	wantLines(t, "no service link", in.warned(t, map[string]string{"WEBHOOK_PORT": "9443"}, ""), []string{"WEBHOOK_PORT" + ignored + "; did you mean PORT?"})
}

// A variable of another provider causes a warning: the operator may think that it decides.
func TestVariablesOfAnotherProvider(t *testing.T) {
	t.Parallel()
	in := install(t)
	wantLines(t, "file", in.warned(t, map[string]string{"JAMF_BASE_URL": "https://x", "JAMF_COMPUTER_GROUP": "x", "TIMEOUT": "5"}, ""), []string{
		"JAMF_BASE_URL, JAMF_COMPUTER_GROUP: set, but PROVIDER is file; only the provider jamf reads this",
	})
	jamf := map[string]string{"PROVIDER": "jamf", "JAMF_BASE_URL": "https://jamf.example.com", "JAMF_CLIENT_ID": "x", "JAMF_CLIENT_SECRET": "x"}
	wantLines(t, "jamf", in.warned(t, jamf, ""), []string{"FILE_PATH, FILE_TYPE: set, but PROVIDER is jamf; only the provider file reads this"})
	jamf["FILE_PATH"], jamf["FILE_TYPE"] = "", ""
	wantLines(t, "jamf alone", in.warned(t, jamf, ""), nil)
}

// A variable that is set in two places to different values causes a warning that says which one applies.
func TestSetTwice(t *testing.T) {
	t.Parallel()
	in := install(t)
	wantLines(t, "in the file", in.warned(t, nil, "PORT=\n# x\nPORT=9443\nPORT=9443\n"), []string{
		"FILE: PORT is set on line 1 and on line 3; line 3 applies", "FILE: PORT is set on line 3 and on line 4; line 4 applies",
	})
	wantLines(t, "in the environment", in.warned(t, map[string]string{"PORT": "9444", "LOG_FORMAT": "json"}, "PORT=9443\nLOG_FORMAT=json\n"), []string{
		"FILE: line 1: PORT is set in the environment too, to something else; the environment wins",
	})
}

// A file with a secret that every user of the machine can read causes a warning.
func TestReadableByAll(t *testing.T) {
	t.Parallel()
	const remedy = ": every user of this machine can read it, and there are secrets in it; chmod 600, or 640 with a group of its own"
	for name, test := range map[string]struct {
		mode, folder os.FileMode
		file         string
		link         bool // the secret's file is reached as Kubernetes mounts it
		want         []string
	}{
		"mode 0600":                    {0o600, 0o755, "WEBHOOK_SECRETS=SECRET\n", false, nil},
		"mode 0640":                    {0o640, 0o755, "WEBHOOK_SECRETS=SECRET\n", false, nil},
		"mode 0644":                    {0o644, 0o755, "WEBHOOK_SECRETS=SECRET\n", false, []string{"FILE" + remedy}},
		"mode 0644 in a closed folder": {0o644, 0o700, "WEBHOOK_SECRETS=SECRET\n", false, nil},
		"mode 0644, no secret in it":   {0o644, 0o755, "WEBHOOK_SECRETS_FILE=DIR/secret\n", false, []string{"WEBHOOK_SECRETS_FILE: DIR/secret" + remedy}},
		"mode 0444, Kubernetes":        {0o444, 0o755, "WEBHOOK_SECRETS_FILE=DIR/mounted\n", true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := install(t)
			in.write(t, "secret", in.secret)
			if test.link {
				if err := os.Mkdir(in.path("..2026_01_01"), 0o700); err != nil {
					t.Fatal(err)
				}
				in.write(t, "..2026_01_01/mounted", in.secret)
				if err := os.Chmod(in.path("..2026_01_01"), test.folder); err != nil {
					t.Fatal(err)
				}
				for link, target := range map[string]string{"..data": "..2026_01_01", "mounted": "..data/mounted"} {
					if err := os.Symlink(target, in.path(link)); err != nil {
						t.Fatal(err)
					}
				}
			}
			in.write(t, "env", strings.NewReplacer("SECRET\n", in.secret+"\n", "DIR", in.folder).Replace(test.file))
			for _, file := range []string{"env", "secret", "..2026_01_01/mounted"} {
				if err := os.Chmod(in.path(file), test.mode); err != nil && file[0] != '.' {
					t.Fatal(err)
				}
			}
			open := in.folder
			for range 2 { // also the parent of the test's own folder
				if err := os.Chmod(open, test.folder); err != nil {
					t.Fatal(err)
				}
				open = filepath.Dir(open)
			}
			var list []string
			for name, value := range in.environ(map[string]string{"WEBHOOK_SECRETS": ""}) {
				list = append(list, name+"="+value)
			}
			environ, err := config.Environ(list, in.path("env"), true)
			if err != nil {
				t.Fatal(err)
			}
			d, err := daemon.Load(environ)
			if err != nil {
				t.Fatal(err)
			}
			for i, warning := range d.Warnings {
				d.Warnings[i] = strings.ReplaceAll(strings.ReplaceAll(warning, "env file "+in.path("env"), "FILE"), in.folder, "DIR")
			}
			want := test.want
			for folder := open; folder != "/"; folder = filepath.Dir(folder) {
				if info, err := os.Stat(folder); err != nil || info.Mode()&1 == 0 {
					want = nil // all temporary folders of this machine are closed to others
				}
			}
			wantLines(t, "Warnings", d.Warnings, want)
		})
	}
}

// Each suggestion is a variable, and the name that it is suggested for is none.
func TestSuggestionsExist(t *testing.T) {
	t.Parallel()
	v := daemon.Vocabulary()
	for name, meant := range v.Meant {
		if slices.Contains(v.Known, name) {
			t.Errorf("%s is a variable, but has a suggestion", name)
		}
		for _, suggested := range regexp.MustCompile(`[A-Z_]{3,}`).FindAllString(meant, -1) {
			if suggested != "API" && !slices.Contains(v.Known, suggested) {
				t.Errorf("the suggestion for %s is %s, which is no variable", name, suggested)
			}
		}
	}
}
