package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// readable warns of files with secrets that every user of the machine can read.
func (e Environment) readable(v Vocabulary) []string {
	const remedy = "every user of this machine can read it, and there are secrets in it; chmod 600, or 640 with a group of its own"
	var warnings []string
	for _, name := range v.secrets() {
		if e.file != nil && e.file.variables()[name] != "" && ReadableByAll(e.file.path) {
			warnings = append(warnings, fmt.Sprintf("env file %s: %s", e.file.path, remedy))
			break
		}
	}
	for _, name := range v.secrets() {
		if path := e.Variables[name+fileSuffix]; path != "" && ReadableByAll(path) {
			warnings = append(warnings, fmt.Sprintf("%s: %s: %s", name+fileSuffix, path, remedy))
		}
	}
	return warnings
}

// secrets are the known variables that can be given as a file.
func (v Vocabulary) secrets() []string {
	var names []string
	for _, known := range v.Known {
		if name, is := strings.CutSuffix(known, fileSuffix); is && slices.Contains(v.Known, name) {
			names = append(names, name)
		}
	}
	return names
}

// ReadableByAll reports whether the mode of a file, and those of its folders, let every user read it. Files that Docker
// and Kubernetes mount into a container are excluded: they are often 0444, and the container has no other users.
func ReadableByAll(path string) bool {
	const readByOthers, passedByOthers fs.FileMode = 0o004, 0o001
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil || runtime.GOOS == "windows" || mounted(path, resolved) {
		return false
	}
	if resolved, err = filepath.Abs(resolved); err != nil {
		return false
	}
	info, err := os.Stat(resolved)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&readByOthers == 0 {
		return false
	}
	for folder := filepath.Dir(resolved); ; folder = filepath.Dir(folder) {
		if info, err := os.Stat(folder); err != nil || info.Mode()&passedByOthers == 0 {
			return false
		}
		if folder == filepath.Dir(folder) {
			return true
		}
	}
}

// mounted reports whether a container engine has mounted a secret there: Docker below /run/secrets, and Kubernetes as
// links through ..data to a folder named ..TIME.
func mounted(path, resolved string) bool {
	for _, p := range []string{path, resolved} {
		if strings.HasPrefix(p, "/run/secrets/") || strings.HasPrefix(p, "/var/run/secrets/") || strings.Contains(p, "/..") && p == resolved {
			return true
		}
	}
	return false
}
