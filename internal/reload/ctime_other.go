//go:build !linux && !darwin && !freebsd && !netbsd

package reload

import (
	"io/fs"
	"time"
)

// ctime is unknown here: a file that is replaced by one of the same size and modification time goes unnoticed.
func ctime(fs.FileInfo) time.Time { return time.Time{} }
