//go:build !unix

package snapshot

import "io/fs"

// checkOwner knows no owners and permissions here; the folder is the operator's to protect.
func checkOwner(fs.FileInfo) error { return nil }

// syncFolder is not needed here.
func syncFolder(string) error { return nil }
