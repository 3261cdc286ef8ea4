//go:build unix

package audit

import "syscall"

const nonblocking = syscall.O_NONBLOCK
