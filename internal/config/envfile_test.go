package config_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/joho/godotenv"

	"step-posture-connector/internal/config"
)

func TestEnvFile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		content string
		process []string
		want    map[string]string
	}{
		{"plain", "A=1\nB=two words\n\n# comment\nC=x # comment\n", nil, map[string]string{"A": "1", "B": "two words", "C": "x"}},
		{"BOM and CRLF", "\xef\xbb\xbfA=1\r\n\r\n# comment\r\nB=\"2\"\r\nC='3'\r\n", nil, map[string]string{"A": "1", "B": "2", "C": "3"}},
		{"no line end after the last line", "A=1\nB=2", nil, map[string]string{"A": "1", "B": "2"}},
		{"quotation marks", "A=\"x # y\"\nB='$HOME \"#\" '\nC=\"two\nlines\"\n", nil, map[string]string{"A": "x # y", "B": `$HOME "#" `, "C": "two\nlines"}},
		{"base64 with padding", "S=+/8=,c2Vj==\n", nil, map[string]string{"S": "+/8=,c2Vj=="}},
		{"a reference", "G=Macs\nA=$G\nB=\"${G} here\"\nC=x$G-y\nD=${G}y\n", nil, map[string]string{"G": "Macs", "A": "Macs", "B": "Macs here", "C": "xMacs-y", "D": "Macsy"}},
		{"a dollar", "A='$VIP'\nB=\\$VIP\nC=\"\\$VIP\"\n", nil, map[string]string{"A": "$VIP", "B": "$VIP", "C": "$VIP"}},
		{"a hash", "A='Lab #2'\nB=\"Lab #2\"\nC=Lab#2\n", nil, map[string]string{"A": "Lab #2", "B": "Lab #2", "C": "Lab#2"}},
		{"comments", "A=x # a comment\nB='y' # another\nC=\"z\"\t#third\nD=u #\nE=v ## w\n", nil, map[string]string{"A": "x", "B": "y", "C": "z", "D": "u", "E": "v"}},
		{"quotation marks inside", "A=Bob's Macs\nB=13\" Macs\nC=\"Say \\\"hi\\\" twice\"\nD='Say \"hi\"'\nE=\"a\\\\b\"\nF=\"a\\nb\"\n", nil, map[string]string{"A": "Bob's Macs", "B": "13\" Macs", "C": `Say "hi" twice`, "D": `Say "hi"`, "E": `a\b`, "F": "a\nb"}},
		{"backslashes", "A=EXAMPLE\\macs\nB='a\\nb'\n", nil, map[string]string{"A": `EXAMPLE\macs`, "B": `a\nb`}},
		{"a colon, as in YAML", "A: x\nB : \"y\"\n", nil, map[string]string{"A": "x", "B": "y"}},
		{"an empty value", "A=\nB=\"\"\nC=''\n", nil, map[string]string{"A": "", "B": "", "C": ""}},
		{"twice, empty first", "A=\nA=x\n", nil, map[string]string{"A": "x"}},
		{"a secret of several lines", "A=\"c2Vj+/\nc2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0==\"\n", nil, map[string]string{"A": "c2Vj+/\nc2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0=="}},
		{"export and spaces", "export A=1\n  B = 2\n", nil, map[string]string{"A": "1", "B": "2"}},
		{"empty file", "", []string{"A=1"}, map[string]string{"A": "1"}},
		{"the environment overrides the file", "A=file\nB=file\n", []string{"A=process", "C=process"}, map[string]string{"A": "process", "B": "file", "C": "process"}},
		{"an empty variable of the environment does not override it", "A=file\n", []string{"A="}, map[string]string{"A": "file"}},
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
	acceptedLine    = "; accepted: NAME=value, one on each line, values with # or $ or spaces at their ends in single quotes"
	acceptedDollar  = "; accepted: the value in single quotes, where a $ is a $; or ${NAME}, after a line that sets NAME to something. The environment does not count"
	acceptedClosed  = "; accepted: one at its end too, or, where it belongs to the value, the whole value in single quotes"
	acceptedSingle  = "; accepted: the value in single quotes"
	acceptedOneWay  = acceptedSingle + ", with no single quotation mark in it and no backslash at its end"
	acceptedComment = acceptedSingle + ", or, where a comment begins, a space after the # too"
	undefined       = " has a $ that refers to a variable which the file does not set before" + acceptedDollar
	noReference     = " has a $ that begins no reference" + acceptedDollar
	cut             = " has a # after a space, which would end the value" + acceptedComment
	notClosed       = " has a quotation mark at its beginning that is not closed" + acceptedClosed
	textAfter       = " has text after the closing quotation mark; accepted: the whole value in single quotes, or in double quotes with \\\" for those inside"
)

// TestBrokenEnvFile: a value is never silently cut or emptied, because it may decide who gets a certificate, and no error
// shows a value.
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
		{"an invalid name", "A=1\nWEBHOOK-SECRETS=" + hidden + "\n", []string{"line 2 cannot be read" + acceptedLine}},
		{"a space in the name", "A=1\nWEBHOOK SECRETS=" + hidden + "\n", []string{"line 2 cannot be read" + acceptedLine}},
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
		{"an invalid escape", "G=\"EXAMPLE\\macs\"\n", []string{"line 1: G has a backslash that changes nothing; accepted: the value in single quotes, where a backslash is a backslash"}},

		{"a reference to nothing", "A=1\nJAMF_COMPUTER_GROUP=${GROUP}\n", []string{"line 2: JAMF_COMPUTER_GROUP" + undefined}},
		{"a dollar in a name", "JAMF_COMPUTER_GROUP=$VIP Macs only\nAUDIT_LOG_PATH=$X\n", []string{"line 1: JAMF_COMPUTER_GROUP" + undefined, "line 2: AUDIT_LOG_PATH" + undefined}},
		{"a reference to nothing, in double quotes", "G=\"x$VIP\"\n", []string{"line 1: G" + undefined}},
		{"a reference to what comes later", "G=${A}\nA=1\n", []string{"line 1: G" + undefined}},
		{"a reference to the environment", "G=$HOME/x\n", []string{"line 1: G" + undefined}},
		{"a reference to what is empty", "A=\nG=x$A\n", []string{"line 2: G has a $ that refers to a variable which is empty" + acceptedDollar}},
		{"a dollar before an invalid name", "A=abc$def\nB=$\nC=100$ Macs\nD=${A\nE=$(x)\nF=${a}\nH=$Ab\n", []string{
			"line 1: A" + noReference, "line 2: B" + noReference, "line 3: C" + noReference, "line 4: D" + noReference,
			"line 5: E" + noReference, "line 6: F" + noReference, "line 7: H" + noReference,
		}},
		{"a dollar in a secret", "WEBHOOK_SECRETS=" + hidden + "$C2VJ\n", []string{"line 1: WEBHOOK_SECRETS" + undefined}},

		{"a hash after a space", "A=1\nJAMF_COMPUTER_GROUP=Macs #1 encrypted\nG=Lab\t#2\n", []string{"line 2: JAMF_COMPUTER_GROUP" + cut, "line 3: G" + cut}},
		{"a comment with a hash", "G=Macs # see #12\nH=a # b # c\n", []string{
			"line 1: G has a comment with a second # in it" + acceptedSingle + ", or a comment without #, or on a line of its own",
			"line 2: H has a comment with a second # in it" + acceptedSingle + ", or a comment without #, or on a line of its own",
		}},
		{"a hash between quotation marks", "G=Say \"hi # there\"\n", []string{"line 1: G has a # between quotation marks, which would end the value" + acceptedSingle}},
		{"a comment in place of a value", "G= # none\nH=#x\n", []string{
			"line 1: G has a value that begins with #" + acceptedSingle + ", or nothing after the equals sign",
			"line 2: H has a value that begins with #" + acceptedSingle + ", or nothing after the equals sign",
		}},
		{"a no-break space", "A=1\nG=\u00a0Macs\n", []string{"line 2: G begins or ends with a character that looks like a space and is none (U+00A0); accepted: the value without it, or in single quotes where it is meant"}},
		{"a name with an invisible character", "A=1\nPORT\u200b=2\nMAX\u00a0X=1\n", []string{
			"line 2 has a character that is invisible or looks like a space (U+200B); accepted: the line without it",
			"line 3 has a character that is invisible or looks like a space (U+00A0); accepted: the line without it",
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

func TestEnvFileInAnotherEncoding(t *testing.T) {
	t.Parallel()
	large := written(t, "env", strings.Repeat("# not a configuration\n", 4000))
	if _, err := config.Environ(nil, large, true); err == nil || err.Error() != "env file "+large+" has more than 65536 bytes" {
		t.Errorf("of a large file: %v", err)
	}
	for name, test := range map[string]struct{ content, want string }{
		"UTF-16, little-endian": {"\xff\xfeA\x00=\x001\x00", "it is not UTF-8, but probably UTF-16; save it as UTF-8"},
		"UTF-16, big-endian":    {"\xfe\xff\x00A\x00=\x001", "it is not UTF-8, but probably UTF-16; save it as UTF-8"},
		"UTF-16 without a BOM":  {"A\x00=\x001\x00", "it is not UTF-8, but probably UTF-16; save it as UTF-8"},
		"Latin-1":               {"G=M\xfcnchen\n", "it is not UTF-8; save it as UTF-8"},
	} {
		path := written(t, "env", test.content)
		if _, err := config.Environ(nil, path, true); err == nil || err.Error() != "env file "+path+": "+test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// TestSingleQuotesKeepEverything: they are the remedy that every error names.
func TestSingleQuotesKeepEverything(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"$VIP Macs only", "${GROUP}", "Macs #1 encrypted", `Say "hi"`, ` x `, "a=b", `C:\new`, "100 $", "# x", "München", "`x`", "$(x)", "!"} {
		got, err := config.Environ(nil, written(t, "env", "G='"+value+"'\n"), true)
		if err != nil || got.Variables["G"] != value {
			t.Errorf("'%s' is read as %q, %v", value, got.Variables["G"], err)
		}
	}
}

// FuzzValue: a value is read unchanged, or up to a comment, or refused.
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
