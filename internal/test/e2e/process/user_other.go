//go:build !unix

package process

import "syscall"

// User is who a server runs as: the test's own user.
func User() *syscall.SysProcAttr { return nil }

// Own gives files to the user of a server.
func Own(...string) error { return nil }
