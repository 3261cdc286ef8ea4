//go:build unix

package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"step-posture-connector/internal/config"
)

func inventoryOf(t *testing.T, kind, content string) Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "devices."+kind)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return Config{Path: config.Path(path), Type: kind}
}

// Text in the file besides devices takes no room in the index.
func TestIndexFitsTheDevices(t *testing.T) {
	t.Parallel()
	const devices = 3000
	var text strings.Builder
	text.WriteString(`{"devices":[`)
	for i := range devices {
		if i > 0 {
			text.WriteByte(',')
		}
		_, _ = fmt.Fprintf(&text, `{"identifier":"C%05d","unknown":%q}`, i, strings.Repeat("x", 1000))
	}
	text.WriteString("]}")
	var csv strings.Builder
	csv.WriteString("Identifier,a\n")
	for i := range devices {
		_, _ = fmt.Fprintf(&csv, "C%05d,%s\n", i, strings.Repeat("x", i/2)) // the first are the shortest
	}
	var lines strings.Builder
	for i := range devices {
		_, _ = fmt.Fprintf(&lines, "%s\nC%05d\n", strings.Repeat(" ", 1000), i)
	}
	for kind, content := range map[string]string{"json": text.String(), "csv": csv.String(), "lines": lines.String()} {
		p, _, err := New(inventoryOf(t, kind, content))
		if err != nil {
			t.Fatal(err)
		}
		if slots := p.current.Load().devices.Slots(); slots > 4*devices {
			t.Errorf("%s: %d slots for %d devices", kind, slots, devices)
		}
	}
}

// A large device with thousands of duplicates, with different data, is not compared each time: that would take
// minutes here.
func TestManyRepeatsOfALargeDevice(t *testing.T) {
	t.Parallel()
	const repeats = 5000
	content := `{"devices":[{"identifier":"a","data":{"x":"` + strings.Repeat("y", 1<<20) + `"}}` +
		strings.Repeat(`,{"identifier":"a","data":{}}`, repeats) + `]}`
	_, _, err := New(inventoryOf(t, "json", content))
	if err == nil || !strings.HasSuffix(err.Error(), fmt.Sprintf("and %d more", repeats-maxFaults)) {
		t.Errorf("New = %.300v, want %d faults", err, repeats)
	}
}

// A line without an end is refused as any other that is too long.
func TestListOfOneEndlessLine(t *testing.T) {
	t.Parallel()
	for _, content := range []string{strings.Repeat("C", 1<<22), "C02\n" + strings.Repeat("C", 1<<20) + "\nC03\n"} {
		_, _, err := New(inventoryOf(t, "lines", content))
		if err == nil || !strings.Contains(err.Error(), ": identifier is longer than 256 bytes") || len(err.Error()) > 300 {
			t.Errorf("New = %.300v, want that it is too long", err)
		}
	}
}

// A pipe without a writer would block every reload.
func TestPipeIsRefused(t *testing.T) {
	t.Parallel()
	c := inventoryOf(t, "csv", "Identifier\nC02\n")
	p, _, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(string(c.Path)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(string(c.Path), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Reload(); err == nil || !strings.Contains(err.Error(), "pipe") {
		t.Errorf("Reload = %v, want it to refuse a pipe", err)
	}
	if problems := (Config{Path: c.Path, Type: "xml"}).Problems(); len(problems) != 1 {
		t.Errorf("Problems = %v, want one", problems)
	}
}
