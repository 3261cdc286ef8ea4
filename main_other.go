//go:build !unix

package main

import "os"

// settle has nothing to do where there are no such signals.
func settle() (hangups <-chan os.Signal) { return nil }
