package export

import (
	"path/filepath"
	"strings"
)

// Format is the format of a file.
type Format string

// The formats that the provider file reads.
const (
	CSV  Format = "csv"
	JSON Format = "json"
)

// Formats are the names of all formats.
func Formats() []string { return []string{string(CSV), string(JSON)} }

// FormatOf is the format that the extension of a path names, and CSV where it names none.
func FormatOf(path string) Format {
	if strings.EqualFold(filepath.Ext(path), "."+string(JSON)) {
		return JSON
	}
	return CSV
}
