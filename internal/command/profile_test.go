package command_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/command"
	"step-posture-connector/internal/profile"
)

// rootFile writes the root of a CA.
func rootFile(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example Root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, "root_ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// The profile is on standard output, and nothing else; what the operator has to know is on standard error.
func TestProfile(t *testing.T) {
	t.Parallel()
	root := rootFile(t)
	absent := filepath.Join(t.TempDir(), "absent.crt")
	large := file(t, "large.crt", strings.Repeat("x", 64<<10+1))
	needed := []string{"--ca-url", "https://ca.example.com", "--provisioner", "acme", "--mdm", "jamf"}
	const (
		plist = `^<\?xml version="1\.0" encoding="UTF-8"\?>\n<!DOCTYPE plist (?s:.*)\n</plist>\n$`
		hint  = "\nTry 'step-posture-connector profile --help'\\.\n$"
	)
	for name, row := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string // regular expressions
	}{
		"without root": {nil, command.ExitOK, plist, `^upload it in Jamf Pro: [^\n]*\nJamf Pro replaces \$SERIALNUMBER by the serial number\nchoose [^\n]*\nno --root: [^\n]*\n$`},
		"all": {
			[]string{"--root", root, "--wifi-ssid", "Example", "--wifi-server", "radius.example.com", "--organization", "Example", "--identifier", "com.example.x"},
			command.ExitOK, plist, `^upload it in Jamf Pro: [^\n]*\n[^\n]*\nchoose [^\n]*\n$`,
		},
		"the variable":     {[]string{"--variable", "%Serial%"}, command.ExitOK, `<string>%Serial%</string>`, `\nJamf Pro has to replace %Serial% by the serial number\n`},
		"another MDM":      {[]string{"--mdm", "mosyle"}, command.ExitOK, `<string>%SerialNumber%</string>`, `\n%SerialNumber% was not found in a publication of Mosyle: `},
		"help":             {[]string{"--help"}, command.ExitOK, `^profile prints a \.mobileconfig(?s:.*)--mdm string +who installs the profile: jamf, intune, iru, fleet, mosyle, addigy, simplemdm\n`, `^$`},
		"an argument":      {[]string{"x"}, command.ExitUsage, `^$`, `^unknown command "x" for "step-posture-connector profile"` + hint},
		"a misspelled one": {[]string{"--wifi-sid", "x"}, command.ExitUsage, `^$`, `^unknown flag: --wifi-sid\n\nDid you mean this\?\n\t--wifi-ssid\n` + hint},
		"two problems":     {[]string{"--ca-url", "http://x", "--mdm", "\x1b[2J"}, command.ExitUsage, `^$`, `^--ca-url: "http://x" is not accepted; [^\n]*\n--mdm: "\\x1b\[2J" is not accepted; [^\n]*` + hint},
		"no network":       {[]string{"--wifi-ssid", ""}, command.ExitUsage, `^$`, `^--wifi-ssid: the name is empty; leave the flag out for a profile without Wi-Fi` + hint},
		"no root":          {[]string{"--root", absent}, command.ExitError, `^$`, `^--root: open ` + regexp.QuoteMeta(absent) + `: no such file or directory\n$`},
		"no path":          {[]string{"--root", ""}, command.ExitError, `^$`, `^--root: open : no such file or directory\n$`},
		"a large file":     {[]string{"--root", large}, command.ExitError, `^$`, `^--root: ` + regexp.QuoteMeta(large) + ` has more than 65536 bytes; accepted: a PEM file with one certificate, the root of the CA\n$`},
		"another file":     {[]string{"--root", emptyFile(t)}, command.ExitError, `^$`, `^--root: \S+ has no certificate in PEM; accepted: a PEM file with one certificate, the root of the CA\n$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, nil, slices.Concat([]string{"profile"}, needed, row.args)...)
			if code != row.code || !regexp.MustCompile(row.stdout).MatchString(stdout) || !regexp.MustCompile(row.stderr).MatchString(stderr) {
				t.Errorf("exit status %d\nstandard output %q\nstandard error %q\nwant %d, %s, %s", code, stdout, stderr, row.code, row.stdout, row.stderr)
			}
		})
	}
}

// Without flags every one that is needed is named.
func TestProfileOfNothing(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, nil, "profile")
	want := "--ca-url: not set; accepted: https://HOST or https://HOST:PORT of step-ca\n" +
		"--provisioner: not set; accepted: the name of step-ca's ACME provisioner\n" +
		"--mdm: not set; accepted: jamf, intune, iru, fleet, mosyle, addigy or simplemdm\n" +
		"Try 'step-posture-connector profile --help'.\n"
	if code != command.ExitUsage || stdout != "" || stderr != want {
		t.Errorf("exit status %d, standard output %q, standard error %q", code, stdout, stderr)
	}
}

// The command needs no configuration, not even one that can be loaded.
func TestProfileNeedsNoConfiguration(t *testing.T) {
	t.Parallel()
	args := []string{"profile", "--ca-url", "https://ca.example.com", "--provisioner", "acme", "--mdm", "iru"}
	_, want, _ := run(t, nil, args...)
	code, stdout, _ := run(t, []string{"PROVIDER=none", "PORT=x"}, args...)
	made, err := profile.Make(profile.Request{CAURL: "https://ca.example.com", Provisioner: "acme", MDM: "iru"})
	if code != command.ExitOK || stdout != want || err != nil || stdout != string(made.Text) {
		t.Errorf("exit status %d, standard output %q, want %q, %v", code, stdout, want, err)
	}
}

// A profile that could not be printed is an error: an empty file must not be uploaded.
func TestProfileIsNotPrinted(t *testing.T) {
	t.Parallel()
	var errs strings.Builder
	code := command.Run(t.Context(), command.Process{
		Args:   []string{"profile", "--ca-url", "https://ca.example.com", "--provisioner", "acme", "--mdm", "iru", "--env-file", emptyFile(t)},
		Stdout: brokenPipe{}, Stderr: &errs,
	})
	if code != command.ExitError || errs.String() != "the reader is gone\n" {
		t.Errorf("exit status %d, standard error %q", code, errs.String())
	}
}

// The shell completes the names of the MDMs.
func TestProfileCompletion(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	code := command.Run(t.Context(), command.Process{Args: []string{"__complete", "profile", "--mdm", ""}, Stdout: &out, Stderr: &errs})
	if want := strings.Join(profile.Names(), "\n") + "\n:4\n"; code != command.ExitOK || out.String() != want {
		t.Errorf("exit status %d, %q", code, out.String())
	}
}
