package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
)

func policyCommand(environ func() (config.Environment, error)) *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Test a policy file, or replay recorded requests under it",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return fmt.Errorf("policy: what should be done? Usage: %s test [FILE], or %s replay AUDIT-LOG", c.CommandPath(), c.CommandPath())
		},
	}
	c.AddCommand(replayCommand(environ), &cobra.Command{
		Use:   "test [FILE]",
		Short: "Run the tests of a policy file",
		Long: "test checks a policy file and runs the tests in it; without FILE, the one of POLICY_PATH. It asks no inventory\n" +
			"and reads no secret. Of the environment it uses PROVIDER and WEBHOOK_IDS, to which the file may refer.\n" +
			"Exit status: 0 all tests pass, 2 a test fails, 1 the file cannot be used.",
		Example: "  step-posture-connector policy test posture.yaml",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("policy test: one file at a time, %d were given. Usage: %s [FILE]", len(args), c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			environ, err := environ()
			if err != nil {
				return err
			}
			path := environ.Variables["POLICY_PATH"]
			if len(args) > 0 {
				path = args[0]
			}
			if path == "" {
				return fmt.Errorf("policy test: which file? Neither FILE nor POLICY_PATH names one. Usage: %s [FILE]", c.CommandPath())
			}
			return testPolicies(c, path, environ)
		},
	})
	return c
}

func testPolicies(c *cobra.Command, path string, environ config.Environment) error {
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
	if _, err := fmt.Fprintf(c.OutOrStdout(), "%s, %d failed\n", count(len(results), "test"), failures); err != nil {
		return failed(err)
	}
	if failures > 0 {
		return &exit{code: ExitDeny}
	}
	return nil
}
