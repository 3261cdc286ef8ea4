package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
)

func written(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEnvFile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		content string
		process []string
		want    map[string]string
	}{
		{"plain", "A=1\nB=two words\n\n# comment\nC=x # comment\n", nil, map[string]string{"A": "1", "B": "two words", "C": "x"}},
		{"byte-order mark and CRLF", "\xef\xbb\xbfA=1\r\n\r\n# comment\r\nB=\"2\"\r\nC='3'\r\n", nil, map[string]string{"A": "1", "B": "2", "C": "3"}},
		{"no line end at the end", "A=1\nB=2", nil, map[string]string{"A": "1", "B": "2"}},
		{"quotation marks", "A=\"x # y\"\nB='$HOME \"#\" '\nC=\"two\nlines\"\n", nil, map[string]string{"A": "x # y", "B": `$HOME "#" `, "C": "two\nlines"}},
		{"base64 with padding", "S=+/8=,c2Vj==\n", nil, map[string]string{"S": "+/8=,c2Vj=="}},
		{"export and blanks", "export A=1\n  B = 2\n", nil, map[string]string{"A": "1", "B": "2"}},
		{"empty file", "", []string{"A=1"}, map[string]string{"A": "1"}},
		{"the environment wins", "A=file\nB=file\n", []string{"A=process", "C=process"}, map[string]string{"A": "process", "B": "file", "C": "process"}},
		{"an empty variable of the environment does not", "A=file\n", []string{"A="}, map[string]string{"A": "file"}},
		{"values with equals signs in the environment", "", []string{"A=b=c=="}, map[string]string{"A": "b=c=="}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := config.Environ(test.process, written(t, ".env", test.content), true)
			if err != nil || !maps.Equal(got, test.want) {
				t.Errorf("Environ of %q = %q, %v, want %q", test.content, got, err, test.want)
			}
		})
	}
}

func TestBrokenEnvFile(t *testing.T) {
	t.Parallel()
	const accepted = "cannot be read; accepted: NAME=value, one a line, values with # or $ or blanks at their ends in single quotes"
	const hidden = "c2VjcmV0c2VjcmV0"
	tests := []struct {
		name    string
		content string
		line    string
	}{
		{"no equals sign", "A=1\n\n# comment\nWEBHOOK_SECRETS " + hidden + "+/\nB=2\n", "line 4"},
		{"no equals sign, CRLF", "A=1\r\n\r\nWEBHOOK_SECRETS " + hidden + "\r\nB=2\r\n", "line 3"},
		{"a secret alone on a line", "WEBHOOK_SECRETS=\n" + hidden + "\nB=2\n", "line 2"},
		{"a secret alone on the last line", "A=1\nWEBHOOK_SECRETS=\n" + hidden + "\n", "line 3"},
		{"a secret alone on the last line, without a line end", "A=1\nWEBHOOK_SECRETS=\n" + hidden, "line 3"},
		{"no name", "A=1\n=" + hidden + "\nB=2\n", "line 2"},
		{"a name that is none", "A=1\nWEBHOOK-SECRETS=" + hidden + "\n", "line 2"},
		{"quotation mark never closed", "A=1\nB=\"x\nWEBHOOK_SECRETS=" + hidden + "\nC=2\n", "line 2"},
		{"single quotation mark never closed", "A=1\nWEBHOOK_SECRETS='" + hidden + "\nC=2\n", "line 2"},
		{"quotation mark closed by another's", "A=1\nB=\"x\nWEBHOOK_SECRETS=\"" + hidden + "+/\"\nC=2\n", "line 2"},
		{"after a value of several lines", "A=\"x\ny\"\n!" + hidden + "\n", "line 3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := written(t, "my.env", test.content)
			for _, required := range []bool{true, false} {
				got, err := config.Environ([]string{"A=2"}, path, required)
				if err == nil {
					t.Fatalf("Environ of %q = %q, want an error", test.content, got)
				}
				want := "env file " + path + ": " + test.line + " " + accepted
				if err.Error() != want {
					t.Errorf("Environ of %q = %q, want %q", test.content, err, want)
				}
				if strings.Contains(err.Error(), hidden[:6]) {
					t.Errorf("the error shows the secret: %v", err)
				}
			}
		})
	}
}

func TestEnvFileThatIsNotThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none.env")
	got, err := config.Environ([]string{"A=1"}, path, false)
	if err != nil || !maps.Equal(got, map[string]string{"A": "1"}) {
		t.Errorf("Environ without the default file = %q, %v, want the environment", got, err)
	}
	if _, err = config.Environ([]string{"A=1"}, path, true); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Environ without a file that was asked for = %v, want an error that names %s", err, path)
	}
	if _, err = config.Environ(nil, t.TempDir(), false); err == nil {
		t.Error("Environ accepted a folder as env file")
	}
}

func TestSecretFile(t *testing.T) {
	t.Parallel()
	a, b := signing('a', 32), signing('b', 64)
	two := map[string]string{"WEBHOOK_IDS": idA + "," + idB, "WEBHOOK_SECRETS": ""}
	tests := []struct {
		name    string
		content string
		want    []string // problems; none: the two secrets
	}{
		{"separated by a comma", a + "," + b, nil},
		{"with a line end", a + "," + b + "\n", nil},
		{"with CRLF", a + "," + b + "\r\n", nil},
		{"one a line", a + "\n" + b + "\n", nil},
		{"one a line, no line end at the end", a + "\n" + b, nil},
		{"one a line, CRLF", a + "\r\n" + b + "\r\n", nil},
		{"empty", "", []string{"WEBHOOK_SECRETS_FILE: the file is empty; accepted: the path of a file with the secret"}},
		{"a line end only", "\n", []string{"WEBHOOK_SECRETS_FILE: the file is empty; accepted: the path of a file with the secret"}},
		{"CRLF only", "\r\n", []string{"WEBHOOK_SECRETS_FILE: the file is empty; accepted: the path of a file with the secret"}},
		{"empty line between", a + "\n\n" + b + "\n", []string{
			"WEBHOOK_SECRETS: entry 2 is empty" + acceptedSecrets,
			"WEBHOOK_SECRETS: 3 given for 2 in WEBHOOK_IDS" + acceptedCount,
		}},
		{"one too few", a + "\n", []string{"WEBHOOK_SECRETS: 1 given for 2 in WEBHOOK_IDS" + acceptedCount}},
		{"too large", strings.Repeat("x", 1<<20), []string{"WEBHOOK_SECRETS_FILE: the file has more than 65536 bytes; accepted: the path of a file with the secret"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := environ(two)
			all["WEBHOOK_SECRETS_FILE"] = written(t, "secrets", test.content)
			c, problems := config.Load(all)
			wantLines(t, "problems", lines(problems), test.want)
			got := c.WebhookSecrets.List()
			if test.want == nil && (len(got) != 2 || string(got[0].Reveal()) != strings.Repeat("a", 32) || string(got[1].Reveal()) != strings.Repeat("b", 64)) {
				t.Errorf("the file gives %d secrets, want the two", len(got))
			}
		})
	}
}

func TestSecretFileThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	const accepted = "; accepted: the path of a file with the secret"
	folder := t.TempDir()
	secret := signing('x', 64)
	long := strings.TrimSuffix(strings.Repeat(signing('y', 64)+",", 5), ",")
	tests := []struct {
		name    string
		changes map[string]string
		want    []string
	}{
		{"missing", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": filepath.Join(folder, "none")}, []string{"WEBHOOK_SECRETS_FILE: cannot open the file: no such file or directory" + accepted}},
		{"a folder", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": folder}, []string{"WEBHOOK_SECRETS_FILE: cannot read the file: is a directory" + accepted}},
		{"the secret in place of the path", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": secret}, []string{"WEBHOOK_SECRETS_FILE: cannot open the file: no such file or directory" + accepted}},
		{"several secrets in place of the path", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": long}, []string{"WEBHOOK_SECRETS_FILE: cannot open the file: file name too long" + accepted}},
		{"both", map[string]string{"WEBHOOK_SECRETS_FILE": filepath.Join(folder, "none")}, []string{"WEBHOOK_SECRETS: given together with WEBHOOK_SECRETS_FILE; accepted: one of the two"}},
		{"both, the variable empty", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": ""}, []string{"WEBHOOK_SECRETS: not set" + acceptedSecrets}},
		{
			"missing, and other problems",
			map[string]string{"WEBHOOK_IDS": "", "WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": "/none", "PORT": "0"},
			[]string{
				"WEBHOOK_IDS: not set" + acceptedIDs,
				"WEBHOOK_SECRETS_FILE: cannot open the file: no such file or directory" + accepted,
				`PORT: "0" is not accepted; accepted: a whole number from 1 to 65535`,
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := environ(test.changes)
			_, problems := config.Load(all)
			got := lines(problems)
			wantLines(t, "problems", got, test.want)
			wantNoSecret(t, strings.Join(got, "\n"), map[string]string{"A_SECRET": secret + "\n" + long})
		})
	}
}

// TestSecretFileBesideEmptyVariable: docker compose sets what is not given to the empty string.
func TestSecretFileBesideEmptyVariable(t *testing.T) {
	t.Parallel()
	all := environ(nil)
	all["WEBHOOK_SECRETS"], all["WEBHOOK_SECRETS_FILE"] = "", written(t, "secret", signing('a', 32))
	_, problems := config.Load(all)
	wantLines(t, "problems with an empty WEBHOOK_SECRETS", lines(problems), nil)
	all["WEBHOOK_SECRETS"], all["WEBHOOK_SECRETS_FILE"] = signing('a', 32), ""
	_, problems = config.Load(all)
	wantLines(t, "problems with an empty WEBHOOK_SECRETS_FILE", lines(problems), nil)
}

// TestBothAreJudgedTogether: one in the environment, the other in the env file.
func TestBothAreJudgedTogether(t *testing.T) {
	t.Parallel()
	path := written(t, ".env", "WEBHOOK_SECRETS="+signing('a', 32)+"\n")
	all, err := config.Environ([]string{"WEBHOOK_SECRETS_FILE=/run/secrets/webhook"}, path, true)
	if err != nil {
		t.Fatal(err)
	}
	_, problems := config.Load(environ(all))
	wantLines(t, "problems", lines(problems), []string{"WEBHOOK_SECRETS: given together with WEBHOOK_SECRETS_FILE; accepted: one of the two"})
}

// TestOneLineEndIsStripped: of a secret that is taken as it stands, more than one line end or blanks
// could belong to it.
func TestOneLineEndIsStripped(t *testing.T) {
	t.Parallel()
	type single struct {
		Secret config.Secret `env:"SOME_SECRET,required" accepted:"a secret"`
	}
	for content, want := range map[string]string{
		"x": "x", "x\n": "x", "x\r\n": "x", "x\n\n": "x\n", "x \n": "x ", "\tx\n": "\tx", "two\nlines\n": "two\nlines", "x,y\n": "x,y",
	} {
		var c single
		problems := config.Parse(map[string]string{"SOME_SECRET_FILE": written(t, "secret", content)}, &c)
		if len(problems) > 0 || string(c.Secret.Reveal()) != want {
			t.Errorf("a file with %q gives %q, %v, want %q", content, c.Secret.Reveal(), problems, want)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	known := config.Names[config.Config]()
	known = append(known, "FILE_PATH", "FILE_TYPE")
	tests := map[string]string{
		"WEBHOOK_SECRET":                 "WEBHOOK_SECRET is not a variable of the connector and is ignored; did you mean WEBHOOK_SECRETS?",
		"WEBHOOK_ID":                     "WEBHOOK_ID is not a variable of the connector and is ignored; did you mean WEBHOOK_IDS?",
		"WEBHOOK_SECRET_FILE":            "WEBHOOK_SECRET_FILE is not a variable of the connector and is ignored; did you mean WEBHOOK_SECRETS_FILE?",
		"FILE_PAHT":                      "FILE_PAHT is not a variable of the connector and is ignored; did you mean FILE_PATH?",
		"MTLS_ALLOWED_NAME":              "MTLS_ALLOWED_NAME is not a variable of the connector and is ignored; did you mean MTLS_ALLOWED_NAMES?",
		"WEBHOOK_":                       "WEBHOOK_ is not a variable of the connector and is ignored; did you mean WEBHOOK_IDS?",
		"WEBHOOK_SECRETS c2VjcmV0c2Vj":   "a variable that begins with WEBHOOK_ is not a variable of the connector and is ignored; did you mean WEBHOOK_SECRETS?",
		"WEBHOOK_SECRETS\nc2VjcmV0c2Vj":  "a variable that begins with WEBHOOK_ is not a variable of the connector and is ignored; did you mean WEBHOOK_SECRETS?",
		"FILE_c2VjcmV0c2VjcmV0c2VjcmV0c": "a variable that begins with FILE_ is not a variable of the connector and is ignored; did you mean ",
		"WEBHOOK_SECRETS\n":              "a variable that begins with WEBHOOK_ is not a variable of the connector and is ignored; did you mean WEBHOOK_SECRETS?",
		"WEBHOOK_SECRETS.c2Vj":           "a variable that begins with WEBHOOK_ is not a variable of the connector and is ignored; did you mean WEBHOOK_SECRETS?",
		"WEBHOOK_ÄSECRETS":               "a variable that begins with WEBHOOK_ is not a variable of the connector and is ignored; did you mean WEBHOOK_SECRETS?",
	}
	for name, want := range tests {
		got := config.Unknown(environ(map[string]string{name: "c2VjcmV0"}), known)
		if len(got) != 1 || !strings.HasPrefix(got[0], want) || strings.Contains(strings.Join(got, ""), "c2Vj") {
			t.Errorf("Unknown(%q) = %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"HOME", "PATH", "webhook_secret", "MY_WEBHOOK_ID", "WEBHOOKS", "FILES_X", "PORTS", "TLS_CERT", "WEBHOOK_SECRETS_FILE"} {
		if got := config.Unknown(environ(map[string]string{name: "x"}), known); len(got) != 0 {
			t.Errorf("Unknown(%q) = %q, want nothing", name, got)
		}
	}
	several := config.Unknown(map[string]string{"WEBHOOK_X": "1", "FILE_X": "1", "AUDIT_X": "1", "JAMF_X": "1", "MTLS_X": "1"}, known)
	if len(several) != 5 || !strings.HasPrefix(several[0], "AUDIT_X ") || !strings.HasPrefix(several[4], "WEBHOOK_X ") {
		t.Errorf("Unknown of five = %q, want all, in order", several)
	}
}
