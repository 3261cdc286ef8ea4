package apiserver

import "syscall"

// attributes ends a server with the test, also where the test is killed. The signal comes when the thread ends that
// started the server, so the caller of Start must be locked to one that stays.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
