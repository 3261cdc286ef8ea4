package process

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// Program finds a program of the system, by default in PATH. Debian has servers in a folder that PATH of a user does not
// have. Debian's package of it is what the error asks for.
func Program(name, debian string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path, err := exec.LookPath(filepath.Join("/usr/sbin", name))
	if err != nil {
		return "", fmt.Errorf("%s is not installed; run: make test-servers, or: apt-get install %s: %w", name, debian, err)
	}
	return path, nil
}
