//go:build !linux

package apiserver

import "syscall"

func attributes() *syscall.SysProcAttr { return nil }
