//go:build packages && linux

package main

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"debug/elf"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/testca"
)

var ready = flag.String("made", "", "folder with packages v0.0.1 and v0.0.2 of these sources, to make none") //nolint:gochecknoglobals // A flag of the test.

const buildTime = 30 * time.Minute

// packages are those of two versions of the same sources, in a folder of the test.
type packages struct{ dir string }

func (p *packages) file(t *testing.T, end string) string {
	t.Helper()
	for _, separator := range []string{"_", "-"} {
		path := filepath.Join(p.dir, name+separator+end)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatalf("no package ends with %s", end)
	return ""
}

// TestPackages makes packages of two versions, and does with them what users do. The parts share what was made.
func TestPackages(t *testing.T) {
	needTools(t)
	made := &packages{*ready}
	if *ready == "" {
		made.dir = t.TempDir()
		makePackages(t, made.dir, "v0.0.1", "amd64 arm64")
		makePackages(t, made.dir, "v0.0.2", runtime.GOARCH)
	}
	t.Run("the same bytes again", func(t *testing.T) { testReproducible(t, made) })
	t.Run("architectures", func(t *testing.T) { testArchitectures(t, made) })
	t.Run("lintian", func(t *testing.T) { testLintian(t, made) })
	t.Run("man page", func(t *testing.T) { testManPage(t, made) })
	t.Run("rpm has the files of deb", func(t *testing.T) { testSameFiles(t, made) })
	t.Run("deb", func(t *testing.T) { testDeb(t, made) })
	t.Run("rpm", func(t *testing.T) { testRPM(t, made) })
}

// makePackages runs make, and moves what it has made.
func makePackages(t *testing.T, to, version, architectures string) {
	t.Helper()
	dir := t.TempDir()
	host(t, buildTime, "make", "--no-print-directory", "packages", "VERSION="+version, "COMMIT=", "DIST="+dir, "ARCHITECTURES="+architectures)
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if want := 2 * len(strings.Fields(architectures)); err != nil || len(paths) != want {
		t.Fatalf("make packages has made %q, want %d packages", paths, want)
	}
	for _, path := range paths {
		if err := os.Rename(path, filepath.Join(to, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
}

// testReproducible makes packages again, and compares them byte by byte.
func testReproducible(t *testing.T, made *packages) {
	again := &packages{t.TempDir()}
	makePackages(t, again.dir, "v0.0.2", runtime.GOARCH)
	for _, end := range []string{"0.0.2-1_" + runtime.GOARCH + ".deb", "0.0.2-1." + rpmArch() + ".rpm"} {
		if !bytes.Equal(contents(t, made.file(t, end)), contents(t, again.file(t, end))) {
			t.Errorf("%s has other bytes when it is made again", end)
		}
	}
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func rpmArch() string {
	return map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
}

// testArchitectures wants in each package a static program for its processor.
func testArchitectures(t *testing.T, made *packages) {
	for end, want := range map[string]elf.Machine{
		"0.0.1-1_amd64.deb": elf.EM_X86_64, "0.0.1-1_arm64.deb": elf.EM_AARCH64,
		"0.0.1-1.x86_64.rpm": elf.EM_X86_64, "0.0.1-1.aarch64.rpm": elf.EM_AARCH64,
	} {
		program, err := elf.Open(filepath.Join(unpacked(t, made.file(t, end)), "usr/bin", name))
		if err != nil {
			t.Fatal(err)
		}
		libraries, err := program.ImportedLibraries()
		if program.Machine != want || err != nil || len(libraries) > 0 {
			t.Errorf("%s has a program for %s with the libraries %q (%v), want %s and none", end, program.Machine, libraries, err, want)
		}
		_ = program.Close()
	}
}

// unpacked returns a folder with the files of a package.
func unpacked(t *testing.T, path string) string {
	t.Helper()
	dir := t.TempDir()
	if strings.HasSuffix(path, ".deb") {
		host(t, stepTime, "dpkg-deb", "--extract", path, dir)
	} else {
		// The names in an rpm begin with a slash: without the option they would be files of this machine.
		host(t, stepTime, "sh", "-e", "-c", `cd "$2"; rpm2cpio "$1" | cpio --extract --make-directories --no-absolute-filenames --quiet`, "sh", path, dir)
	}
	return dir
}

func testLintian(t *testing.T, made *packages) {
	for _, arch := range architectures() {
		said := host(t, stepTime, "lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", made.file(t, "0.0.1-1_"+arch+".deb"))
		if strings.Contains(said, "unused-override") || strings.Contains(said, "malformed-override") {
			t.Errorf("lintian: an override is not needed:\n%s", said)
		}
	}
}

func testManPage(t *testing.T, made *packages) {
	page := filepath.Join(unpacked(t, made.file(t, "0.0.1-1_"+runtime.GOARCH+".deb")), "usr/share/man/man1", name+".1.gz")
	if said := host(t, stepTime, "mandoc", "-Tlint", "-Wwarning", page); said != "" {
		t.Errorf("mandoc: %s", said)
	}
	text := regexp.MustCompile(".\b").ReplaceAllString(host(t, stepTime, "mandoc", "-Tutf8", page), "")
	for _, want := range []string{"COMMANDS", "policy replay", "--policy-file", "WEBHOOK_SECRETS_FILE", "FILES", "0.0.1"} {
		if !strings.Contains(text, want) {
			t.Errorf("the man page lacks %q", want)
		}
	}
}

// testSameFiles compares the rpm with the deb: the same files with the same modes, except for those that each distribution
// has in a place of its own.
func testSameFiles(t *testing.T, made *packages) {
	own := regexp.MustCompile(`^/usr/share/(zsh|licenses|lintian)(/|$)|/(changelog(\.Debian)?\.gz|CHANGELOG\.md|copyright)$`)
	list := func(path string) table {
		m := &machine{root: unpacked(t, path)}
		found := table{}
		err := filepath.WalkDir(m.root, func(path string, entry os.DirEntry, err error) error {
			inside := strings.TrimPrefix(path, m.root)
			if err != nil || entry.IsDir() || own.MatchString(inside) {
				return err
			}
			info, err := entry.Info()
			if err == nil {
				found[inside] = info.Mode().String()
			}
			return err
		})
		if err != nil || len(found) < 20 { // Far fewer than there are.
			t.Fatalf("%s: %d files, %v", path, len(found), err)
		}
		return found
	}
	deb, rpm := list(made.file(t, "0.0.1-1_amd64.deb")), list(made.file(t, "0.0.1-1.x86_64.rpm"))
	if deb.String() != rpm.String() {
		t.Errorf("the deb has\n%s\nthe rpm has\n%s", deb, rpm)
	}
	path := made.file(t, "0.0.1-1.x86_64.rpm")
	listed := host(t, stepTime, "rpm", "--query", "--package", "--list", path)
	for file := range rpm {
		if !strings.Contains(listed, file+"\n") {
			t.Errorf("rpm does not list %s", file)
		}
	}
	if kept := host(t, stepTime, "rpm", "--query", "--package", "--configfiles", path); kept != folder+"/env\n"+folder+"/posture.yaml\n" {
		t.Errorf("configuration files of the rpm: %q", kept)
	}
	for _, script := range []string{"preinstall", "postinstall", "preuninstall", "postuninstall"} {
		if said := host(t, stepTime, "rpm", "--query", "--package", "--scripts", path); !strings.Contains(said, script+" scriptlet") {
			t.Errorf("the rpm has no %s", script)
		}
	}
}

// wantDocumented compares what an installation has made with the table of docs/packages/README.md.
func wantDocumented(t *testing.T, installed table, kind string) {
	t.Helper()
	documented := table{}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `([^`]+)` \\| `([^`]+)` \\| (deb, rpm|deb|rpm) \\|")
	for _, match := range row.FindAllStringSubmatch(string(contents(t, "docs/packages/README.md")), -1) {
		if strings.Contains(match[4], kind) {
			documented[match[1]] = match[2] + " " + match[3]
		}
	}
	shown := table{}
	for path, is := range installed {
		// Folders that other packages have too.
		if !strings.HasSuffix(path, "/") || strings.Contains(path, name) {
			shown[path] = is
		}
	}
	if documented.String() != shown.String() {
		t.Errorf("docs/packages/README.md has\n%s\nthe %s has\n%s", documented, kind, shown)
	}
}

// serverCertificate returns a certificate for localhost and its key, in PEM.
func serverCertificate(t *testing.T) (certificate, key []byte) {
	t.Helper()
	issued, signer := testca.New(t, "Test CA").Issue(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	return testca.PEM("CERTIFICATE", issued.Raw), testca.PEM("PRIVATE KEY", der)
}
