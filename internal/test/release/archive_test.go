package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/repository"
)

func TestMain(m *testing.M) {
	if err := repository.Enter(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// ofCommit is the time of the files.
func ofCommit() time.Time { return time.Unix(1_767_225_600, 0).UTC() }

// fill makes a folder as `make release` does before it archives: a program and a text, with modes and times of this machine.
func fill(t *testing.T, names []string, program, text os.FileMode, at time.Time) string {
	t.Helper()
	parent := t.TempDir()
	for _, name := range names {
		path, mode := filepath.Join(parent, name), text
		if strings.HasSuffix(name, "/program") {
			mode = program
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(path, []byte(name), 0o600), os.Chmod(path, mode), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	return parent
}

// archived returns the bytes of the archive of a folder.
func archived(t *testing.T, parent, folder string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "archive")
	if err := archive(parent, folder, file, ofCommit()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// entries lists an archive: mode, time, owner and name of each entry.
func entries(t *testing.T, zipped []byte) []tar.Header {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	var all []tar.Header
	for reader := tar.NewReader(plain); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, *header)
	}
}

// Neither the order in which files were made, nor their modes (the umask) and times change the archive; contents, names and
// the execute bit do.
func TestArchiveIsReproducible(t *testing.T) {
	t.Parallel()
	names := []string{"v1/README.md", "v1/docs/page.md", "v1/program"}
	first := archived(t, fill(t, names, 0o755, 0o644, time.Unix(1, 0)), "v1")
	slices.Reverse(names)
	if second := archived(t, fill(t, names, 0o700, 0o600, time.Unix(2_000_000, 0)), "v1"); !bytes.Equal(first, second) {
		t.Error("other modes and times make another archive")
	}
	if other := archived(t, fill(t, names, 0o644, 0o644, time.Unix(1, 0)), "v1"); bytes.Equal(first, other) {
		t.Error("a program that cannot be executed makes the same archive")
	}
	if other := archived(t, fill(t, append(names, "v1/more"), 0o755, 0o644, time.Unix(1, 0)), "v1"); bytes.Equal(first, other) {
		t.Error("one more file makes the same archive")
	}

	var got []string
	for _, header := range entries(t, first) {
		got = append(got, header.FileInfo().Mode().String()+" "+header.Name)
		if !header.ModTime.Equal(ofCommit()) || header.Uid != 0 || header.Gid != 0 || header.Uname != "" || header.Gname != "" {
			t.Errorf("%s has time %s and owner %d:%d %q:%q, want %s and root without a name", header.Name, header.ModTime, header.Uid, header.Gid, header.Uname, header.Gname, ofCommit())
		}
	}
	want := []string{"drwxr-xr-x v1/", "-rw-r--r-- v1/README.md", "drwxr-xr-x v1/docs/", "-rw-r--r-- v1/docs/page.md", "-rwxr-xr-x v1/program"}
	if !slices.Equal(got, want) {
		t.Errorf("the archive has %q, want %q", got, want)
	}
}

// A link would have another content at the reader's.
func TestArchiveRefusesLinks(t *testing.T) {
	t.Parallel()
	parent := fill(t, []string{"v1/program"}, 0o755, 0o644, ofCommit())
	if err := os.Symlink("/etc/hostname", filepath.Join(parent, "v1/link")); err != nil {
		t.Fatal(err)
	}
	if err := archive(parent, "v1", filepath.Join(t.TempDir(), "archive"), ofCommit()); err == nil || !strings.Contains(err.Error(), "v1/link") {
		t.Errorf("archive = %v, want an error that names v1/link", err)
	}
}

// The list has every file once, and not itself and its signature of an earlier run.
func TestSums(t *testing.T) {
	t.Parallel()
	dist := t.TempDir()
	if err := writeSums(dist); err == nil {
		t.Error("an empty folder gets a list")
	}
	for name, content := range map[string]string{"b.deb": "b", "a.tar.gz": "a", sums: "old", sums + ".sig": "old"} {
		if err := os.WriteFile(filepath.Join(dist, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeSums(dist); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dist, sums))
	if err != nil {
		t.Fatal(err)
	}
	const want = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  a.tar.gz\n" +
		"3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d  b.deb\n"
	if string(got) != want {
		t.Errorf("the list is\n%swant\n%s", got, want)
	}
	if err := os.Mkdir(filepath.Join(dist, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeSums(dist); err == nil || !strings.Contains(err.Error(), "folder") {
		t.Errorf("writeSums = %v, want an error that names the folder", err)
	}
}

// What is missing is an error that names it; nothing is made up.
func TestArguments(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"nothing":       {nil, "release archive -version"},
		"no such":       {[]string{"publish", folder}, `"publish" with 1 arguments`},
		"no folder":     {[]string{"sums"}, "release sums DIST"},
		"no version":    {[]string{"archive", "-time", "1", "-url", "https://example.com", folder, folder}, "-version"},
		"no time":       {[]string{"archive", "-version", "v1", "-url", "https://example.com", folder, folder}, "SOURCE_DATE_EPOCH"},
		"an empty time": {[]string{"archive", "-version", "v1", "-time", "", "-url", "https://example.com", folder, folder}, "-time"},
		"no URL":        {[]string{"archive", "-version", "v1", "-time", "1", folder, folder}, "-url"},
		"no archives":   {[]string{"archive", "-version", "v1", "-time", "1", "-url", "https://example.com", folder, folder}, "PLATFORMS lacks darwin/arm64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := run(t.Context(), row.args, checker{io.Discard, nil}); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("run(%q) = %v, want an error with %q", row.args, err, row.want)
			}
		})
	}
}
