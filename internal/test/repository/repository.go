// Package repository is where the files of the product are, for tests that are about several packages.
package repository

import (
	"errors"
	"os"
	"path/filepath"
)

// Enter makes the root of the repository, the nearest folder above with a go.mod, the working directory. The
// tests of a package call it once, in TestMain; after that each path is the one that the documentation has.
func Enter() error {
	folder, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(folder, "go.mod")); missing == nil {
			return os.Chdir(folder)
		}
		if folder == filepath.Dir(folder) {
			return errors.New("no folder above has a go.mod")
		}
		folder = filepath.Dir(folder)
	}
	return err
}
