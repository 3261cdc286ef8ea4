// Package store keeps the state that outlives the daemon, or is shared by several: in a SQLite file, or in PostgreSQL.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"step-posture-connector/internal/config"
)

// URL is a STATE_URL that was parsed. Formatted it shows no password.
type URL struct {
	path  string // of a SQLite file
	dsn   config.Secret
	place string // of PostgreSQL: host, port and database
	// warning is about the connection to it.
	warning string
}

const accepted = "accepted: sqlite:/path/of/a/file, or postgres://user:password@host/database"

func notAccepted(what string) error { return errors.New(what + "; " + accepted) }

// ParseURL reads a STATE_URL: sqlite:/path/of/a/file, or the URL of a PostgreSQL database (postgres:// or postgresql://). An
// error says what is accepted, and repeats nothing of the text, which may have a password.
func ParseURL(text string) (URL, error) {
	scheme, rest, hasScheme := strings.Cut(text, ":")
	switch {
	case len(text) > maxURL:
		return URL{}, notAccepted("it is too long")
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return URL{}, notAccepted("it has a control character or a line break")
	case !hasScheme:
		return URL{}, notAccepted("it is not a URL")
	case scheme == "sqlite":
		return parseSQLite(rest)
	case scheme == "postgres", scheme == "postgresql":
		return parsePostgreSQL(text)
	}
	return URL{}, notAccepted("its scheme is not known")
}

func parseSQLite(path string) (URL, error) {
	switch {
	case path == "":
		return URL{}, notAccepted("it has no path")
	case strings.HasPrefix(path, ":memory:"):
		return URL{}, notAccepted("it is in memory, and would not outlive the daemon")
	case strings.HasPrefix(path, "//"):
		return URL{}, notAccepted("it has // before the path")
	case strings.ContainsAny(path, "?#%"):
		return URL{}, notAccepted("its path has ?, # or %")
	case !filepath.IsAbs(path):
		return URL{}, notAccepted("its path does not begin at the root")
	case strings.HasSuffix(path, "/") || filepath.Clean(path) == string(filepath.Separator):
		return URL{}, notAccepted("its path is that of a folder")
	}
	return URL{path: filepath.Clean(path)}, nil
}

// IsSQLite says that the URL is that of a SQLite file.
func (u URL) IsSQLite() bool { return u.path != "" }

// Warnings say what makes the connection to the database unsafe, though it was asked for.
func (u URL) Warnings() []string {
	if u.warning == "" {
		return nil
	}
	return []string{u.warning}
}

// String says where the database is, without user and password.
func (u URL) String() string {
	if u.IsSQLite() {
		return "sqlite:" + u.path
	}
	return "PostgreSQL at " + u.place
}

// about names the database in an error, as a fault does.
func (u URL) about(err error) error { return fmt.Errorf("the state database, %s: %w", u, err) }

// Probe finds out whether the daemon could open a SQLite file, and leaves nothing behind: a file that the check of one user has
// created could not be written to by the daemon of another one. PostgreSQL is not asked.
func (u URL) Probe() error {
	if !u.IsSQLite() {
		return nil
	}
	path, err := resolve(u.path)
	if err != nil {
		return u.about(err)
	}
	if err := wantWritable(filepath.Dir(path)); err != nil {
		return u.about(err)
	}
	// Without opening it: that would drop the locks of a daemon in this process. Where SQLite may not write it only reads.
	if err := mayWrite(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return u.about(fmt.Errorf("it cannot be read and written: %w", err))
	}
	return nil
}
