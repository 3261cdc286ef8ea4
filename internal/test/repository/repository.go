// Package repository finds the root of the repository, for tests that read its files.
package repository

import (
	"errors"
	"os"
	"path/filepath"
)

// Enter changes the working directory to the root of the repository: the nearest folder above with a go.mod. A
// package's TestMain calls it once; then its tests use the same paths as the documentation.
func Enter() error {
	folder, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(folder, "go.mod")); missing == nil {
			return os.Chdir(folder)
		}
		if folder == filepath.Dir(folder) {
			return errors.New("no parent folder has a go.mod")
		}
		folder = filepath.Dir(folder)
	}
	return err
}
