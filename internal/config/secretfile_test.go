package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
)

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
		{"one a line, without the last line end", a + "\n" + b, nil},
		{"one a line, CRLF", a + "\r\n" + b + "\r\n", nil},
		{"empty", "", []string{"WEBHOOK_SECRETS_FILE: the file PATH is empty; accepted: the path of a file with the secret"}},
		{"a line end only", "\n", []string{"WEBHOOK_SECRETS_FILE: the file PATH is empty; accepted: the path of a file with the secret"}},
		{"CRLF only", "\r\n", []string{"WEBHOOK_SECRETS_FILE: the file PATH is empty; accepted: the path of a file with the secret"}},
		{"empty line between", a + "\n\n" + b + "\n", []string{
			"WEBHOOK_SECRETS_FILE: entry 2 is empty" + acceptedSecrets,
		}},
		{"BOM", "\xef\xbb\xbf" + a + "," + b + "\r\n", nil},
		{"white space and line ends", " " + a + " \n" + b + "\t\n\n", nil},
		{"UTF-16", "a\x00b\x00", []string{"WEBHOOK_SECRETS_FILE: the file PATH: it is not UTF-8, but probably UTF-16; save it as UTF-8; accepted: the path of a file with the secret"}},
		{"quotation marks", `"` + a + "," + b + `"` + "\n", []string{"WEBHOOK_SECRETS_FILE: the secret in the file is in quotation marks, and they are part of it: remove them" + acceptedSecrets}},
		{"quotation marks around each", `"` + a + `"` + "\n" + b + "\n", []string{"WEBHOOK_SECRETS_FILE: entry 1 is in quotation marks; remove them" + acceptedSecrets}},
		{"all that step ca printed", "\u2714 Webhook ID: " + idA + "\nSecret: " + a + "\n", []string{"WEBHOOK_SECRETS_FILE: this is all that step ca printed; only the part after \"Secret: \" belongs here" + acceptedSecrets}},
		{"one too few", a + "\n", []string{"WEBHOOK_SECRETS_FILE: 1 given for 2 in WEBHOOK_IDS" + acceptedCount}},
		{"too large", strings.Repeat("x", 1<<20), []string{"WEBHOOK_SECRETS_FILE: the file PATH has more than 65536 bytes; accepted: the path of a file with the secret"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			all := environ(two)
			all["WEBHOOK_SECRETS_FILE"] = written(t, "secrets", test.content)
			c, problems := config.Load(all)
			got := lines(problems)
			for i, line := range got {
				got[i] = strings.ReplaceAll(line, all["WEBHOOK_SECRETS_FILE"], "PATH")
			}
			wantLines(t, "problems", got, test.want)
			wantNoSecret(t, strings.Join(got, "\n"), map[string]string{"SECRETS": a + "," + b})
			secrets := c.WebhookSecrets.List()
			if test.want == nil && (len(secrets) != 2 || string(secrets[0].Reveal()) != strings.Repeat("a", 32) || string(secrets[1].Reveal()) != strings.Repeat("b", 64)) {
				t.Errorf("the file gives %d secrets, want the two", len(secrets))
			}
		})
	}
}

func TestUnusableSecretFile(t *testing.T) {
	t.Parallel()
	const accepted = "; accepted: the path of a file with the secret"
	const hiddenPath = " (its path is not shown, because it may be the secret itself; that belongs in the variable without _FILE)"
	folder := t.TempDir()
	secret := signing('x', 64)
	long := strings.TrimSuffix(strings.Repeat(signing('y', 64)+",", 5), ",")
	tests := []struct {
		name    string
		changes map[string]string
		want    []string
	}{
		{"missing", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": filepath.Join(folder, "none")}, []string{"WEBHOOK_SECRETS_FILE: cannot open " + folder + "/none: no such file or directory" + accepted}},
		{"missing, with its folder", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": "/run/no-such-folder/webhook_secrets"}, []string{"WEBHOOK_SECRETS_FILE: cannot open /run/no-such-folder/webhook_secrets: no such file or directory" + accepted}},
		{"in quotation marks", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": `"/run/secrets/x"`}, []string{"WEBHOOK_SECRETS_FILE: the value" + inQuotes + accepted}},
		{"a folder", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": folder}, []string{"WEBHOOK_SECRETS_FILE: cannot read " + folder + ": is a directory" + accepted}},
		{"the secret in place of the path", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": secret}, []string{"WEBHOOK_SECRETS_FILE: not a path, but looks like the secret itself, which belongs in the variable without _FILE" + accepted}},
		{"what may be a secret in place of the path", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": "A1b2C3d4"}, []string{"WEBHOOK_SECRETS_FILE: cannot open the file: no such file or directory" + hiddenPath + accepted}},
		{"several secrets in place of the path", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": long}, []string{"WEBHOOK_SECRETS_FILE: not a path, but looks like the secret itself, which belongs in the variable without _FILE" + accepted}},
		{"both", map[string]string{"WEBHOOK_SECRETS_FILE": filepath.Join(folder, "none")}, []string{"WEBHOOK_SECRETS: given together with WEBHOOK_SECRETS_FILE; accepted: one of the two"}},
		{"both, the variable empty", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": ""}, []string{"WEBHOOK_SECRETS: not set" + acceptedSecrets}},
		{
			"missing, and other problems",
			map[string]string{"WEBHOOK_IDS": "", "WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": "/none", "PORT": "0"},
			[]string{
				"WEBHOOK_IDS: not set" + acceptedIDs,
				"WEBHOOK_SECRETS_FILE: cannot open /none: no such file or directory" + accepted,
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

// TestSecretFileBesideEmptyVariable: docker compose sets a missing variable to the empty string.
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
	_, problems := config.Load(environ(all.Variables))
	wantLines(t, "problems", lines(problems), []string{"WEBHOOK_SECRETS: given together with WEBHOOK_SECRETS_FILE; accepted: one of the two"})
}

// TestOneLineEndIsStripped: other white space at the ends of the file is an error.
func TestOneLineEndIsStripped(t *testing.T) {
	t.Parallel()
	type single struct {
		Secret config.Secret `env:"SOME_SECRET,required" accepted:"a secret"`
	}
	const lineEnd, space, control = "the file ends with more than one line break; leave one at most", "the value begins or ends with a space", "the value has a line break or another control character in it"
	for content, test := range map[string]struct{ secret, wrong string }{
		"x": {"x", ""}, "x\n": {"x", ""}, "x\r\n": {"x", ""}, "\xef\xbb\xbfx\n": {"x", ""}, "x,y\n": {"x,y", ""}, "x y\n": {"x y", ""},
		"x\n\n": {"", lineEnd}, "x \n": {"", space}, " x\n": {"", space}, "\tx\n": {"", control}, "two\nlines\n": {"", control}, "x\x00y": {"", "UTF-16"}, "'x'\n": {"", "in quotation marks"},
	} {
		var c single
		problems := config.Parse(map[string]string{"SOME_SECRET_FILE": written(t, "secret", content)}, &c)
		if string(c.Secret.Reveal()) != test.secret || (test.wrong == "") != (len(problems) == 0) || !strings.Contains(problems.Error(), test.wrong) || len(problems) > 1 {
			t.Errorf("a file with %q gives %q, %v, want %q", content, c.Secret.Reveal(), problems, test)
		}
	}
}
