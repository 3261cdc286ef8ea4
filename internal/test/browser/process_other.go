//go:build !linux

package browser

import "syscall"

// attributes are those of the test.
func attributes() *syscall.SysProcAttr { return nil }

// own leaves a folder to the test's own user, who is the browser's too.
func own(string) error { return nil }
