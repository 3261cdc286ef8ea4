package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/health"
)

func healthcheckCommand(environ func() (config.Environment, error)) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask the running daemon for its health",
		Long: "healthcheck asks the daemon that runs on this machine at HEALTH_ADDRESS whether it can answer, and\n" +
			"prints each check. It is for the health checks of containers, whose image has no curl.\n" +
			"Exit status: 0 it can, maybe degraded; 1 it cannot, or does not answer.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			report, err := askDaemon(c.Context(), environ)
			if asJSON {
				answer := struct {
					health.Report
					Error string `json:"error,omitempty"`
				}{Report: report}
				if err != nil {
					answer.Report = health.Report{Status: health.Unavailable, Checks: map[string]health.Result{}}
					answer.Error = oneLine(err)
				}
				if err := encode(c.OutOrStdout(), answer); err != nil {
					return failed(err)
				}
				report.Status = answer.Status
			} else {
				if err != nil {
					return err
				}
				printHealth(c.OutOrStdout(), report)
			}
			if report.Status == health.Unavailable {
				return &exit{code: ExitError}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// askDaemon asks the daemon at HEALTH_ADDRESS.
func askDaemon(ctx context.Context, environ func() (config.Environment, error)) (health.Report, error) {
	environment, err := environ()
	if err != nil {
		return health.Report{}, err
	}
	var listener config.Health
	if problems := config.Parse(environment.Variables, &listener); len(problems) > 0 {
		return health.Report{}, misconfigured(problems)
	}
	if listener.HealthAddress.Off() {
		return health.Report{}, failed(errors.New("HEALTH_ADDRESS is off, so the daemon cannot be asked"))
	}
	report, err := health.Ask(ctx, string(listener.HealthAddress))
	if err != nil {
		return health.Report{}, failed(err)
	}
	return report, nil
}

// printHealth writes the status, and each check that has a message.
func printHealth(out io.Writer, report health.Report) {
	_, _ = fmt.Fprintln(out, visible(string(report.Status)))
	for _, name := range slices.Sorted(maps.Keys(report.Checks)) {
		if check := report.Checks[name]; check.Message != "" {
			_, _ = fmt.Fprintln(out, visible(fmt.Sprintf("%s: %s: %s", name, check.Status, check.Message)))
		}
	}
}
