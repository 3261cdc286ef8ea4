package config_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
)

// free has a field of each type that providers declare.
type free struct {
	Group  string        `env:"GROUP" accepted:"a name"`
	Word   string        `env:"WORD" choice:"a,b"`
	Secret config.Secret `env:"A_SECRET" accepted:"a secret"`
	Path   config.Path   `env:"A_PATH" accepted:"a path"`
}

// TestSurroundings: tools pass on quotation marks, comments and line ends as part of a value. The error names them as the
// cause.
func TestSurroundings(t *testing.T) {
	t.Parallel()
	const (
		windows   = "the value ends with a carriage return: the file it comes from has the line ends of Windows; save it with those of Unix (LF)"
		lineBreak = "the value ends with a line break, which echo adds; printf does not"
		space     = "the value begins or ends with a space"
		control   = "the value has a line break or another control character in it"
		bom       = "the value begins with a byte-order mark, which is invisible; remove it"
		quotes    = "the value" + inQuotes
		comment   = "the value has a comment after it, which is part of it for docker run --env-file and systemd; put it on a line of its own"
	)
	for _, test := range []struct{ variable, value, want string }{
		{"GROUP", `"Disk encrypted"`, quotes},
		{"GROUP", `'Disk encrypted'`, quotes},
		{"GROUP", "“Disk encrypted”", quotes},
		{"GROUP", "„Disk encrypted“", quotes},
		{"GROUP", "\"Disk encrypted\"\r", quotes},
		{"GROUP", `13" Macs`, ""},
		{"GROUP", `"Old" and "new" Macs of Bob`, ""},
		{"GROUP", `"`, ""},
		{"GROUP", "Macs\r", windows},
		{"GROUP", "Macs\n", lineBreak},
		{"GROUP", "Ma\tcs", control},
		{"GROUP", "Ma\u0085cs", control},
		{"GROUP", "Macs\x1b[31m", control},
		{"GROUP", "\ufeffMacs", bom},
		{"GROUP", "M\xfcnchen", "the value is not UTF-8"},
		{"GROUP", "  ", "the value has only spaces"},
		{"GROUP", "München 👩‍💻 #1 $x", ""},
		{"WORD", `"a"`, quotes},
		{"WORD", "a\r", windows},
		{"WORD", "a ", space},
		{"GROUP", "Macs # 1", ""},
		{"WORD", "a # or b", comment},
		{"A_PATH", "/etc/x.pem # the key", comment},
		{"A_PATH", "/etc/x #1.pem", ""},
		{"A_SECRET", "s3cret # 1", ""},
		{"A_SECRET", `"s3cret"`, quotes},
		{"A_SECRET", "s3cret\r", windows},
		{"A_SECRET", "s3cret\n", lineBreak},
		{"A_SECRET", " s3cret", space},
		{"A_SECRET", "s3\ncret", control},
		{"A_SECRET", "\ufeffs3cret", bom},
		{"A_PATH", `"/etc/x.pem"`, quotes},
		{"A_PATH", "/etc/x.pem ", space},
		{"A_PATH", "/etc/x.pem\r", windows},
		{"A_PATH", "/etc/my files/x.pem", ""},
		{"A_PATH", "${ETC}/x.pem", "the path has a reference to another variable, which nothing has replaced; write the whole path"},
		{"A_PATH", "~/x.pem", "the path begins with ~, which only a shell replaces; write the whole path"},
		{"A_PATH", "~ada/x.pem", "the path begins with ~, which only a shell replaces; write the whole path"},
		{"A_PATH", "file:///etc/x.pem", "the value is a URL; write the path alone"},
	} {
		var c free
		problems := config.Parse(map[string]string{test.variable: test.value}, &c)
		got := problems.Error()
		if test.want == "" && got != "" || test.want != "" && !strings.HasPrefix(got, test.variable+": "+test.want+"; accepted: ") || len(problems) > 1 {
			t.Errorf("%s=%q: %s, want %s", test.variable, test.value, got, test.want)
		}
		if strings.Contains(got, "encrypted\"") || strings.Contains(got, "s3") {
			t.Errorf("%s=%q: the error shows the value: %s", test.variable, test.value, got)
		}
	}
}

// TestListsIgnoreWhiteSpace around their entries.
func TestListsIgnoreWhiteSpace(t *testing.T) {
	t.Parallel()
	c, problems := config.Load(environ(map[string]string{
		"WEBHOOK_IDS": idA + "\r\n", "WEBHOOK_SECRETS": " " + signing('a', 32) + "\r\n", "MTLS_ALLOWED_NAMES": "ca.example.com\n",
	}))
	wantLines(t, "problems", lines(problems), nil)
	wantLines(t, "WEBHOOK_IDS", c.WebhookIDs, []string{idA})
	wantLines(t, "MTLS_ALLOWED_NAMES", c.MTLSAllowedNames, []string{"ca.example.com"})
	_, problems = config.Load(environ(map[string]string{
		"PROVIDER": `"file"`, "WEBHOOK_IDS": `"` + idA + `"`, "WEBHOOK_SECRETS": `"` + signing('a', 32) + `"`, "MTLS_ALLOWED_NAMES": `"ca.example.com"`,
	}))
	wantLines(t, "problems", lines(problems), []string{
		"PROVIDER: the value" + inQuotes, "WEBHOOK_IDS: the value" + inQuotes + acceptedIDs, "WEBHOOK_SECRETS: the value" + inQuotes + acceptedSecrets,
		"MTLS_ALLOWED_NAMES: the value" + inQuotes + acceptedNames,
	})
}

// TestDoubts: a name may have these characters, but rarely does.
func TestDoubts(t *testing.T) {
	t.Parallel()
	const (
		space  = "GROUP: the value begins or ends with a space; remove that, unless it is meant"
		hidden = "GROUP: the value has a character that is invisible or looks like a space (U+%s); remove that, unless it is meant"
	)
	for value, want := range map[string]string{
		"Macs":                    "",
		"Macs of the 2nd floor":   "",
		"👩\u200d💻 Macs":           "",
		" Macs":                   space,
		"Macs ":                   space,
		"Macs\u00a0":              space,
		"Disk\u00a0encrypted":     strings.ReplaceAll(hidden, "%s", "00A0"),
		"Disk\u200bencrypted":     strings.ReplaceAll(hidden, "%s", "200B"),
		"Disk \u202eencrypted":    strings.ReplaceAll(hidden, "%s", "202E"),
		"Macs # the fast ones":    "GROUP: the value has a # between spaces, which begins no comment for docker run --env-file and systemd; remove that, unless it is meant",
		"Lab #2":                  "",
		"${GROUP}":                "GROUP: the value has a reference to another variable, which nothing has replaced; remove that, unless it is meant",
		"Macs of $(TEAM)":         "GROUP: the value has a reference to another variable, which nothing has replaced; remove that, unless it is meant",
		"$VIP Macs for 5 $":       "",
		"Disk encrypted\ufeff":    strings.ReplaceAll(hidden, "%s", "FEFF"),
		"Disk en\u00adcrypted #1": strings.ReplaceAll(hidden, "%s", "00AD"),
	} {
		var c free
		environ := map[string]string{"GROUP": value, "A_SECRET": "x\u200by", "WORD": ""}
		if problems := config.Parse(environ, &c); len(problems) > 0 || c.Group != value {
			t.Errorf("GROUP=%q is read as %q, %v", value, c.Group, problems)
		}
		if got := strings.Join(config.Doubts[free](environ), "\n"); got != want {
			t.Errorf("Doubts of GROUP=%q = %q, want %q", value, got, want)
		}
	}
}

// TestInvalidSecrets: what people set in place of a signing secret.
func TestInvalidSecrets(t *testing.T) {
	t.Parallel()
	random := make([]byte, 64)
	for i := range random {
		random[i] = byte(i * 167)
	}
	printed := base64.StdEncoding.EncodeToString(random)
	const twice = "entry 1 was encoded as base64 twice; decode it once, to what step ca printed (a Kubernetes Secret has base64 under data, and the text itself under stringData)"
	for name, test := range map[string]struct{ value, want string }{
		"encoded twice":                  {base64.StdEncoding.EncodeToString([]byte(printed)), twice},
		"encoded twice, with a line end": {base64.StdEncoding.EncodeToString([]byte(printed + "\n")), twice},
		"a hexadecimal key":              {base64.StdEncoding.EncodeToString([]byte(strings.Repeat("0123456789abcdef", 4))), ""},
		"as printed":                     {printed, ""},
		"zeros":                          {base64.StdEncoding.EncodeToString(make([]byte, 64)), "entry 1 has only zero bytes"},
		"a path":                         {"/run/secrets/webhook", "entry 1 is a path; that of a file with secrets belongs in WEBHOOK_SECRETS_FILE"},
		"a relative path":                {"./secrets/webhook", "entry 1 is a path; that of a file with secrets belongs in WEBHOOK_SECRETS_FILE"},
		"a file beside the program":      {"shape_test.go", "entry 1 is a path; that of a file with secrets belongs in WEBHOOK_SECRETS_FILE"},
		"in quotation marks of its own":  {printed + `,"` + printed + `"`, "entry 2 is in quotation marks; remove them"},
		"all that step ca printed":       {"✔ Webhook ID: " + idA + "\nSecret: " + printed, "this is all that step ca printed; only the part after \"Secret: \" belongs here"},
	} {
		all := environ(map[string]string{"WEBHOOK_SECRETS": test.value})
		_, problems := config.Load(all)
		want := ""
		if test.want != "" {
			want = "WEBHOOK_SECRETS: " + test.want + acceptedSecrets
		}
		if got := problems.Error(); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		wantNoSecret(t, problems.Error(), map[string]string{"SECRET": printed + "," + base64.StdEncoding.EncodeToString([]byte(printed))})
	}
	_, problems := config.Load(environ(map[string]string{"WEBHOOK_IDS": idA + ";" + idB}))
	wantLines(t, "IDs with a semicolon", lines(problems)[:1], []string{"WEBHOOK_IDS: entry 1 has a semicolon, a space or a line break in it; IDs are separated by commas" + acceptedIDs})
}
