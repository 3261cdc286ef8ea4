//go:build unix

package blackbox_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"step-posture-connector/internal/test/program"
)

const bareDevice = "K3Q7XH2N9P" // in testdata/devices.json, without data

// connect makes a connection: plain where protocol is empty, else with a finished handshake.
func connect(t *testing.T, p *program.PKI, address, protocol, text string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if protocol != "" {
		encrypted := tls.Client(c, &tls.Config{
			RootCAs: p.Roots, ServerName: "127.0.0.1", NextProtos: []string{protocol}, MinVersion: tls.VersionTLS12,
		})
		if err := encrypted.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		c = encrypted
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// held is a request whose body the daemon waits for.
type held struct {
	body     []byte
	pipe     *io.PipeWriter
	answered chan string // status and body, or what went wrong
}

// hold begins a request, and returns when the daemon has it in hand.
func hold(t *testing.T, p *program.PKI, address, protocol string) *held {
	t.Helper()
	protocols := &http.Protocols{}
	protocols.SetHTTP1(protocol == "http/1.1")
	protocols.SetHTTP2(protocol == "h2")
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.Roots, MinVersion: tls.VersionTLS12},
		Protocols:       protocols, ExpectContinueTimeout: program.Patience,
	}
	t.Cleanup(transport.CloseIdleConnections)
	r, body := program.SignedRequest(t, address, bareDevice)
	reader, writer := io.Pipe()
	t.Cleanup(func() { _ = writer.Close() })
	h := &held{body, writer, make(chan string, 1)}
	inHand := make(chan struct{})
	r.Body, r.GetBody = reader, nil
	r.Header.Set("Expect", "100-continue") // which the daemon answers when it begins to read the body
	r = r.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(inHand) }}))
	go func() {
		response, err := (&http.Client{Transport: transport, Timeout: program.Patience}).Do(r)
		if err != nil {
			h.answered <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			h.answered <- err.Error()
			return
		}
		h.answered <- fmt.Sprintf("%d %s", response.StatusCode, text)
	}()
	select {
	case <-inHand:
	case outcome := <-h.answered:
		t.Fatalf("the request ended early: %s", outcome)
	}
	return h
}

func (h *held) finish(t *testing.T) string {
	t.Helper()
	if _, err := h.pipe.Write(h.body); err != nil {
		t.Errorf("send the body: %v", err)
	}
	_ = h.pipe.Close()
	return <-h.answered
}

// Whoever does not finish what it began is hung up on; honest requests are answered meanwhile.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	p := program.NewPKI(t)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p))
	post := "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"
	open := map[string]net.Conn{
		"nothing":               connect(t, p, d.Address, "", ""),
		"half a handshake":      connect(t, p, d.Address, "", "\x16\x03\x01\x02\x00"),
		"handshake only":        connect(t, p, d.Address, "http/1.1", ""),
		"half a header":         connect(t, p, d.Address, "http/1.1", "POST /webhook/device-attest HTTP/1.1\r\nHost: x\r\n"),
		"body":                  connect(t, p, d.Address, "http/1.1", fmt.Sprintf(post, "/webhook/device-attest")),
		"body of unknown path":  connect(t, p, d.Address, "http/1.1", fmt.Sprintf(post, "/unknown")),
		"body of status":        connect(t, p, d.Address, "http/1.1", strings.Replace(fmt.Sprintf(post, "/status"), "POST", "GET", 1)),
		"HTTP/2 handshake only": connect(t, p, d.Address, "h2", ""),
		"HTTP/2 half a preface": connect(t, p, d.Address, "h2", "PRI * HTTP/2.0\r\n"),
	}
	h1, h2 := hold(t, p, d.Address, "http/1.1"), hold(t, p, d.Address, "h2")
	program.NewStepCA(t, p, d.Address, nil).WantAllow(t, bareDevice, "{}")
	deadline := time.Now().Add(program.Patience)
	for name, c := range open {
		if err := c.SetReadDeadline(deadline); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection is still open", name)
			deadline = time.Now().Add(time.Second)
		}
	}
	for protocol, h := range map[string]*held{"HTTP/1.1": h1, "HTTP/2": h2} {
		if got := <-h.answered; !strings.HasPrefix(got, `400 {"allow":false,"error":{"code":"malformed"`) {
			t.Errorf("%s: a body that is not finished is answered with %s, want malformed", protocol, got)
		}
	}
	program.NewStepCA(t, p, d.Address, nil).WantAllow(t, bareDevice, "{}")
}

// Strangers whose bodies never end take all places, and step-ca is let in nevertheless.
func TestUnfinishedBodiesDoNotLockOut(t *testing.T) {
	t.Parallel()
	const limit = 16
	p := program.NewPKI(t)
	for _, protocol := range []string{"http/1.1", "h2"} {
		d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("MAX_CONNECTIONS", strconv.Itoa(limit)))
		for range 2 * limit {
			hold(t, p, d.Address, protocol)
		}
		program.NewStepCA(t, p, d.Address, nil).WantAllow(t, bareDevice, "{}")
	}
}

// Strangers trickle bodies in every place, and more of them come all the time: each of step-ca's calls, on
// a connection of its own, is answered, if need be with its retry.
func TestFloodDoesNotLockOut(t *testing.T) {
	t.Parallel()
	const limit, aSecond, calls = 256, 400, 20
	p := program.NewPKI(t)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("MAX_CONNECTIONS", strconv.Itoa(limit)))
	for range limit {
		hold(t, p, d.Address, "http/1.1")
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	defer func() { end(); <-ended }()
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if c, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.Address); err == nil {
				defer c.Close()
			}
			program.Pause(ctx, time.Second/aSecond)
		}
	}()
	for i := range calls {
		var status int
		var err error
		for range 2 {
			s := program.NewStepCA(t, p, d.Address, nil)
			if status, _, err = s.Send(t, program.WebhookBody(bareDevice)); err == nil && status == http.StatusOK {
				break
			}
			program.Pause(t.Context(), time.Second) // as step-ca
		}
		if err != nil || status != http.StatusOK {
			t.Errorf("call %d: %d, %v", i, status, err)
		}
	}
}

// Strangers hold every place of both listeners, and the daemon still has files for itself: it loads the
// inventory.
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
		t.Errorf("files have run out:\n%s", output)
	}
}

// usage is what the daemon uses: open files, and memory in MiB. It is zero where there is no /proc.
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

// Ten thousand idle strangers: no more than MAX_CONNECTIONS are held, memory is bounded with
// them, and honest requests are answered while they are there.
func TestTenThousandIdleConnections(t *testing.T) {
	t.Parallel()
	strangers, limit := 10000, 4096 // the default
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if most := int(files.Cur) - 500; testing.Short() || strangers > most {
		strangers = min(1000, most)
		limit = strangers / 4
		t.Logf("%d connections only", strangers)
	}
	p := program.NewPKI(t)
	d := program.StartDaemon(t, program.WorkingEnvironment(t, p).With("MAX_CONNECTIONS", strconv.Itoa(limit)))
	honest := program.NewStepCA(t, p, d.Address, nil)
	filesBefore, memoryBefore := usage(t, d)
	for i := range strangers {
		switch i % 20 {
		case 0:
			connect(t, p, d.Address, "http/1.1", "GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
		case 1:
			connect(t, p, d.Address, "h2", "")
		default:
			connect(t, p, d.Address, "", "")
		}
		if i%500 == 0 {
			honest.WantAllow(t, bareDevice, "{}")
			program.NewStepCA(t, p, d.Address, nil).WantAllow(t, bareDevice, "{}")
		}
	}
	program.NewStepCA(t, p, d.Address, nil).WantAllow(t, bareDevice, "{}")
	filesInTheEnd, memory := usage(t, d)
	t.Logf("%d connections, %d held: %d files and %d MiB, before %d and %d", strangers, limit, filesInTheEnd, memory, filesBefore, memoryBefore)
	if most := filesBefore + limit + 1; filesInTheEnd > most {
		t.Errorf("%d files are open, want at most %d", filesInTheEnd, most)
	}
	// A connection takes about 20 KiB; with the race detector's own it was 190.
	const perConnection = 256 << 10
	if most := memoryBefore + limit*perConnection>>20; memory > most {
		t.Errorf("%d MiB of memory, want at most %d", memory, most)
	}
}
