package sqltest

import (
	"os"
	"syscall"
)

// nobody is the user that servers run as where the test is root: they refuse to be root.
const nobody = 65534

// attributes ends a server with the test, also where the test is killed.
func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		a.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return a
}
