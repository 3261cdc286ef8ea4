package configuration_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	repository = "../../../.."
	// patience bounds how long a process may take for what it is waited for, on a machine that is busy.
	patience = 2 * time.Minute
)

// programs are the connector and a simulated Jamf Pro server, built once.
var programs struct { //nolint:gochecknoglobals // TestMain sets it before the tests
	connector, jamf string
}

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	folder, err := os.MkdirTemp("", "step-posture-manifests-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	// The first time, modules are downloaded and compiled.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	programs.connector, programs.jamf = filepath.Join(folder, "connector"), filepath.Join(folder, "fakejamf")
	for output, source := range map[string]string{programs.connector: ".", programs.jamf: "./internal/provider/jamf/jamftest/cmd/fakejamf"} {
		build := exec.CommandContext(ctx, "go", "build", "-o", output, source)
		build.Dir = repository
		if text, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", source, err, text)
			return 1
		}
	}
	return m.Run()
}

// command is the connector with the variables of its pod, and nothing else.
func (p pod) command(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), programs.connector, args...)
	command.Dir, command.Env = t.TempDir(), environ
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = patience
	return command
}

// check runs the command of that name.
func (p pod) check(t *testing.T, changes ...string) (code int, output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, programs.connector, "check")
	command.Dir, command.Env = t.TempDir(), p.list(changes...)
	text, err := command.CombinedOutput()
	if command.ProcessState == nil || ctx.Err() != nil {
		t.Fatalf("check: %v, %v\n%s", err, ctx.Err(), text)
	}
	return command.ProcessState.ExitCode(), string(text)
}

// output is what a process has written, which may be read meanwhile.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await returns when something holds, or fails with the output of the process.
func await(t *testing.T, what string, log fmt.Stringer, ended <-chan error, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !holds() {
		select {
		case err := <-ended:
			t.Fatalf("the connector has ended, want %s: %v\n%s", what, err, log)
		case <-deadline:
			t.Fatalf("not within %s: %s\n%s", patience, what, log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// get asks the health listener.
func get(t *testing.T, address, path string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Timeout: patience}).Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(content)
}

// freeAddress is a free one on loopback.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// startJamf runs a simulated Jamf Pro server with one Mac.
func startJamf(t *testing.T, client, secret string) (address, ca string) {
	t.Helper()
	folder := t.TempDir()
	ca = filepath.Join(folder, "ca.crt")
	options, err := json.Marshal(map[string]any{
		"clients": []any{map[string]any{"id": client, "secret": secret, "privileges": []string{"Read Computers", "Read Mobile Devices", "Read Departments"}, "expires_in": 600}},
		"devices": []any{map[string]any{"computer": true, "serial": "C02XK1JKLVCG", "managed": true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "options.json")
	if err := os.WriteFile(file, options, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), programs.jamf, "-ca", ca, "-options", file)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = patience
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Wait() }) // t.Context() is done: it has been asked to end
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "jamf ") {
		t.Fatalf("the simulated server printed %q, want jamf and its address", lines.Text())
	}
	return strings.TrimPrefix(lines.Text(), "jamf "), ca
}
