package command

import (
	"fmt"

	"github.com/spf13/cobra"
)

func serveCommand(load loader) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon (what happens without a command)",
		Long: "serve answers step-ca's webhooks on PORT until SIGTERM or SIGINT. Then it closes the listener,\n" +
			"finishes the requests under way within 15 seconds, and exits 0; or 1 when it had to cut some off.\n" +
			"A second signal ends it at once.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := load()
			if err != nil {
				return err
			}
			if err := d.Serve(c.Context(), d.Logger(c.ErrOrStderr())); err != nil {
				return failed(err)
			}
			return nil
		},
	}
}

func checkCommand(load loader) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check configuration and provider, and print what was found",
		Long: "check loads and validates the whole configuration, opens the provider and contacts it once.\n" +
			"It opens no port, so it can run beside the daemon. Exit status: 0 all is well, 1 something is wrong.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d, err := load()
			if err != nil {
				return err
			}
			found, err := d.Check(c.Context())
			if err != nil {
				return failed(err)
			}
			for _, warning := range d.Warnings {
				_, _ = fmt.Fprintln(c.OutOrStdout(), "warning:", warning)
			}
			for _, line := range append(d.Describe(), found) {
				_, _ = fmt.Fprintln(c.OutOrStdout(), line)
			}
			_, _ = fmt.Fprintln(c.OutOrStdout(), "ok")
			return nil
		},
	}
}
