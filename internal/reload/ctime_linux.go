package reload

import (
	"io/fs"
	"syscall"
	"time"
)

// ctime returns when the inode of a file last changed. Unlike the modification time, no program can set it.
func ctime(info fs.FileInfo) time.Time {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(stat.Ctim.Unix())
	}
	return time.Time{}
}
