//go:build unix

package postgres

import (
	"errors"
	"os"
	"syscall"
)

// nobody is the user that the server runs as where the test is root: PostgreSQL refuses to be root.
const nobody = 65534

// user is who the server runs as: nobody for root, and the test's own user otherwise.
func user() *syscall.SysProcAttr {
	if os.Getuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// own gives files to the user of the server.
func own(paths ...string) error {
	if os.Getuid() != 0 {
		return nil
	}
	var errs []error
	for _, path := range paths {
		errs = append(errs, os.Chown(path, nobody, nobody))
	}
	return errors.Join(errs...)
}
