package main

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

// cpuSource says in the report where the numbers come from.
const cpuSource = "user and system time of all threads of the server process, from its CPU clock (clock_getcpuclockid)"

// cpuTime returns the CPU time, user and system, that a process has used so far. /proc/PID/stat has
// the same number, but in steps of 10 ms, which are too coarse for a round.
func cpuTime(pid int) (time.Duration, error) {
	const schedulerClock = 2 // CPUCLOCK_SCHED; the process is encoded as the kernel's MAKE_PROCESS_CPUCLOCK does
	clock := uintptr(^pid)<<3 | schedulerClock
	var spent syscall.Timespec
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&spent)), 0) //nolint:gosec // G103: the way to pass a structure
	if errno != 0 {
		return 0, fmt.Errorf("read CPU time of process %d: %w", pid, errno)
	}
	return time.Duration(spent.Nano()), nil
}
