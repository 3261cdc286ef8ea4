package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// archive writes a folder as file, a tar archive compressed with gzip. Its bytes depend on names, contents and the execute
// bits only: not on owner, umask and time of the files, nor on the order of the file system.
func archive(parent, folder, file string, at time.Time) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	zipped, err := gzip.NewWriterLevel(out, gzip.DefaultCompression)
	if err != nil {
		return err
	}
	tarred := tar.NewWriter(zipped)
	root := os.DirFS(parent)
	// WalkDir goes in lexical order.
	err = fs.WalkDir(root, folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		header := &tar.Header{Name: path, ModTime: at, Format: tar.FormatUSTAR}
		if entry.IsDir() {
			header.Typeflag, header.Name, header.Mode = tar.TypeDir, path+"/", 0o755
			return tarred.WriteHeader(header)
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is %s, and must be a file or a folder", path, entry.Type())
		}
		return add(tarred, filepath.Join(parent, path), header)
	})
	return errors.Join(err, tarred.Close(), zipped.Close())
}

// add appends one file.
func add(to *tar.Writer, path string, header *tar.Header) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header.Typeflag, header.Size, header.Mode = tar.TypeReg, info.Size(), 0o644
	if info.Mode()&0o100 != 0 {
		header.Mode = 0o755
	}
	if err := to.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(to, file)
	return err
}
