//go:build linux || darwin

package blackbox_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/test/program"
)

// overwrite replaces a part of a file by text of the same length, and restores its modification time, as
// rsync --inplace --times and cp -p do.
func overwrite(t *testing.T, path string, at int, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	before, errBefore := file.Stat()
	if errBefore != nil {
		t.Fatal(errBefore)
	}
	_, err = file.WriteAt([]byte(text), int64(at))
	if err := errors.Join(err, file.Close(), os.Chtimes(path, before.ModTime(), before.ModTime())); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		t.Fatalf("%s differs in more than its content (%v)", path, err)
	}
}

// A device that is removed from the inventory is denied, even when neither the size nor the modification time of the
// file has changed; a certificate that is replaced in this way is noticed too.
func TestReplacedByTheSameSizeAndTime(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	inventory := filepath.Join(t.TempDir(), "devices.csv")
	text := "Identifier\nC02XK1JKLVCG\nC02XK1JKLVCH\n"
	program.ReplaceFile(t, inventory, text)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("FILE_PATH", inventory, "FILE_TYPE", "csv", "HEALTH_ADDRESS", program.FreeHealth))
	s := program.NewStepCA(t, p, d.Address, nil)
	s.WantDecision(t, "at first", "C02XK1JKLVCH", program.Allowed)

	overwrite(t, inventory, strings.Index(text, "C02XK1JKLVCH"), "C02XK1JKLVCX")
	d.Eventually(t, "the removed device is denied", func() bool {
		_, text, err := s.Send(t, program.WebhookBody("C02XK1JKLVCH"))
		return err == nil && strings.HasPrefix(text, program.NotFound)
	})
	s.WantDecision(t, "kept", "C02XK1JKLVCG", program.Allowed)
	s.WantDecision(t, "added", "C02XK1JKLVCX", program.Allowed)

	overwrite(t, p.ServerCert, 0, "X") // in place of the first hyphen of its first line
	d.Eventually(t, "the damaged certificate is reported", func() bool { _, _, wrong := d.Ready(t); return wrong["certificate"] != "" })
	overwrite(t, p.ServerCert, 0, "-")
	d.Eventually(t, "the good certificate is reloaded", func() bool { _, status, _ := d.Ready(t); return status == "ok" })
}
