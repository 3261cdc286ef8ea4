// Command step-posture-connector decides for step-ca which attested devices get a certificate.
package main

import (
	"os"

	"step-posture-connector/internal/command"
)

// The linker sets these (see the Makefile).
var (
	version = "development"
	commit  = ""
)

func main() {
	os.Exit(command.Main(version, commit))
}
