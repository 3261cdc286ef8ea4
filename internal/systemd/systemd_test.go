//go:build linux

package systemd_test

import (
	"context"
	"net"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"step-posture-connector/internal/systemd"
)

// manager is the service manager's end of NOTIFY_SOCKET.
func manager(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return socket
}

// next returns the next notification.
func next(t *testing.T, socket *net.UnixConn) string {
	t.Helper()
	if err := socket.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	message := make([]byte, 4096)
	n, err := socket.Read(message)
	if err != nil {
		t.Fatal(err)
	}
	return string(message[:n])
}

func TestNotify(t *testing.T) {
	socket := manager(t)
	for want, notify := range map[string]func() error{
		`^READY=1$`: systemd.Ready, `^STOPPING=1$`: systemd.Stopping, `^RELOADING=1\nMONOTONIC_USEC=[1-9]\d+$`: systemd.Reloading,
	} {
		if err := notify(); err != nil {
			t.Error(err)
		}
		if got := next(t, socket); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("notified %q, want %s", got, want)
		}
	}
	_ = socket.Close()
	if err := systemd.Ready(); err == nil {
		t.Error("Ready() without a listener = nil, want an error")
	}
}

func TestWatch(t *testing.T) {
	socket := manager(t)
	t.Setenv("WATCHDOG_USEC", "20000")
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { systemd.Watch(ctx); close(ended) }()
	for range 3 {
		if got := next(t, socket); got != "WATCHDOG=1" {
			t.Errorf("notified %q, want WATCHDOG=1", got)
		}
	}
	end()
	<-ended
}

// Without a service manager nothing happens.
func TestWithoutServiceManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	for _, notify := range []func() error{systemd.Ready, systemd.Reloading, systemd.Stopping} {
		if err := notify(); err != nil {
			t.Error(err)
		}
	}
	systemd.Watch(t.Context()) // returns
}
