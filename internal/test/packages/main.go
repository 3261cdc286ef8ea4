// Command packages writes the files of the packages that are made, not written by hand: man page, completions, the unit,
// the example configuration, changelogs, licenses and documents. `make packages` runs it; its tests install the packages.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const name = "step-posture-connector"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "packages:", err)
		os.Exit(1)
	}
}

// build is what the files depend on, beside the sources.
type build struct {
	version    string    // of the packages
	at         time.Time // of the commit
	maintainer string
}

func run(args []string) error {
	flags := flag.NewFlagSet("packages", flag.ContinueOnError)
	described := flags.String("version", "", "version, as git describe --tags --always --dirty prints it")
	at := flags.Int64("time", 0, "time of the commit, in seconds since 1970")
	maintainer := flags.String("maintainer", "", "who publishes the packages: Name <address>")
	out := flags.String("out", "", "folder to write; it must not exist")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *at <= 0 || *maintainer == "" || *out == "" {
		return errors.New("-time, -maintainer and -out are required")
	}
	version, err := packageVersion(*described)
	if err != nil {
		return err
	}
	if err := os.Mkdir(*out, 0o755); err != nil { //nolint:gosec // What it writes is published.
		return err
	}
	return write(*out, build{version, time.Unix(*at, 0).UTC(), *maintainer})
}

// write makes every file.
func write(out string, b build) error {
	files := []struct {
		path string
		make func(build) ([]byte, error)
	}{
		{"version", func(b build) ([]byte, error) { return []byte(b.version + "\n"), nil }},
		{name + ".1.gz", compressed(manual)},
		{"completion.bash", completion("bash")},
		{"completion.zsh", completion("zsh")},
		{"completion.fish", completion("fish")},
		{name + ".service", unit},
		{"env", environmentFile},
		{"copyright", copyright},
		{"changelog.gz", compressed(func(build) ([]byte, error) { return os.ReadFile("CHANGELOG.md") })},
		{"changelog.Debian.gz", compressed(debianChangelog)},
		{"third-party-licenses.gz", compressed(licenses)},
	}
	for _, file := range files {
		text, err := file.make(b)
		if err != nil {
			return fmt.Errorf("%s: %w", file.path, err)
		}
		if err := os.WriteFile(filepath.Join(out, file.path), text, 0o644); err != nil { //nolint:gosec // As above.
			return err
		}
	}
	if err := documents(filepath.Join(out, "docs")); err != nil {
		return fmt.Errorf("docs: %w", err)
	}
	return settle(out, b.at)
}

// settle gives every file the time of the commit and a mode that does not depend on the umask: nfpm takes both over into the
// packages, which must be the same wherever they are made.
func settle(out string, at time.Time) error {
	return filepath.WalkDir(out, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if entry.IsDir() {
			mode = 0o755
		}
		if err := os.Chmod(path, mode); err != nil { //nolint:gosec // The folder was made here.
			return err
		}
		return os.Chtimes(path, at, at) //nolint:gosec // As above.
	})
}
