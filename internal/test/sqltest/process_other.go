//go:build !linux

package sqltest

import "syscall"

const nobody = -1

func attributes() *syscall.SysProcAttr { return nil }
