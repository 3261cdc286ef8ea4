// Command release makes what is published of the programs that `make release` has built: archives, SBOMs, the Homebrew
// formula, and the list of digests. It makes the same bytes on every machine, which tar, gzip and sha256sum of different
// systems do not. It also checks a whole release.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const (
	name    = "step-posture-connector"
	sums    = "SHA256SUMS"
	formula = "docs/packages/homebrew/" + name + ".rb.tmpl"
)

const usage = `
  release archive -version VERSION -time SECONDS -url URL FOLDER DIST
        makes in DIST an archive of each folder in FOLDER, with its SBOM, and the Homebrew formula
  release sums DIST
        writes DIST/` + sums + `
  release check [-cold]
        makes the release of the last commit twice, compares the files, and inspects them; with -cold the second
        build compiles everything again`

func main() {
	// What is interrupted removes its clones.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], checker{os.Stdout, os.Environ()})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, c checker) error {
	if len(args) == 0 {
		return errors.New("a command is missing:" + usage)
	}
	flags := flag.NewFlagSet("release "+args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard) // The error says it.
	version := flags.String("version", "", "version, as git describe --tags --always --dirty prints it")
	seconds := flags.Int64("time", 0, "time of every file, in seconds since 1970")
	url := flags.String("url", "", "where the releases are published: the files of VERSION are in URL/VERSION")
	cold := flags.Bool("cold", false, "compile everything again")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	switch {
	case args[0] == "sums" && flags.NArg() == 1:
		return writeSums(flags.Arg(0))
	case args[0] == "check" && flags.NArg() == 0:
		return c.check(ctx, *cold)
	case args[0] == "archive" && flags.NArg() == 2:
		if *version == "" || *seconds <= 0 || *url == "" {
			return errors.New("-version, -time and -url are required; the time is that of the commit, so -time fails outside of a checkout: set SOURCE_DATE_EPOCH there")
		}
		return archives(flags.Arg(0), flags.Arg(1), release{*version, *url, time.Unix(*seconds, 0).UTC()})
	default:
		return fmt.Errorf("the command is %q with %d arguments, and must be one of these:%s", args[0], flags.NArg(), usage)
	}
}

// release is what is published together.
type release struct {
	version string
	url     string
	at      time.Time
}

// archives makes the archives, and the formula that names them.
func archives(folder, dist string, r release) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	digests := map[string]string{}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		full := entry.Name()
		sbom := full + ".cdx.json"
		if err := publishSBOM(filepath.Join(folder, sbom), filepath.Join(dist, sbom), filepath.Join(folder, full, name)); err != nil {
			return fmt.Errorf("%s: %w", sbom, err)
		}
		file := full + ".tar.gz"
		if err := archive(folder, full, filepath.Join(dist, file), r.at); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if digests[file], err = digest(filepath.Join(dist, file)); err != nil {
			return err
		}
	}
	if err := writeFormula(formula, filepath.Join(dist, name+".rb"), r, digests); err != nil {
		return fmt.Errorf("%s: %w", formula, err)
	}
	return nil
}
