//go:build !unix

package command

import "os"

// ignoreFatalSignals does nothing: these signals exist on Unix only.
func ignoreFatalSignals() (reloads <-chan os.Signal) { return nil }
