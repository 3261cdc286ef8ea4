//go:build !unix

package audit

const nonblocking = 0
