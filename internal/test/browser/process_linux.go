package browser

import (
	"os"
	"syscall"
)

// nobody is the user that the browser runs as where the test is root: as root it has no sandbox.
const nobody = 65534

// attributes ends the browser with the test, also where the test is killed.
func attributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		a.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return a
}

// own gives a folder to the browser's user.
func own(folder string) error {
	if os.Getuid() != 0 {
		return nil
	}
	return os.Chown(folder, nobody, nobody)
}
