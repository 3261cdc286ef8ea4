package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"step-posture-connector/internal/store"
)

const secret = "hunter2-Xq"

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ text, want string }{
		{"sqlite:/var/lib/step-posture-connector/state.db", "sqlite:/var/lib/step-posture-connector/state.db"},
		{"sqlite:/var/lib/../lib/state.db", "sqlite:/var/lib/state.db"},
		{"sqlite:/with space/state.db", "sqlite:/with space/state.db"},
		{"postgres://u:" + secret + "@db.example.com/posture", "PostgreSQL at db.example.com:5432/posture"},
		{"postgresql://u:" + secret + "@db.example.com:6432/posture?sslmode=require", "PostgreSQL at db.example.com:6432/posture"},
		{"postgres://u:" + secret + "@[::1]:5432/posture?sslmode=disable", "PostgreSQL at [::1]:5432/posture"},
		{"postgres://u:" + secret + "@127.0.0.1/posture", "PostgreSQL at 127.0.0.1:5432/posture"},
		{"postgres://u:" + secret + "@a.example.com,b.example.com:6432/posture?target_session_attrs=read-write", "PostgreSQL at a.example.com:5432,b.example.com:6432/posture"},
		{"postgres:///posture?host=/var/run/postgresql&user=u&password=" + secret, "PostgreSQL at /var/run/postgresql:5432/posture"},
		{"postgres://u:a%40" + secret + "@db.example.com/posture?search_path=posture&application_name=pc&connect_timeout=5", "PostgreSQL at db.example.com:5432/posture"},
	} {
		u, err := store.ParseURL(row.text)
		if err != nil || u.String() != row.want || u.IsSQLite() != strings.HasPrefix(row.text, "sqlite:") || u.IsSQLite() && "sqlite:"+u.Path() != row.want || !u.IsSQLite() && u.Path() != "" {
			t.Errorf("ParseURL(%q) = %v, %v, want %q", row.text, u, err, row.want)
		}
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			if shown := fmt.Sprintf(format, u); strings.Contains(shown, secret) || strings.Contains(shown, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s shows the password: %s", format, shown)
			}
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"sqlite:/state.db":                                    "",
		"postgres://u@db.example.com/posture":                 "",
		"postgres://u@127.0.0.1/posture":                      "",
		"postgres://u@127.0.0.1/posture?sslmode=disable":      "",
		"postgres://u@db.example.com/posture?sslmode=disable": "is not encrypted",
		"postgres://u@db.example.com/posture?sslmode=require": "is not verified",
	} {
		if warnings := strings.Join(parse(t, text).Warnings(), "\n"); !strings.Contains(warnings, want) || want == "" && warnings != "" {
			t.Errorf("the warnings of %s are %q, want %q", text, warnings, want)
		}
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	t.Parallel()
	const all = "accepted: sqlite:/path/of/a/file, or postgres://user:password@host/database"
	for _, row := range []struct{ text, want string }{
		{"", all},
		{"/var/lib/state.db", all},
		{"file:/var/lib/state.db", all},
		{"mysql://u:" + secret + "@db.example.com/posture", all},
		{secret, all},
		{"sqlite:", all},
		{"sqlite:state.db", all},
		{"sqlite::memory:", "would not outlive the daemon; " + all},
		{"sqlite:///var/lib/state.db", all},
		{"sqlite://state.db", all},
		{"sqlite:/var/lib/state.db?mode=memory", all},
		{"sqlite:/var/lib/", "that of a folder; " + all},
		{"sqlite:/", all},
		{"sqlite:/var/lib/state.db\n", "a line break; " + all},
		{"sqlite:/" + strings.Repeat("a", 5000), "too long; " + all},
		{"postgres://db.example.com/posture", "it has no user; " + all},
		{"postgres://u:" + secret + "@/posture", "it has no host; " + all},
		{"postgres://u:" + secret + "@db.example.com", "it has no database; " + all},
		{"postgres://u:" + secret + "@db.example.com/", "it has no database; " + all},
		{"postgres://u:" + secret + "@db.example.com:port/posture", all},
		{"postgres://u:" + secret + "#1@db.example.com/posture", "written as %XX"},
		{"postgres://u:" + secret + "%@db.example.com/posture", "written as %XX"},
		{"postgres:u:" + secret + "@db.example.com/posture", "written as %XX"},
		{"postgres://u:" + secret + "@db.example.com/posture?sslmode=prefer", "falls back to an unencrypted connection"},
		{"postgres://u:" + secret + "@db.example.com/posture?sslmode=" + secret, "its sslmode is not known"},
		{"postgres://u:" + secret + "@db.example.com/posture?sslmode=disable&sslrootcert=/ca.pem", "verifies nothing"},
		{"postgres://u:" + secret + "@db.example.com/posture?sslrootcert=/missing/" + secret, "its sslrootcert names a file that cannot be read: no such file or directory; accepted: "},
		{"postgres://u:" + secret + "@db.example.com/posture?sslrootcert=url_test.go", "its sslrootcert names a file without a certificate; accepted: "},
		{"postgres://u:" + secret + "@db.example.com/posture?sslrootcert=/dev/null", "its sslrootcert names a file that cannot be read: it is a pipe or a device"},
		{"postgres://u:" + secret + "@db.example.com/posture?options=-csynchronous_commit%3Doff", "a parameter that is not accepted"},
		{"postgres://u:" + secret + "@db.example.com/posture?passfile=/etc/passwd", "a parameter that is not accepted"},
		{"postgres://u:" + secret + "@db.example.com/posture?password=" + secret, "it has password twice"},
		{"postgres://u:" + secret + "@db.example.com/posture?target_session_attrs=standby", "the state needs the primary server"},
	} {
		u, err := store.ParseURL(row.text)
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("ParseURL(%q) = %v, %v, want %q", row.text, u, err, row.want)
		}
	}
}

// TestFileThatIsRefused: what prevents that the file is used is an error at start, which says what it is.
func TestFileThatIsRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		make    func(path string) error
		daemon  string // empty: it is used
		command string
	}{
		{"a folder", func(p string) error { return os.Mkdir(p, 0o700) }, "it is a folder, want a file", "it is a folder, want a file"},
		{"a link to nothing", func(p string) error { return os.Symlink("missing", p) }, "a symbolic link to a file that does not exist", "a symbolic link to a file that does not exist"},
		{"a pipe", func(p string) error { return syscall.Mkfifo(p, 0o600) }, "a pipe or a device", "a pipe or a device"},
		{"no database", func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("no database\n", 100)), 0o600) }, "it is no database", "it is no database"},
		{"no folder", func(p string) error { return os.Remove(filepath.Dir(p)) }, "its folder does not exist", "its folder does not exist"},
		{"no file", func(string) error { return nil }, "", "it does not exist; start the daemon once"},
		{"an empty file", func(p string) error { return os.WriteFile(p, nil, 0o600) }, "", "its tables do not exist; start the daemon once"},
	} {
		folder := filepath.Join(t.TempDir(), "folder")
		path := filepath.Join(folder, "state.db")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := row.make(path); err != nil {
			t.Fatal(err)
		}
		u := parse(t, "sqlite:"+path)
		before := listing(t, folder)
		refuses(t, row.name, store.OpenCommand, u, row.command)
		if after := listing(t, folder); after != before {
			t.Errorf("%s: the command left %q, before there was %q", row.name, after, before)
		}
		refuses(t, row.name, store.OpenDaemon, u, row.daemon)
	}
}

func listing(t testing.TB, folder string) (names string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		names += e.Name() + " "
	}
	return names
}

func refuses(t *testing.T, name string, open func(context.Context, store.URL) (*store.DB, error), u store.URL, want string) {
	t.Helper()
	d, err := open(t.Context(), u)
	if err == nil {
		_ = d.Close()
	}
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), u.Path())) {
		t.Errorf("%s: open = %v, want %q and the path", name, err, want)
	}
}
