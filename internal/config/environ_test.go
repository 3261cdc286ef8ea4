package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/joho/godotenv"

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
		{"a reference", "G=Macs\nA=$G\nB=\"${G} here\"\nC=x$G-y\nD=${G}y\n", nil, map[string]string{"G": "Macs", "A": "Macs", "B": "Macs here", "C": "xMacs-y", "D": "Macsy"}},
		{"a dollar as it stands", "A='$VIP'\nB=\\$VIP\nC=\"\\$VIP\"\n", nil, map[string]string{"A": "$VIP", "B": "$VIP", "C": "$VIP"}},
		{"a hash as it stands", "A='Lab #2'\nB=\"Lab #2\"\nC=Lab#2\n", nil, map[string]string{"A": "Lab #2", "B": "Lab #2", "C": "Lab#2"}},
		{"comments", "A=x # a comment\nB='y' # another\nC=\"z\"\t#third\nD=u #\nE=v ## w\n", nil, map[string]string{"A": "x", "B": "y", "C": "z", "D": "u", "E": "v"}},
		{"quotation marks inside", "A=Bob's Macs\nB=13\" Macs\nC=\"Say \\\"hi\\\" twice\"\nD='Say \"hi\"'\nE=\"a\\\\b\"\nF=\"a\\nb\"\n", nil, map[string]string{"A": "Bob's Macs", "B": "13\" Macs", "C": `Say "hi" twice`, "D": `Say "hi"`, "E": `a\b`, "F": "a\nb"}},
		{"backslashes as they stand", "A=EXAMPLE\\macs\nB='a\\nb'\n", nil, map[string]string{"A": `EXAMPLE\macs`, "B": `a\nb`}},
		{"as YAML has it", "A: x\nB : \"y\"\n", nil, map[string]string{"A": "x", "B": "y"}},
		{"an empty value", "A=\nB=\"\"\nC=''\n", nil, map[string]string{"A": "", "B": "", "C": ""}},
		{"twice, empty first", "A=\nA=x\n", nil, map[string]string{"A": "x"}},
		{"a secret of several lines", "A=\"c2Vj+/\nc2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0==\"\n", nil, map[string]string{"A": "c2Vj+/\nc2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0=="}},
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
			if err != nil || !maps.Equal(got.Variables, test.want) {
				t.Errorf("Environ of %q = %q, %v, want %q", test.content, got.Variables, err, test.want)
			}
		})
	}
}

const (
	acceptedLine    = "; accepted: NAME=value, one a line, values with # or $ or blanks at their ends in single quotes"
	acceptedDollar  = "; accepted: the value in single quotes, which take a $ as it stands; or ${NAME}, after a line that sets NAME to something. The environment does not count"
	acceptedClosed  = "; accepted: one at its end too, or, where it belongs to the value, the whole value in single quotes"
	acceptedSingle  = "; accepted: the value in single quotes"
	acceptedOneWay  = acceptedSingle + ", with no single quotation mark in it and no backslash at its end"
	acceptedComment = acceptedSingle + ", or, where a comment begins, a blank after the # too"
	undefined       = " has a $ that refers to a variable which the file does not set before" + acceptedDollar
	noReference     = " has a $ that begins no reference" + acceptedDollar
	cut             = " has a # after a blank, which would end the value" + acceptedComment
	notClosed       = " has a quotation mark at its beginning that is not closed" + acceptedClosed
	textAfter       = " has text after the closing quotation mark; accepted: the whole value in single quotes, or in double quotes with \\\" for those inside"
)

// TestBrokenEnvFile: what decides who gets a certificate is never cut or emptied without a word, and no
// error shows a value.
func TestBrokenEnvFile(t *testing.T) {
	t.Parallel()
	const hidden = "c2VjcmV0c2VjcmV0"
	tests := []struct {
		name    string
		content string
		want    []string // without "env file PATH: "
	}{
		{"no equals sign", "A=1\n\n# comment\nWEBHOOK_SECRETS " + hidden + "+/\nB=2\n", []string{"line 4 cannot be read" + acceptedLine}},
		{"no equals sign, CRLF", "A=1\r\n\r\nWEBHOOK_SECRETS " + hidden + "\r\nB=2\r\n", []string{"line 3 cannot be read" + acceptedLine}},
		{"a secret alone on a line", "WEBHOOK_SECRETS=\n" + hidden + "\nB=2\n", []string{"line 2 cannot be read" + acceptedLine}},
		{"a secret alone on the last line", "A=1\nWEBHOOK_SECRETS=\n" + hidden + "\n", []string{"line 3 cannot be read" + acceptedLine}},
		{"a secret alone on the last line, without a line end", "A=1\nWEBHOOK_SECRETS=\n" + hidden, []string{"line 3 cannot be read" + acceptedLine}},
		{"no name", "A=1\n=" + hidden + "\nB=2\n", []string{"line 2 cannot be read" + acceptedLine}},
		{"a name that is none", "A=1\nWEBHOOK-SECRETS=" + hidden + "\n", []string{"line 2 cannot be read" + acceptedLine}},
		{"a blank in the name", "A=1\nWEBHOOK SECRETS=" + hidden + "\n", []string{"line 2 cannot be read" + acceptedLine}},
		{"a control character", "A=1\nB=x\x07y\nC=x\ry\n", []string{"line 2 cannot be read" + acceptedLine, "line 3 has a carriage return in it; accepted: line ends of LF or CRLF"}},
		{"several faults", "1=x\nA=$X\nB=x #y\n", []string{"line 1 cannot be read" + acceptedLine, "line 2: A" + undefined, "line 3: B" + cut}},

		{"quotation mark never closed", "A=1\nB=\"x\nWEBHOOK_SECRETS=" + hidden + "\nC=2\n", []string{"line 2: B" + notClosed}},
		{"single quotation mark never closed", "A=1\nWEBHOOK_SECRETS='" + hidden + "\nC=2\n", []string{"line 2: WEBHOOK_SECRETS" + notClosed}},
		{"never closed, at the end", "A=1\nWEBHOOK_SECRETS='" + hidden, []string{"line 2: WEBHOOK_SECRETS" + notClosed}},
		{"quotation mark closed by another's", "A=1\nB=\"x\nWEBHOOK_SECRETS=\"" + hidden + "+/\"\nC=2\n", []string{"line 2: B" + notClosed}},
		{"quotation mark closed where another variable ends", "A=1\nB=\"x\nWEBHOOK_SECRETS=" + hidden + "\nC=2\"\n", []string{"line 2: B" + notClosed}},
		{"after a value of several lines", "A=\"x\ny\"\n!" + hidden + "\n", []string{"line 3 cannot be read" + acceptedLine}},
		{"text after the value", "G=\"Say \"hi\"\"\nH='it's'\nI=\"x\" B=" + hidden + "\n", []string{"line 1: G" + textAfter, "line 2: H" + textAfter, "line 3: I" + textAfter}},
		{"escaped at the end", "G=\"Say \\\"hi\\\"\"\n", []string{"line 1: G can be read in two ways" + acceptedOneWay}},
		{"backslash before the closing one", "A=1\nG='Macs\\'\n", []string{"line 2: G can be read in two ways" + acceptedOneWay}},
		{"escaped without quotation marks", "G=Say \\\"hi\\\"\n", []string{"line 1: G has a backslash before a quotation mark, which would belong to the value; accepted: the value in single quotes, without backslashes"}},
		{"an escape that is none", "G=\"EXAMPLE\\macs\"\n", []string{"line 1: G has a backslash that changes nothing; accepted: the value in single quotes, which take a backslash as it stands"}},

		{"a reference to nothing", "A=1\nJAMF_COMPUTER_GROUP=${GROUP}\n", []string{"line 2: JAMF_COMPUTER_GROUP" + undefined}},
		{"a dollar in a name", "JAMF_COMPUTER_GROUP=$VIP Macs only\nAUDIT_LOG_PATH=$X\n", []string{"line 1: JAMF_COMPUTER_GROUP" + undefined, "line 2: AUDIT_LOG_PATH" + undefined}},
		{"a reference to nothing, in double quotes", "G=\"x$VIP\"\n", []string{"line 1: G" + undefined}},
		{"a reference to what comes later", "G=${A}\nA=1\n", []string{"line 1: G" + undefined}},
		{"a reference to the environment", "G=$HOME/x\n", []string{"line 1: G" + undefined}},
		{"a reference to what is empty", "A=\nG=x$A\n", []string{"line 2: G has a $ that refers to a variable which is empty" + acceptedDollar}},
		{"a dollar and what is no name", "A=abc$def\nB=$\nC=100$ Macs\nD=${A\nE=$(x)\nF=${a}\nH=$Ab\n", []string{
			"line 1: A" + noReference, "line 2: B" + noReference, "line 3: C" + noReference, "line 4: D" + noReference,
			"line 5: E" + noReference, "line 6: F" + noReference, "line 7: H" + noReference,
		}},
		{"a dollar in a secret", "WEBHOOK_SECRETS=" + hidden + "$C2VJ\n", []string{"line 1: WEBHOOK_SECRETS" + undefined}},

		{"a hash after a blank", "A=1\nJAMF_COMPUTER_GROUP=Macs #1 encrypted\nG=Lab\t#2\n", []string{"line 2: JAMF_COMPUTER_GROUP" + cut, "line 3: G" + cut}},
		{"a comment with a hash", "G=Macs # see #12\nH=a # b # c\n", []string{
			"line 1: G has a comment with a second # in it" + acceptedSingle + ", or a comment without #, or on a line of its own",
			"line 2: H has a comment with a second # in it" + acceptedSingle + ", or a comment without #, or on a line of its own",
		}},
		{"a hash between quotation marks", "G=Say \"hi # there\"\n", []string{"line 1: G has a # between quotation marks, which would end the value" + acceptedSingle}},
		{"a comment in place of a value", "G= # none\nH=#x\n", []string{
			"line 1: G has a value that begins with #" + acceptedSingle + ", or nothing after the equals sign",
			"line 2: H has a value that begins with #" + acceptedSingle + ", or nothing after the equals sign",
		}},
		{"a blank that is none", "A=1\nG=\u00a0Macs\n", []string{"line 2: G begins or ends with a character that looks like a blank and is none (U+00A0); accepted: the value without it, or in single quotes where it is meant"}},
		{"a name with what is not seen", "A=1\nPORT\u200b=2\nMAX\u00a0X=1\n", []string{
			"line 2 has a character that is invisible or looks like a blank (U+200B); accepted: the line without it",
			"line 3 has a character that is invisible or looks like a blank (U+00A0); accepted: the line without it",
		}},
		{"carriage returns alone", "A=1\rB=2\r", []string{"line 1 has a carriage return in it; accepted: line ends of LF or CRLF"}},

		{"set and emptied", "G=1\nG=\n", []string{"line 2: G is emptied, but line 1 sets it; accepted: one line for each variable"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := written(t, "my.env", test.content)
			for _, required := range []bool{true, false} {
				got, err := config.Environ([]string{"A=2", "HOME=/root"}, path, required)
				if err == nil {
					t.Fatalf("Environ of %q = %q, want an error", test.content, got.Variables)
				}
				wantLines(t, "Environ", strings.Split(strings.ReplaceAll(err.Error(), "env file "+path+": ", ""), "\n"), test.want)
				if strings.Contains(err.Error(), hidden[:6]) || strings.Contains(err.Error(), "C2VJ") {
					t.Errorf("the error shows the secret: %v", err)
				}
			}
		})
	}
}

func TestEnvFileThatIsNoText(t *testing.T) {
	t.Parallel()
	large := written(t, "env", strings.Repeat("# not a configuration\n", 4000))
	if _, err := config.Environ(nil, large, true); err == nil || err.Error() != "env file "+large+" has more than 65536 bytes" {
		t.Errorf("of a large file: %v", err)
	}
	for name, test := range map[string]struct{ content, want string }{
		"UTF-16, little-endian": {"\xff\xfeA\x00=\x001\x00", "it is not UTF-8, but probably UTF-16; save it as UTF-8"},
		"UTF-16, big-endian":    {"\xfe\xff\x00A\x00=\x001", "it is not UTF-8, but probably UTF-16; save it as UTF-8"},
		"UTF-16 without a mark": {"A\x00=\x001\x00", "it is not UTF-8, but probably UTF-16; save it as UTF-8"},
		"Latin-1":               {"G=M\xfcnchen\n", "it is not UTF-8; save it as UTF-8"},
	} {
		path := written(t, "env", test.content)
		if _, err := config.Environ(nil, path, true); err == nil || err.Error() != "env file "+path+": "+test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// TestSingleQuotesTakeEverythingLiterally, which is the remedy that every error names.
func TestSingleQuotesTakeEverythingLiterally(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"$VIP Macs only", "${GROUP}", "Macs #1 encrypted", `Say "hi"`, ` x `, "a=b", `C:\new`, "100 $", "# x", "München", "`x`", "$(x)", "!"} {
		got, err := config.Environ(nil, written(t, "env", "G='"+value+"'\n"), true)
		if err != nil || got.Variables["G"] != value {
			t.Errorf("'%s' is read as %q, %v", value, got.Variables["G"], err)
		}
	}
}

// FuzzValue: a value is read as it stands, or up to a comment, or refused; nothing else.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{"x", "Lab #2", "$VIP", `Say \"hi\"`, `"x"`, "'x'", "a # b", "a # b # c", `"a\"`, `"\""`, "x\\$y", "export = x", "\u00a0x", "'a\nb'", "x\rB=y", `""x""`, "$A}", "\"a\\\\$A\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		text := "A=one\nG=" + value + "\n"
		got, err := config.ParseEnvFile(text)
		if err != nil {
			return
		}
		theirs, err := godotenv.Unmarshal(text)
		if err != nil || !maps.Equal(got, theirs) {
			t.Fatalf("%q is read as %q, and as %q, %v by godotenv", text, got, theirs, err)
		}
		if strings.ContainsAny(value, "\r\n") {
			return // may be other variables
		}
		read := got["G"]
		plain := strings.TrimSpace(value)
		quoted := len(plain) > 1 && (plain[0] == '"' || plain[0] == '\'')
		before, _, commented := strings.Cut(strings.ReplaceAll(value, "\t", " "), " #")
		switch {
		case quoted && plain[0] == '\'':
			if !strings.HasPrefix(plain[1:], read+"'") {
				t.Errorf("%q is read as %q", value, read)
			}
		case quoted, strings.Contains(value, "$"):
			// Escapes and references change the text, but never to nothing.
			if read == "" && plain != `""` && !strings.HasPrefix(plain, `""`) {
				t.Errorf("%q is read as nothing", value)
			}
		case commented:
			if strings.ReplaceAll(read, "\t", " ") != strings.TrimSpace(before) {
				t.Errorf("%q is read as %q", value, read)
			}
		case read != strings.Trim(value, " \t"):
			t.Errorf("%q is read as %q", value, read)
		}
	})
}

func TestEnvFileThatIsNotThere(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "none.env")
	got, err := config.Environ([]string{"A=1"}, path, false)
	if err != nil || !maps.Equal(got.Variables, map[string]string{"A": "1"}) {
		t.Errorf("Environ without the default file = %q, %v, want the environment", got.Variables, err)
	}
	if want := "there is no none.env in " + folder + "; copy .env.example to it, or name another file with --env-file or ENV_FILE"; got.Hint() != want {
		t.Errorf("Hint() = %q, want %q", got.Hint(), want)
	}
	if _, err = config.Environ([]string{"A=1"}, path, true); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Environ without a file that was asked for = %v, want an error that names %s", err, path)
	}
	if _, err = config.Environ(nil, folder, false); err == nil {
		t.Error("Environ accepted a folder as env file")
	}
}

// TestEnvFileOfAVariable: ENV_FILE is as good as --env-file, which wins.
func TestEnvFileOfAVariable(t *testing.T) {
	t.Parallel()
	one, two := written(t, "one.env", "A=one\n"), written(t, "two.env", "A=two\n")
	none := filepath.Join(t.TempDir(), "none.env")
	for name, test := range map[string]struct {
		variable, path string
		required       bool
		want           string
	}{
		"in place of the default": {one, two, false, "one"},
		"the flag wins":           {one, two, true, "two"},
		"empty":                   {"", two, false, "two"},
	} {
		got, err := config.Environ([]string{"ENV_FILE=" + test.variable}, test.path, test.required)
		if err != nil || got.Variables["A"] != test.want || got.Hint() != "" {
			t.Errorf("%s: A is %q, %v, want %s", name, got.Variables["A"], err, test.want)
		}
	}
	want := "ENV_FILE: env file: open " + none + ": no such file or directory"
	if _, err := config.Environ([]string{"ENV_FILE=" + none}, one, false); err == nil || err.Error() != want {
		t.Errorf("Environ with ENV_FILE of no file = %v, want %s", err, want)
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
		{"empty", "", []string{"WEBHOOK_SECRETS_FILE: the file PATH is empty; accepted: the path of a file with the secret"}},
		{"a line end only", "\n", []string{"WEBHOOK_SECRETS_FILE: the file PATH is empty; accepted: the path of a file with the secret"}},
		{"CRLF only", "\r\n", []string{"WEBHOOK_SECRETS_FILE: the file PATH is empty; accepted: the path of a file with the secret"}},
		{"empty line between", a + "\n\n" + b + "\n", []string{
			"WEBHOOK_SECRETS_FILE: entry 2 is empty" + acceptedSecrets,
		}},
		{"byte-order mark", "\xef\xbb\xbf" + a + "," + b + "\r\n", nil},
		{"blanks and line ends", " " + a + " \n" + b + "\t\n\n", nil},
		{"UTF-16", "a\x00b\x00", []string{"WEBHOOK_SECRETS_FILE: the file PATH: it is not UTF-8, but probably UTF-16; save it as UTF-8; accepted: the path of a file with the secret"}},
		{"quotation marks", `"` + a + "," + b + `"` + "\n", []string{"WEBHOOK_SECRETS_FILE: the secret in the file is in quotation marks, and they are part of it: remove them" + acceptedSecrets}},
		{"quotation marks around each", `"` + a + `"` + "\n" + b + "\n", []string{"WEBHOOK_SECRETS_FILE: entry 1 is in quotation marks; remove them" + acceptedSecrets}},
		{"all that step ca printed", "\u2714 Webhook ID: " + idA + "\nSecret: " + a + "\n", []string{"WEBHOOK_SECRETS_FILE: this is all that step ca printed; only what is behind \"Secret: \" belongs here" + acceptedSecrets}},
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

func TestSecretFileThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	const accepted = "; accepted: the path of a file with the secret"
	const hiddenPath = " (its path is not shown, because it may be the secret itself; that belongs into the variable without _FILE)"
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
		{"the secret in place of the path", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": secret}, []string{"WEBHOOK_SECRETS_FILE: not a path, but looks like the secret itself, which belongs into the variable without _FILE" + accepted}},
		{"what may be a secret in place of the path", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": "A1b2C3d4"}, []string{"WEBHOOK_SECRETS_FILE: cannot open the file: no such file or directory" + hiddenPath + accepted}},
		{"several secrets in place of the path", map[string]string{"WEBHOOK_SECRETS": "", "WEBHOOK_SECRETS_FILE": long}, []string{"WEBHOOK_SECRETS_FILE: not a path, but looks like the secret itself, which belongs into the variable without _FILE" + accepted}},
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
	_, problems := config.Load(environ(all.Variables))
	wantLines(t, "problems", lines(problems), []string{"WEBHOOK_SECRETS: given together with WEBHOOK_SECRETS_FILE; accepted: one of the two"})
}

// TestOneLineEndIsStripped: what else a file has at its ends cannot be meant, and is not guessed at.
func TestOneLineEndIsStripped(t *testing.T) {
	t.Parallel()
	type single struct {
		Secret config.Secret `env:"SOME_SECRET,required" accepted:"a secret"`
	}
	const lineEnd, blank, control = "the file ends with more than one line break; leave one at most", "the value begins or ends with a blank", "the value has a line break or another control character in it"
	for content, test := range map[string]struct{ secret, wrong string }{
		"x": {"x", ""}, "x\n": {"x", ""}, "x\r\n": {"x", ""}, "\xef\xbb\xbfx\n": {"x", ""}, "x,y\n": {"x,y", ""}, "x y\n": {"x y", ""},
		"x\n\n": {"", lineEnd}, "x \n": {"", blank}, " x\n": {"", blank}, "\tx\n": {"", control}, "two\nlines\n": {"", control}, "x\x00y": {"", "UTF-16"}, "'x'\n": {"", "in quotation marks"},
	} {
		var c single
		problems := config.Parse(map[string]string{"SOME_SECRET_FILE": written(t, "secret", content)}, &c)
		if string(c.Secret.Reveal()) != test.secret || (test.wrong == "") != (len(problems) == 0) || !strings.Contains(problems.Error(), test.wrong) || len(problems) > 1 {
			t.Errorf("a file with %q gives %q, %v, want %q", content, c.Secret.Reveal(), problems, test)
		}
	}
}

// TestUnknownVariables: only what is surely a name is shown. A broken line of an env file, read by another
// tool, makes a secret look like one.
func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	v := config.Vocabulary{Known: append(config.Variables[config.Config](), "FILE_PATH", "FILE_TYPE"), Meant: map[string]string{"WEBHOOK_KEY": "WEBHOOK_SECRETS"}}
	const ignored = " is not a variable of the connector and is ignored"
	tests := map[string]string{
		"WEBHOOK_SECRET":                 "WEBHOOK_SECRET" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"WEBHOOK_KEY":                    "WEBHOOK_KEY" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"FILE_PAHT":                      "FILE_PAHT" + ignored + "; did you mean FILE_PATH?",
		"WEBHOOK_":                       "WEBHOOK_" + ignored + "; did you mean WEBHOOK_IDS?",
		"WEBHOOK_XYZZY":                  "WEBHOOK_XYZZY" + ignored,
		"WEBHOOK_URL":                    "WEBHOOK_URL" + ignored,
		"FILE_PTAH":                      "FILE_PTAH" + ignored + "; did you mean FILE_PATH?",
		"WEBHOOK_SECRETS c2VjcmV0c2Vj":   "a variable that begins with WEBHOOK_" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"WEBHOOK_SECRETS\nc2VjcmV0c2Vj":  "a variable that begins with WEBHOOK_" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"FILE_c2VjcmV0c2VjcmV0c2VjcmV0c": "a variable that begins with FILE_" + ignored,
		"WEBHOOK_SECRETS\n":              "a variable that begins with WEBHOOK_" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"WEBHOOK_SECRETS.c2Vj":           "a variable that begins with WEBHOOK_" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"WEBHOOK_ÄSECRETS":               "a variable that begins with WEBHOOK_" + ignored + "; did you mean WEBHOOK_SECRETS?",
		"HOME":                           "", "PATH": "", "webhook_secret": "", "MY_WEBHOOK_ID": "", "WEBHOOKS": "", "FILES_X": "", "PORTS": "", "WEBHOOK_SECRETS_FILE": "",
	}
	for name, want := range tests {
		got := config.Environment{Variables: environ(map[string]string{name: "c2VjcmV0"})}.Warnings(v)
		if text := strings.Join(got, "\n"); text != want || strings.Contains(text, "c2Vj") {
			t.Errorf("Warnings of %q = %q, want %q", name, got, want)
		}
	}
	several := config.Environment{Variables: map[string]string{"WEBHOOK_X": "1", "FILE_X": "1", "AUDIT_X": "1", "JAMF_X": "1", "MTLS_X": "1"}}.Warnings(v)
	if len(several) != 5 || !strings.HasPrefix(several[0], "AUDIT_X ") || !strings.HasPrefix(several[4], "WEBHOOK_X ") {
		t.Errorf("Warnings of five = %q, want all, in order", several)
	}
}

// TestNetwork: Go passes over a proxy that it cannot read, and a file of certificates that it cannot use.
func TestNetwork(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	empty, key := written(t, "empty.pem", "# nothing\n"), written(t, "key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	const notProxy = ": not the URL of a proxy; Go would connect directly, or not at all; accepted: http://host:port, https://host:port or socks5://host:port"
	const ca = "; accepted: the path of a PEM file with the CA certificates that servers are trusted by"
	for _, test := range []struct {
		variable, value, want string
	}{
		{"HTTPS_PROXY", "http://proxy.example.com:3128", ""},
		{"HTTPS_PROXY", "proxy.example.com:3128", ""},
		{"HTTPS_PROXY", "10.0.0.1:3128", ""},
		{"https_proxy", "socks5://user:hunter2@[::1]:1080", ""},
		{"HTTPS_PROXY", `"http://proxy.example.com:3128"`, "HTTPS_PROXY" + notProxy},
		{"https_proxy", "http://proxy.example.com:hunter2", "https_proxy" + notProxy},
		{"HTTPS_PROXY", "http://user:hun%ter2@proxy.example.com:3128", "HTTPS_PROXY" + notProxy},
		{"HTTPS_PROXY", "http://proxy.example.com:3128\r", "HTTPS_PROXY" + notProxy},
		{"HTTPS_PROXY", "http:/proxy.example.com", "HTTPS_PROXY" + notProxy},
		{"HTTPS_PROXY", "ftp://proxy.example.com", "HTTPS_PROXY" + notProxy},
		{"HTTPS_PROXY", "http://", "HTTPS_PROXY" + notProxy},
		{"HTTP_PROXY", "http://a b", "HTTP_PROXY" + notProxy},
		{"SSL_CERT_FILE", filepath.Join(folder, "none.pem"), "SSL_CERT_FILE: " + folder + "/none.pem: no such file or directory" + ca},
		{"SSL_CERT_FILE", folder, "SSL_CERT_FILE: " + folder + ": is a directory" + ca},
		{"SSL_CERT_FILE", empty, "SSL_CERT_FILE: " + empty + ": there is no PEM certificate in it" + ca},
		{"SSL_CERT_FILE", key, "SSL_CERT_FILE: " + key + ": there is no PEM certificate in it" + ca},
		{"SSL_CERT_FILE", "-----BEGIN CERTIFICATE-----\nx", "SSL_CERT_FILE: not a path; it looks like the contents of a file" + ca},
		{"NO_PROXY", "\x01", ""},
	} {
		e, err := config.Environ([]string{test.variable + "=" + test.value}, written(t, "env", test.variable+"='x y'\n"), true)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Network().Error(); got != test.want || strings.Contains(got, "hunter2") {
			t.Errorf("%s=%q: %q, want %q", test.variable, test.value, got, test.want)
		}
		if e, err = config.Environ(nil, written(t, "env", test.variable+"='x y'\n"), true); err != nil || len(e.Network()) > 0 {
			t.Errorf("%s in an env file: %v, %v, want nothing: nobody reads it there", test.variable, e.Network(), err)
		}
	}
}
