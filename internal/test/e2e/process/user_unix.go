//go:build unix

package process

import (
	"errors"
	"os"
	"syscall"
)

// nobody is the user that servers run as where the test is root: many refuse to be root, and none needs it.
const nobody = 65534

// User is who a server runs as: nobody for root, and the test's own user otherwise.
func User() *syscall.SysProcAttr {
	if os.Getuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// Own gives files to the user of a server.
func Own(paths ...string) error {
	if os.Getuid() != 0 {
		return nil
	}
	var errs []error
	for _, path := range paths {
		errs = append(errs, os.Chown(path, nobody, nobody))
	}
	return errors.Join(errs...)
}
