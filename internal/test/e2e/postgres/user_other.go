//go:build !unix

package postgres

import "syscall"

func user() *syscall.SysProcAttr { return nil }

func own(...string) error { return nil }
