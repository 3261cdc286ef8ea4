//go:build unix

package provider_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
)

// What an inventory asks of a device is known on a machine that has neither its secret nor its files. A secret is not read:
// its file may be a pipe that gives it once.
func TestRequiredOf(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "secret")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	once, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer once.Close()
	if _, err := once.WriteString("the-secret"); err != nil {
		t.Fatal(err)
	}
	got := provider.RequiredOf("jamf", map[string]string{
		"JAMF_CLIENT_SECRET_FILE": pipe, "JAMF_COMPUTER_GROUP": "Up to date", "JAMF_ALLOW_UNMANAGED": "1",
	})
	if got.Requirements.Groups[posture.Computer] != "Up to date" || !got.Requirements.AllowUnmanaged || got.DefaultType != posture.MobileDevice {
		t.Errorf("got %+v", got)
	}
	rest := make([]byte, 100)
	if n, err := once.Read(rest); err != nil || string(rest[:n]) != "the-secret" {
		t.Errorf("the pipe has %q (%v), want the secret: it was read", rest[:n], err)
	}
	if got := provider.RequiredOf("unknown", nil); len(got.Requirements.Groups) > 0 || got.Requirements.AllowUnmanaged || got.DefaultType != "" {
		t.Errorf("an unknown provider requires %+v", got)
	}
}
