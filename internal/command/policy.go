package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
)

// policyCommand is hidden until the daemon reads a policy file.
func policyCommand(environ func() (config.Environment, error)) *cobra.Command {
	c := &cobra.Command{
		Use:    "policy",
		Short:  "Test a policy file",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return fmt.Errorf("policy: what should be done? Usage: %s test FILE, or %s replay AUDIT-LOG", c.CommandPath(), c.CommandPath())
		},
	}
	c.AddCommand(replayCommand(environ), &cobra.Command{
		Use:   "test FILE",
		Short: "Run the tests of a policy file",
		Long: "test checks a policy file and runs the tests in it. It asks no inventory and reads no secret.\n" +
			"Exit status: 0 all tests pass, 2 a test fails, 1 the file cannot be used.",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("policy test: one file is needed, %d were given. Usage: %s FILE", len(args), c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return testPolicies(c, args[0], environ) },
	})
	return c
}

func testPolicies(c *cobra.Command, path string, load func() (config.Environment, error)) error {
	environ, err := load()
	if err != nil {
		return err
	}
	results, warnings, err := daemon.TestPolicies(path, environ)
	if err != nil {
		return failed(err)
	}
	for _, warning := range warnings {
		_, _ = fmt.Fprintln(c.ErrOrStderr(), "warning:", visible(warning))
	}
	failures := 0
	for _, r := range results {
		line := "ok    "
		if len(r.Differences) > 0 {
			failures++
			line = "FAIL  "
		}
		line += r.Policy + ": " + r.Test.Name
		if len(r.Differences) > 0 {
			line += ": " + strings.Join(r.Differences, "; ")
		}
		if _, err := fmt.Fprintln(c.OutOrStdout(), visible(line)); err != nil {
			return failed(err)
		}
	}
	if _, err := fmt.Fprintf(c.OutOrStdout(), "%d tests, %d failed\n", len(results), failures); err != nil {
		return failed(err)
	}
	if failures > 0 {
		return &exit{code: ExitDeny}
	}
	return nil
}
