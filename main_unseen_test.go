//go:build linux || darwin

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// replaceUnseen gives a file new content of the same size and sets its modification time back, as
// rsync --inplace --times and cp -p do.
func replaceUnseen(t *testing.T, path string, text []byte) {
	t.Helper()
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if before.Size() != int64(len(text)) {
		t.Fatalf("%s has %d bytes, and its replacement %d", path, before.Size(), len(text))
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// A device is refused after it was removed from the inventory, also when neither the size nor the modification
// time of the file tells of that; and a certificate is replaced in the same way.
func TestReplacedByTheSameSizeAndTime(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	inventory := filepath.Join(t.TempDir(), "devices.csv")
	replaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\nC02XK1JKLVCH\n")
	d := startDaemon(t, workingEnvironment(t, p).with("FILE_PATH", inventory, "FILE_TYPE", "csv", "HEALTH_ADDRESS", freeHealth))
	s := newSigner(t, p, d.address, nil)
	s.wantDecision(t, "at first", "C02XK1JKLVCH", allowed)

	replaceUnseen(t, inventory, []byte("Identifier\nC02XK1JKLVCG\nC02XK1JKLVCX\n"))
	d.eventually(t, "the removed device is refused", func() bool {
		status, text, err := s.send(t, order("C02XK1JKLVCH"))
		return err == nil && status == 200 && len(text) > len(notFound) && text[:len(notFound)] == notFound
	})
	s.wantDecision(t, "kept", "C02XK1JKLVCG", allowed)
	s.wantDecision(t, "added", "C02XK1JKLVCX", allowed)

	certificate, err := os.ReadFile(p.serverCert)
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte("X"), certificate[1:]...) // of its first line
	replaceUnseen(t, p.serverCert, damaged)
	d.eventually(t, "the damaged certificate is reported", func() bool { _, _, wrong := d.ready(t); return wrong["certificate"] != "" })
	replaceUnseen(t, p.serverCert, certificate)
	d.eventually(t, "the good certificate is reloaded", func() bool { _, status, _ := d.ready(t); return status == "ok" })
}
