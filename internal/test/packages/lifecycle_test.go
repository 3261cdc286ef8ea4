//go:build packages && linux

package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	unitName = name + ".service"
	ours     = "C02XK1JKLVCG"
	unknown  = "C02UNKNOWN00"
	hook     = "3f0c6c1e-1f6e-4a52-9d33-000000000001"
)

// format is a kind of package, with the commands of its system.
type format struct {
	name           string
	install        string // of the file; docs/packages/README.md has the same
	upgrade        string
	remove, purge  string
	first, changed string // files: a version, and another one that has the same program and another posture.yaml
	next           string // the version after these
}

func testDeb(t *testing.T, made *packages) {
	m := start(t)
	const apt = "apt-get install --yes -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "
	testLifecycle(t, m, format{
		name:    "deb",
		install: "apt-get install --yes ", upgrade: apt,
		remove: "apt-get remove --yes " + name, purge: "apt-get purge --yes " + name,
		first: made.file(t, "0.0.1-1_"+runtime.GOARCH+".deb"), changed: repacked(t, made.file(t, "0.0.1-1_"+runtime.GOARCH+".deb")), next: made.file(t, "0.0.2-1_"+runtime.GOARCH+".deb"),
	})
}

func testRPM(t *testing.T, made *packages) {
	m := start(t)
	// Debian's rpm wants to be told that rpm is meant; the packages that ours needs are there as Debian's.
	const rpm = "rpm --force-debian --nodeps "
	first := made.file(t, "0.0.1-1."+rpmArch()+".rpm")
	testLifecycle(t, m, format{
		name:    "rpm",
		install: rpm + "--install ", upgrade: rpm + "--upgrade --replacepkgs ",
		remove: rpm + "--erase " + name,
		first:  first, changed: first, next: made.file(t, "0.0.2-1."+rpmArch()+".rpm"),
	})
}

// testLifecycle installs a package, configures and starts the service as the documents say, upgrades, removes and purges it.
func testLifecycle(t *testing.T, m *machine, f format) {
	clean := m.files(t)

	said := m.run(t, f.install+m.copyIn(t, f.first))
	if n := strings.Count(said, "systemctl enable --now "+name); n != 1 {
		t.Errorf("the installation says %d times what to do next, want once:\n%s", n, said)
	}
	installed := m.files(t).since(t, clean)
	installed.want(t, f.name+"-installed")
	wantDocumented(t, installed, f.name)
	m.wantIdle(t, "after the installation")
	m.run(t, "man_page=/usr/share/man/man1/"+name+".1.gz; test -s $man_page && "+name+" version && systemd-analyze verify "+unitName)
	// Without a configuration it does not start, and not because of the package.
	if out, err := m.try(t, "systemctl start "+name); err == nil {
		t.Errorf("the service starts without a configuration: %s", out)
	}
	m.run(t, "systemctl stop "+name)
	m.run(t, f.upgrade+m.copyIn(t, f.changed))
	m.wantIdle(t, "after an upgrade without a configuration")

	kept := m.configure(t)
	pid := m.wantServing(t, "0.0.1")
	m.wantSandboxed(t, pid)
	m.files(t).since(t, clean).want(t, f.name+"-running")

	said = m.run(t, f.upgrade+m.copyIn(t, f.next))
	if strings.Contains(said, "enable --now") {
		t.Errorf("the upgrade says what to do after an installation:\n%s", said)
	}
	for path, text := range kept {
		if got := m.read(t, path); got != text {
			t.Errorf("the upgrade has changed %s to\n%s", path, got)
		}
	}
	if after := m.wantServing(t, "0.0.2"); after == pid {
		t.Error("the upgrade has not restarted the service")
	}
	m.files(t).since(t, clean).want(t, f.name+"-upgraded")

	m.run(t, f.remove)
	if out, err := m.try(t, "systemctl is-active "+name); err == nil {
		t.Errorf("the service runs after the package was removed: %s", out)
	}
	m.files(t).since(t, clean).want(t, f.name+"-removed")
	if f.purge == "" {
		return
	}
	m.run(t, f.purge)
	m.files(t).since(t, clean).want(t, f.name+"-purged")
}

// configure puts the files of an administrator into place, and follows docs/packages/README.md literally. It returns the
// files that no upgrade may change.
func (m *machine) configure(t *testing.T) map[string]string {
	t.Helper()
	certificate, key := serverCertificate(t)
	etc := folder + "/"
	m.put(t, etc+"server.crt", certificate, 0o644)
	m.put(t, etc+"server.key", key, 0o600)
	m.put(t, etc+"webhook_secrets", []byte(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("signing secret! ", 4)))+"\n"), 0o644)
	m.put(t, etc+"devices.csv", []byte("Identifier,Managed\n"+ours+",1\n"), 0o644)
	env := m.read(t, etc+"env")
	edited := strings.Replace(env, "\nWEBHOOK_IDS=\n", "\nWEBHOOK_IDS="+hook+"\n", 1)
	if edited == env {
		t.Fatal("the environment file has no empty WEBHOOK_IDS")
	}
	m.put(t, etc+"env", []byte(edited), 0o600)
	rules := m.read(t, etc+"posture.yaml") + "# Changed here.\n"
	m.put(t, etc+"posture.yaml", []byte(rules), 0o640)

	for _, script := range scripts(t, "## First start") {
		m.run(t, script)
	}
	return map[string]string{etc + "env": edited, etc + "posture.yaml": rules}
}

// scripts returns the shell scripts of a section of the README of the packages.
func scripts(t *testing.T, heading string) []string {
	t.Helper()
	text, err := os.ReadFile("docs/packages/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n"+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var found []string
	for _, match := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(section, -1) {
		found = append(found, match[1])
	}
	if len(found) == 0 {
		t.Fatalf("docs/packages/README.md has no script under %q", heading)
	}
	return found
}

func (m *machine) wantIdle(t *testing.T, when string) {
	t.Helper()
	out := m.run(t, "systemctl is-active "+name+" || :; systemctl is-enabled "+name+" || :")
	if out != "inactive\ndisabled\n" {
		t.Errorf("%s the service is %q, want inactive and disabled", when, out)
	}
}

// wantServing wants a service that is ready, in a version, and knows its devices. It returns the process.
func (m *machine) wantServing(t *testing.T, version string) string {
	t.Helper()
	if out, err := m.try(t, "systemctl is-active "+name); err != nil {
		log, _ := m.try(t, "journalctl --no-pager --unit "+name)
		t.Fatalf("the service is %s\n%s", out, log)
	}
	if code, text := m.get(t, "/readyz"); code != http.StatusOK {
		t.Errorf("/readyz answers %d: %s", code, text)
	}
	if _, text := m.get(t, "/metrics"); !strings.Contains(text, `version="v`+version+`"`) {
		t.Errorf("/metrics names no version %s", version)
	}
	const asRoot = "cd " + folder + "; ENV_FILE=env step-posture-connector lookup "
	if code, out := m.status(t, asRoot+ours); code != 0 {
		t.Errorf("lookup of a device of the inventory exits with %d: %s", code, out)
	}
	if code, out := m.status(t, asRoot+unknown); code != 2 { // Deny.
		t.Errorf("lookup of another device exits with %d, want 2: %s", code, out)
	}
	return strings.TrimSpace(m.run(t, "systemctl show --property MainPID --value "+name))
}

// wantSandboxed compares the process with what the unit promises.
func (m *machine) wantSandboxed(t *testing.T, pid string) {
	t.Helper()
	status := m.run(t, "cat /proc/"+pid+"/status; ls -ln /proc/"+pid+"/ns/user /proc/1/ns/user")
	for _, want := range []string{`(?m)^CapEff:\t0+$`, `(?m)^CapBnd:\t0+$`, `(?m)^NoNewPrivs:\t1$`, `(?m)^Seccomp:\t2$`, `(?m)^Uid:\t(6[1-5]\d{3})\t`} {
		if !regexp.MustCompile(want).MatchString(status) {
			t.Errorf("the process of the service has no %s:\n%s", want, status)
		}
	}
	// What it reads while it runs, and what it must not read; in its own view of the files.
	out := m.run(t, "nsenter --target "+pid+" --mount -- sh -c 'touch /etc/x /usr/x /var/lib/x 2>&1 || :'")
	if strings.Count(out, "Read-only file system") != 3 { // As many as above.
		t.Errorf("the service can write outside of its folders: %s", out)
	}
}

// get asks the health listener, which is on the loopback address of the system.
func (m *machine) get(t *testing.T, path string) (code int, text string) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DialContext: m.dial}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:9444"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	const most = 1 << 20
	body, err := io.ReadAll(io.LimitReader(answer.Body, most))
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// dial connects in the network of the system. The thread that has been there is not used again: it ends with its goroutine.
func (m *machine) dial(ctx context.Context, network, address string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		there, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", m.pid))
		if err == nil {
			defer there.Close()
			err = unix.Setns(int(there.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			done <- result{err: err}
			return
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// repacked returns the next revision of a Debian package, with another posture.yaml.
func repacked(t *testing.T, deb string) string {
	t.Helper()
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	host(t, stepTime, "dpkg-deb", "--raw-extract", deb, whole)
	change := func(path string, edit func(string) string) {
		path = filepath.Join(whole, path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// In place, so that owner and mode stay.
		if err := os.WriteFile(path, []byte(edit(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change("DEBIAN/control", func(s string) string { return strings.Replace(s, "Version: 0.0.1-1\n", "Version: 0.0.1-2\n", 1) })
	change(folder+"/posture.yaml", func(s string) string { return s + "# Changed in the package.\n" })
	if err := os.Remove(filepath.Join(whole, "DEBIAN/md5sums")); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, name+"_0.0.1-2.deb")
	host(t, stepTime, "dpkg-deb", "--build", "-Zgzip", "-z1", whole, out)
	return out
}
