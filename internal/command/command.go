// Package command implements the command line.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
)

// The exit codes. They are part of the product's interface: scripts depend on them.
const (
	ExitOK    = 0
	ExitError = 1 // the work could not be done
	ExitDeny  = 2 // lookup: the device would be denied
	ExitUsage = 64
)

// Process has the values that a command needs from its process.
type Process struct {
	Args    []string // without the name of the program
	Environ []string // as os.Environ returns it
	Stdout  io.Writer
	Stderr  io.Writer
	Version string
	Commit  string
}

// exit carries a command's exit code. The error, if any, has not been printed yet.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func failed(err error) error { return &exit{ExitError, err} }

// headline is printed above the problems of a configuration.
const headline = "configuration:"

// configError is an error in the configuration. It has one line for each problem, below the headline.
type configError struct{ err error }

func (e *configError) Error() string { return headline + "\n" + e.err.Error() }

func (e *configError) Unwrap() error { return e.err }

func misconfigured(err error) error { return failed(&configError{err}) }

// Run executes the command line and returns the exit code. The daemon runs until ctx is done.
func Run(ctx context.Context, p Process) int {
	c, err := root(&p).ExecuteContextC(ctx)
	ended := &exit{}
	switch {
	case err == nil:
		return ExitOK
	case !errors.As(err, &ended):
		// Any other error is about the command line.
		_, _ = fmt.Fprintf(p.Stderr, "%s\nTry '%s --help'.\n", visibleLines(err.Error()), c.CommandPath())
		return ExitUsage
	case ended.err != nil:
		_, _ = fmt.Fprintln(p.Stderr, visibleLines(daemon.Underlined(ended.err)))
	}
	return ended.code
}

// Tree returns all commands with their flags, for programs that describe them.
func Tree() *cobra.Command { return root(&Process{}) }

func root(p *Process) *cobra.Command {
	var envFile string
	c := &cobra.Command{
		Use:   "step-posture-connector",
		Short: "Decide for step-ca which attested devices get a certificate",
		Long: "step-posture-connector answers the webhooks of step-ca during ACME device-attest-01 orders:\n" +
			"it looks the attested device up in an inventory and allows or denies the certificate.\n\n" +
			"It is configured by environment variables, which may be in an env file.\n" +
			"Without a command it runs the daemon.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	c.SetArgs(p.Args)
	c.SetOut(p.Stdout)
	c.SetErr(p.Stderr)
	c.PersistentFlags().StringVar(&envFile, "env-file", config.DefaultEnvFile,
		"file with environment variables; the environment overrides it; ENV_FILE in the environment names one too")

	// cobra prints the version for this flag; declared here, it has no short form.
	c.Version = p.Version
	c.Flags().Bool("version", false, "print version, commit and Go version")
	c.SetVersionTemplate(buildOf(p).String())

	c.SetFlagErrorFunc(suggestFlag)

	environ := func() (config.Environment, error) {
		named := c.PersistentFlags().Changed("env-file")
		if named && envFile == "" {
			return config.Environment{}, errors.New("--env-file: the path is empty; leave the flag out to read " + config.DefaultEnvFile + " in this folder, if it exists")
		}
		environ, err := config.Environ(p.Environ, envFile, named)
		if err != nil {
			return config.Environment{}, misconfigured(err)
		}
		if environ, err = daemon.PresentNames(environ); err != nil {
			return config.Environment{}, misconfigured(err)
		}
		return environ, nil
	}
	loadSample := func(sample *daemon.Sample) (*daemon.Inventory, error) {
		return withEnvironment(environ, func(e config.Environment) (*daemon.Inventory, error) { return daemon.LoadSample(e, sample) })()
	}
	serve := serveCommand(p, withEnvironment(environ, daemon.Load))
	c.RunE = serve.RunE
	c.AddCommand(serve,
		checkCommand(withEnvironment(environ, daemon.LoadToCheck)),
		lookupCommand(environ, withEnvironment(environ, daemon.LoadProvider), loadSample),
		inventoryCommand(withEnvironment(environ, daemon.LoadInventories)),
		tokenCommand(withEnvironment(environ, daemon.LoadTokens), withEnvironment(environ, daemon.LoadTokenIssuer)),
		decisionsCommand(withEnvironment(environ, daemon.LoadDecisions)),
		auditCommand(environ), healthcheckCommand(environ), policyCommand(environ), profileCommand(), schemaCommand(p), versionCommand(p))
	c.SetHelpCommand(helpCommand())
	c.InitDefaultCompletionCmd()
	if completion, _, err := c.Find([]string{"completion"}); err == nil {
		// Without this, cobra prints a help text and exits with 0.
		completion.RunE = func(_ *cobra.Command, args []string) error {
			return fmt.Errorf("completion: no script for %q; accepted: bash, zsh, fish or powershell", strings.Join(args, " "))
		}
		completion.Args = cobra.ArbitraryArgs
	}
	return c
}

// withEnvironment returns a loader of what the environment configures. What is wrong is an error in the configuration.
func withEnvironment[T any](environ func() (config.Environment, error), load func(config.Environment) (*T, error)) func() (*T, error) {
	return func() (*T, error) {
		environ, err := environ()
		if err != nil {
			return nil, err
		}
		loaded, err := load(environ)
		if err != nil {
			return nil, misconfigured(err)
		}
		return loaded, nil
	}
}

// helpCommand is like cobra's, except that an unknown command is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil || about == nil || len(rest) > 0 {
				return fmt.Errorf("help: no command %q", strings.Join(args, " "))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// suggestFlag adds to the error about an unknown flag the one that was probably meant.
func suggestFlag(c *cobra.Command, err error) error {
	unknown := (*pflag.NotExistError)(nil)
	if !errors.As(err, &unknown) {
		return err
	}
	const near = 3 // edits
	best, distance := "", near
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if d := levenshtein.ComputeDistance(unknown.GetSpecifiedName(), f.Name); d < distance {
			best, distance = f.Name, d
		}
	})
	if best == "" {
		return err
	}
	return errors.New(err.Error() + "\n\nDid you mean this?\n\t--" + best + "\n") // the form of cobra's suggestions
}

// loader loads the configuration that the command line names.
type loader func() (*daemon.Daemon, error)

// build says what the program was built from.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

func buildOf(p *Process) build { return build{p.Version, p.Commit, runtime.Version()} }

func (b build) String() string {
	return fmt.Sprintf("step-posture-connector %s\ncommit %s\n%s\n", b.Version, b.Commit, b.Go)
}

func versionCommand(p *Process) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and Go version",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if asJSON {
				err = encode(c.OutOrStdout(), buildOf(p))
			} else {
				_, err = io.WriteString(c.OutOrStdout(), buildOf(p).String())
			}
			if err != nil {
				return failed(err)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
