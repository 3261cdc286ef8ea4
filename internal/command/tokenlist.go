package command

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/tokenapi"
)

func tokenListCommand(load func() (*daemon.Tokens, error)) *cobra.Command {
	var (
		identifier string
		asJSON     bool
	)
	c := &cobra.Command{
		Use:   "list",
		Short: "Print the enrolment tokens, the newest first",
		Long: "list prints the enrolment tokens of all policies, the newest first: for which device, whether they are live, used,\n" +
			"expired or revoked, and who had them issued. Used and expired ones are listed for 7 days. No token itself is\n" +
			"known any more. It needs STATE_URL only, opens no port, and can run beside the daemon.\n" +
			"Exit status: 0 also without any, 1 the database does not exist or does not answer.",
		Example: "  step-posture-connector token list --identifier C02XK1JKLVCG\n" +
			"  step-posture-connector token list --json | jq '.tokens[] | select(.state == \"live\")'",
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.NoArgs(c, args); err != nil {
				return err
			}
			if !c.Flags().Changed(flagIdentifier) {
				return nil
			}
			if identifier == "" {
				// Not all devices: a script's variable may be empty by mistake.
				return fmt.Errorf("--%s: it is empty; leave the flag out for all devices", flagIdentifier)
			}
			if _, err := posture.ParseRequested(identifier); err != nil {
				return fmt.Errorf("--%s: %w", flagIdentifier, err)
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			tokens, err := load()
			if err != nil {
				return err
			}
			list, err := tokens.List(c.Context(), identifier)
			if err != nil {
				return failed(tokenError(c, err))
			}
			if asJSON {
				err = encode(c.OutOrStdout(), list)
			} else {
				err = printTokens(c.OutOrStdout(), list)
			}
			if err != nil {
				return failed(err)
			}
			if list.More && !asJSON {
				_, _ = fmt.Fprintf(c.ErrOrStderr(), "note: only the newest %d are listed; --identifier lists those of one device\n", len(list.Tokens))
			}
			return nil
		},
	}
	c.Flags().StringVar(&identifier, flagIdentifier, "", "only those that are for this device, or were redeemed by it")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	_ = c.RegisterFlagCompletionFunc(flagIdentifier, cobra.NoFileCompletions)
	return c
}

// printTokens writes a table for people.
func printTokens(out io.Writer, list tokenapi.List) error {
	const gap = 2
	table := tabwriter.NewWriter(out, 0, 0, gap, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tSTATE\tPOLICY\tIDENTIFIER\tUDID\tCREATED\tEXPIRES\tUSED\tCLIENT") // a failure is that of Flush too
	for _, t := range list.Tokens {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", visible(t.ID), t.State, visible(t.Policy),
			orDash(t.Identifier), orDash(t.UDID), orDash(t.CreatedAt), orDash(t.ExpiresAt), orDash(t.BoundAt), orDash(t.Client))
	}
	return table.Flush()
}

func orDash(text *string) string {
	if text == nil {
		return "-"
	}
	return visible(*text)
}
