package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/daemon"
)

func tokenCommand(load func() (*daemon.Tokens, error), loadIssuer func() (*daemon.TokenIssuer, error)) *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Issue, list and revoke enrolment tokens",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return fmt.Errorf("token: what should be done? Usage: %[1]s issue --policy NAME --identifier ID, %[1]s list, or %[1]s revoke ID", c.CommandPath())
		},
	}
	c.AddCommand(tokenIssueCommand(loadIssuer), tokenListCommand(load), tokenRevokeCommand(load))
	return c
}
