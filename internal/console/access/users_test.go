package access_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/console/access"
)

// hashFor is a hash that nobody knows a password of.
func hashFor(version string, cost int) string {
	return fmt.Sprintf("$%s$%02d$%s", version, cost, strings.Repeat("a", 53))
}

// Whatever is no line of htpasswd -B is refused, with its line, and without what it has.
func TestParseUsers(t *testing.T) {
	t.Parallel()
	good := hashFor("2y", 10)
	for name, test := range map[string]struct {
		text, wrong string
		people      int
	}{
		"one":               {"ada:" + good + "\n", "", 1},
		"all versions":      {"a:" + hashFor("2a", 12) + "\nb:" + hashFor("2b", 14) + "\nc:" + hashFor("2y", 10), "", 3},
		"comments":          {"# people\n\nada:" + good + "\r\n  \n#bob:x\n", "", 1},
		"a BOM":             {"\ufeffada:" + good + "\n", "", 1},
		"letters":           {"Zoë Ångström@example.com:" + good, "", 1},
		"empty":             {"", "nobody is in it", 0},
		"comments alone":    {"# nobody\n", "nobody is in it", 0},
		"no colon":          {"ada:" + good + "\nada\n", "line 2: there is no colon", 0},
		"no name":           {":" + good, "line 1: the name is empty", 0},
		"twice":             {"ada:" + good + "\n\nada:" + good, "line 3: the same name as in line 1", 0},
		"a space":           {" ada:" + good, "line 1: the name has a space at an end", 0},
		"a control":         {"a\x1bda:" + good, "cannot be seen", 0},
		"right to left":     {"a\u202eda:" + good, "cannot be seen", 0},
		"no UTF-8":          {"a\xffda:" + good, "not UTF-8", 0},
		"a long name":       {strings.Repeat("a", 129) + ":" + good, "more than 128 bytes", 0},
		"plain text":        {"ada:Pa55word!", "line 1: the password is not hashed with bcrypt", 0},
		"no password":       {"ada:", "not hashed with bcrypt", 0},
		"MD5":               {"ada:$apr1$Pa55word$aaaaaaaaaaaaaaaaaaaaaa", "not hashed with bcrypt", 0},
		"SHA-1":             {"ada:{SHA}Pa55wordPa55wordPa55wordPa5=", "not hashed with bcrypt", 0},
		"crypt":             {"ada:Pa55word.....", "not hashed with bcrypt", 0},
		"SHA-512":           {"ada:$6$Pa55word$aaaa", "not hashed with bcrypt", 0},
		"2x":                {"ada:" + hashFor("2x", 10), "not hashed with bcrypt", 0},
		"2":                 {"ada:" + hashFor("2", 10), "not hashed with bcrypt", 0},
		"a longer hash":     {"ada:" + good + "a", "not hashed with bcrypt", 0},
		"more fields":       {"ada:" + good + ":Pa55word", "not hashed with bcrypt", 0},
		"too slow":          {"ada:" + hashFor("2y", 15), "the cost 15; accepted: 4 to 14", 0},
		"much too slow":     {"ada:" + hashFor("2y", 31), "the cost 31", 0},
		"no cost":           {"ada:" + hashFor("2y", 3), "line 1: the", 0},
		"too many":          {many(1001), "line 1001: there are more than 1000", 0},
		"as many as may be": {many(1000), "", 1000},
		"too large":         {strings.Repeat("#"+strings.Repeat("x", 1023)+"\n", 257), "more than 262144 bytes", 0},
	} {
		users, err := access.ParseUsers([]byte(test.text))
		switch {
		case test.wrong == "" && (err != nil || users.Len() != test.people):
			t.Errorf("%s: %v, want %d people", name, err, test.people)
		case test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)):
			t.Errorf("%s: %v, want %q", name, err, test.wrong)
		case err != nil && (strings.Contains(err.Error(), "Pa55word") || strings.Contains(err.Error(), "aaaa") || strings.Contains(err.Error(), "ada")):
			t.Errorf("%s: the error shows the line: %v", name, err)
		}
	}
}

func many(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "user%d:%s\n", i, hashFor("2y", 10))
	}
	return text.String()
}

// A hash that is fast to try, and a file that everybody can read, are warnings.
func TestUsersWarnings(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users")
	for _, test := range []struct {
		cost int
		mode os.FileMode
		want []string
	}{
		{12, 0o600, nil},
		{5, 0o600, []string{"line 1: the hash has the cost 5"}},
		{12, 0o644, []string{"every user of this machine can read"}},
		{12, 0o640, nil},
	} {
		if err := os.WriteFile(path, []byte("ada:"+hashFor("2y", test.cost)+"\nbob:"+hashFor("2y", test.cost)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, test.mode); err != nil {
			t.Fatal(err)
		}
		users, err := access.LoadUsers(path)
		if err != nil {
			t.Fatal(err)
		}
		got := users.Warnings()
		if len(got) != len(test.want) || len(got) > 0 && !strings.HasPrefix(got[0], test.want[0]) {
			t.Errorf("cost %d, mode %o: %q, want %q", test.cost, test.mode, got, test.want)
		}
	}
	if _, err := access.LoadUsers(path + ".missing"); err == nil || strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: %v", err)
	}
}

func FuzzParseUsers(f *testing.F) {
	for _, text := range []string{"ada:" + hashFor("2y", 10), "a:b", ":", "#\n\n", "\ufeff", "ada:$2y$10$\n", "a:$2y$99$" + strings.Repeat("a", 53)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		users, err := access.ParseUsers(text)
		if (err == nil) != (users != nil) || err == nil && (users.Len() == 0 || users.Len() > 1000) {
			t.Errorf("%q: %v, %v", text, users, err)
		}
	})
}
