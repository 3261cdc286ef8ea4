package command

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/health"
)

func healthcheckCommand(environ func() (config.Environment, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the running daemon how it is",
		Long: "healthcheck asks the daemon that runs on this machine at HEALTH_ADDRESS whether it can answer, and\n" +
			"prints each check. It is for the health checks of containers, in whose image there is no curl.\n" +
			"Exit status: 0 it can, though something may be degraded; 1 it cannot, or does not answer.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			environ, err := environ()
			if err != nil {
				return err
			}
			var listener config.Health
			if problems := config.Parse(environ.Variables, &listener); len(problems) > 0 {
				return failed(fmt.Errorf("%s\n%w", headline, problems))
			}
			if listener.HealthAddress.Off() {
				return failed(errors.New("HEALTH_ADDRESS is off, so the daemon cannot be asked"))
			}
			report, err := health.Ask(c.Context(), string(listener.HealthAddress))
			if err != nil {
				return failed(err)
			}
			_, _ = fmt.Fprintln(c.OutOrStdout(), report.Status)
			for _, name := range slices.Sorted(maps.Keys(report.Checks)) {
				if check := report.Checks[name]; check.Message != "" {
					_, _ = fmt.Fprintf(c.OutOrStdout(), "%s: %s: %s\n", name, check.Status, check.Message)
				}
			}
			if report.Status == health.Unavailable {
				return &exit{code: ExitError}
			}
			return nil
		},
	}
}
