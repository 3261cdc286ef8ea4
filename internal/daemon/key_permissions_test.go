package daemon_test

import (
	"os"
	"path/filepath"
	"testing"
)

// A key that every user of the machine can read causes a warning; not one in a folder that is closed to them, nor one that
// Kubernetes has mounted, with the mode 0644 that it gives secrets.
func TestKeyReadableByAll(t *testing.T) {
	t.Parallel()
	in := install(t)
	mounted := filepath.Join(in.folder, "..2026_11_26")
	// As the folders of a machine are.
	chmod(t, filepath.Dir(in.folder), 0o755)
	chmod(t, in.folder, 0o755)
	for _, err := range []error{
		os.Mkdir(mounted, 0o700),
		os.Link(in.path("server.key"), filepath.Join(mounted, "tls.key")),
		os.Symlink(filepath.Join("..2026_11_26", "tls.key"), in.path("tls.key")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	chmod(t, mounted, 0o755)
	warned := []string{"TLS_KEY_PATH: every user of this machine can read the private key " + in.path("server.key") + "; chmod 640 or 600"}
	for _, test := range []struct {
		key, closed string
		mode        os.FileMode
		want        []string
	}{
		{"server.key", "", 0o644, warned},
		{"server.key", "", 0o640, nil},
		{"tls.key", "", 0o644, nil},
		{"server.key", in.folder, 0o644, nil},
	} {
		chmod(t, in.path("server.key"), test.mode)
		if test.closed != "" {
			chmod(t, test.closed, 0o700)
		}
		wantLines(t, "Warnings", in.loaded(t, map[string]string{"TLS_KEY_PATH": "DIR/" + test.key}).Warnings, test.want)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
