package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// shell runs commands as a person with another home would in a folder, for a minute at most: the next one too after one that failed.
func shell(t *testing.T, home, folder, command string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, "sh", "-c", command)
	run.Dir = folder
	// The agent of the developer is not asked.
	run.Env = append(os.Environ(), "SSH_AUTH_SOCK=", "HOME="+home)
	output, err := run.CombinedOutput()
	return string(output), err
}

// block returns the commands of docs/release.md in the block that contains a text.
func block(t *testing.T, containing string) string {
	t.Helper()
	page, err := os.ReadFile("docs/release.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		if strings.Contains(found[1], containing) {
			return found[1]
		}
	}
	t.Fatalf("docs/release.md has no commands with %q", containing)
	return ""
}

// The commands of docs/release.md sign and verify, with keys that are made for this test: the releaser's with a signature
// of `make sign`, and those of the person who verifies.
func TestSigning(t *testing.T) {
	t.Parallel()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	dist := filepath.Join(home, "dist")
	if err := errors.Join(os.Mkdir(dist, 0o700), os.Mkdir(filepath.Join(home, ".ssh"), 0o700)); err != nil {
		t.Fatal(err)
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dist, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must := func(folder, command string) {
		t.Helper()
		if output, err := shell(t, home, folder, command); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, output)
		}
	}
	write("archive.tar.gz", "the program")
	if err := writeSums(dist); err != nil {
		t.Fatal(err)
	}

	must(home, strings.Replace(block(t, "ssh-keygen -t"), "ssh-keygen", "ssh-keygen -q -N ''", 1))
	must(home, `ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/other"`)
	sign := func(command string) {
		t.Helper()
		must(root, `rm -f "$HOME/dist/SHA256SUMS.sig"; `+strings.TrimSpace(command)+` DIST="$HOME/dist"`)
	}
	sign(block(t, "make sign"))
	must(dist, block(t, "> allowed_signers"))

	verify := block(t, "-Y verify")
	verified := func(t *testing.T, want string) {
		t.Helper()
		output, err := shell(t, home, dist, verify)
		if (err == nil) != (want == "") || !strings.Contains(output, want) {
			t.Errorf("verifying ended with %v, want an error: %t, with %q; it printed\n%s", err, want != "", want, output)
		}
	}
	verified(t, "")
	for _, row := range []struct {
		name, file, content, want string
	}{
		{"changed list", sums, strings.Repeat("0", 64) + "  archive.tar.gz\n", "incorrect signature"},
		{"changed archive", "archive.tar.gz", "another program", "archive.tar.gz: FAILED"},
	} {
		t.Run(row.name, func(t *testing.T) {
			before, err := os.ReadFile(filepath.Join(dist, row.file))
			if err != nil {
				t.Fatal(err)
			}
			write(row.file, row.content)
			verified(t, row.want)
			write(row.file, string(before))
			verified(t, "")
		})
	}
	// Whoever replaces an archive replaces the list too, and cannot sign it.
	t.Run("changed archive and list", func(t *testing.T) {
		before, err := os.ReadFile(filepath.Join(dist, sums))
		if err != nil {
			t.Fatal(err)
		}
		write("archive.tar.gz", "another program")
		if err := writeSums(dist); err != nil {
			t.Fatal(err)
		}
		verified(t, "incorrect signature")
		write("archive.tar.gz", "the program")
		write(sums, string(before))
		verified(t, "")
	})
	t.Run("other key", func(t *testing.T) {
		sign(`make sign KEY="$HOME/.ssh/other"`)
		verified(t, "Could not verify signature")
	})
	// A key that signs other things too, such as commits: such a signature is not one of a release.
	t.Run("other purpose", func(t *testing.T) {
		sign(`make sign NAME=git KEY="$HOME/.ssh/release_ed25519"`)
		verified(t, "Could not verify signature")
	})
	t.Run("no key", func(t *testing.T) {
		if output, err := shell(t, home, root, `make sign KEY= DIST="$HOME/dist"`); err == nil || !strings.Contains(output, "KEY is missing") {
			t.Errorf("make sign without a key ended with %v and printed\n%s", err, output)
		}
	})
}
