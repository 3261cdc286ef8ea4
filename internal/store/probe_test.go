package store_test

import (
	"os"
	"strings"
	"testing"
)

// TestProbeOfAFile: the check says of a file that it cannot be written what the system says to the daemon. Root may write any.
func TestProbeOfAFile(t *testing.T) {
	t.Parallel()
	u := onSQLite(t).url
	for _, mode := range []os.FileMode{0o600, 0o400, 0o200, 0o000} {
		if err := os.WriteFile(u.Path(), nil, mode); err != nil {
			t.Fatal(err)
		}
		file, opens := os.OpenFile(u.Path(), os.O_RDWR, 0)
		if opens == nil {
			_ = file.Close()
		}
		if err := u.Probe(); (err == nil) != (opens == nil) || err != nil && !strings.Contains(err.Error(), "it cannot be read and written: permission denied") {
			t.Errorf("mode %v: the probe says %v, the system %v", mode, err, opens)
		}
		if err := os.Remove(u.Path()); err != nil {
			t.Fatal(err)
		}
		if err := u.Probe(); err != nil {
			t.Errorf("without the file: %v", err)
		}
	}
}
