package daemon_test

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"step-posture-connector/internal/daemon"
)

// The advice fits the error: another address does not help when a privilege is missing.
func TestBindAdvice(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]string{
		syscall.EACCES:     "CAP_NET_BIND_SERVICE",
		syscall.EADDRINUSE: "otherwise",
	} {
		err := &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", errno)}
		if got := daemon.BindAdvice(err); !strings.Contains(got, want) {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
