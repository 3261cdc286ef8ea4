package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

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

// memoryOf returns what a process holds in memory.
func memoryOf(pid int) (memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, fmt.Errorf("read memory of a process: %w", err)
	}
	var m memory
	for line := range bytes.Lines(status) {
		name, value, _ := strings.Cut(string(line), ":")
		var into *float64
		switch name {
		case "VmRSS":
			into = &m.now
		case "VmHWM":
			into = &m.peak
		default:
			continue
		}
		kibibytes, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		if err != nil {
			return memory{}, fmt.Errorf("read memory of a process: %w", err)
		}
		*into = kibibytes * kibibyte
	}
	return m, nil
}

// endWithUs has the kernel end a process when the thread that started it ends, so that none is left
// when this program is killed.
func endWithUs(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
