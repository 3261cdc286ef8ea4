//go:build unix

package blackbox_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"step-posture-connector/internal/test/program"
)

// Unauthenticated clients hold every connection of both listeners, and the daemon still has file descriptors for
// itself: it reloads the inventory.
func TestFilesAreReserved(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	inventory := filepath.Join(t.TempDir(), "devices.csv")
	program.ReplaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\n")
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("FILE_PATH", inventory, "FILE_TYPE", "csv", "HEALTH_ADDRESS", program.FreeHealth), func(c *exec.Cmd) {
		c.Args = append([]string{"sh", "-c", `ulimit -n 256; exec "$0" "$@"`, c.Path}, c.Args[1:]...)
		c.Path = "/bin/sh"
	})
	for range 300 {
		connect(t, p, d.Address, "", "")
	}
	for range 80 {
		connect(t, p, d.Health, "", "")
	}
	program.ReplaceFile(t, inventory, "Identifier\nC02XK1JKLVCG\nC02XK1JKLVCH\n")
	d.Eventually(t, "two devices are loaded", func() bool { return strings.Contains(d.Output(), "2 devices in "+inventory) })
	program.NewStepCA(t, p, d.Address, nil).WantDecision(t, "added", "C02XK1JKLVCH", program.Allowed)
	if output := d.Output(); strings.Contains(output, "too many open files") {
		t.Errorf("file descriptors have run out:\n%s", output)
	}
}

// usage is what the daemon uses: open files, and memory in MiB. Both are 0 on systems without /proc.
func usage(t *testing.T, d *program.Daemon) (files, memory int) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0, 0
	}
	folder := filepath.Join("/proc", strconv.Itoa(d.Cmd.Process.Pid))
	entries, err := os.ReadDir(filepath.Join(folder, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(filepath.Join(folder, "status"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return len(entries), kib >> 10
}

// Ten thousand idle connections of unauthenticated clients: the daemon holds no more than MAX_CONNECTIONS, which
// bounds its memory too, and answers step-ca's requests meanwhile.
func TestTenThousandIdleConnections(t *testing.T) {
	t.Parallel()
	clients, limit := 10000, 4096 // the default
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if most := max(200, int(files.Cur)-2000); testing.Short() || clients > most {
		clients = min(1000, most)
		limit = clients / 4
		t.Logf("only %d connections", clients)
	}
	p := program.NewPKI(t)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("MAX_CONNECTIONS", strconv.Itoa(limit)))
	stepCA := program.NewStepCA(t, p, d.Address, nil)
	filesBefore, memoryBefore := usage(t, d)
	for i := range clients {
		switch i % 20 {
		case 0:
			connect(t, p, d.Address, "http/1.1", "GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
		case 1:
			connect(t, p, d.Address, "h2", "")
		default:
			connect(t, p, d.Address, "", "")
		}
		if i%500 == 0 {
			stepCA.WantAllow(t, bareDevice, "{}")
			program.NewStepCA(t, p, d.Address, nil).WantAllow(t, bareDevice, "{}")
		}
	}
	program.NewStepCA(t, p, d.Address, nil).WantAllow(t, bareDevice, "{}")
	filesInTheEnd, memory := usage(t, d)
	t.Logf("%d connections, %d held: %d files and %d MiB, before %d and %d", clients, limit, filesInTheEnd, memory, filesBefore, memoryBefore)
	if most := filesBefore + limit + 1; filesInTheEnd > most {
		t.Errorf("%d files are open, want at most %d", filesInTheEnd, most)
	}
	// A connection takes about 20 KiB; with the race detector's own it was 190.
	const perConnection = 256 << 10
	if most := memoryBefore + limit*perConnection>>20; memory > most {
		t.Errorf("%d MiB of memory, want at most %d", memory, most)
	}
}
