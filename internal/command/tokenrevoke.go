package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/daemon"
)

func tokenRevokeCommand(load func() (*daemon.Tokens, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke an enrolment token",
		Long: "revoke ends a token by its ID, which issue and list print. Nobody can redeem it any more, and the key that has\n" +
			"redeemed it is refused from now on; a certificate that was issued stays valid. It prints nothing.\n" +
			"It needs STATE_URL only, opens no port, and can run beside the daemon.\n" +
			"Exit status: 0 it is revoked, maybe by an earlier call; 1 there is no such token, or no database.",
		Example: "  step-posture-connector token revoke 4J7WQ2M5TLRA6ZK3EXNUB6YHCD",
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) != 1:
				return fmt.Errorf("token revoke: one token at a time. Usage: %s ID", c.CommandPath())
			case args[0] == "":
				return errors.New("token revoke: the ID is empty; accepted: an ID that token list prints")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			tokens, err := load()
			if err != nil {
				return err
			}
			if err := tokens.Revoke(c.Context(), args[0]); err != nil {
				return failed(tokenError(c, err))
			}
			return nil
		},
	}
}
