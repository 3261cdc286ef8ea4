package sqltest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Freeze stops all processes of a server, as those of a machine that hangs: connections stay open, and nothing answers. What it
// returns lets them continue, also where the server was killed meanwhile; the end of the test does.
func (s *Server) Freeze(t testing.TB) (thaw func()) {
	t.Helper()
	running := <-s.process.begun
	s.process.begun <- running
	pids := append([]int{running.Pid}, children(t, running.Pid)...)
	thaw = func() {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGCONT) // one that has ended needs none
		}
	}
	t.Cleanup(thaw)
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) { // a worker may have ended
			t.Fatalf("stop a process of the server: %v", err)
		}
	}
	return thaw
}

// children are the processes that a process has started and that run.
func children(t testing.TB, pid int) (pids []int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range strings.Fields(string(text)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, child)
	}
	return pids
}
