package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// writeSums writes the digests of all files of a folder, in the form that sha256sum and shasum check. The list and its
// signature, which an earlier run may have left, are not in it.
func writeSums(dist string) error {
	entries, err := os.ReadDir(dist)
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), sums) {
			continue
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is %s: only files are published", filepath.Join(dist, entry.Name()), entry.Type())
		}
		sum, err := digest(filepath.Join(dist, entry.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%s  %s\n", sum, entry.Name())
	}
	if list.Len() == 0 {
		return errors.New(dist + " is empty: nothing was built")
	}
	return os.WriteFile(filepath.Join(dist, sums), []byte(list.String()), 0o644)
}

// digest is the SHA-256 of a file, in hexadecimal digits.
func digest(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
