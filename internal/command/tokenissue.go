package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/tokenapi"
)

// The other flags of token issue.
const (
	flagIdentifier = "identifier"
	flagUDID       = "udid"
	flagLifetime   = "lifetime"
)

// tokenOptions are the flags of token issue.
type tokenOptions struct{ policy, identifier, udid, lifetime string }

func tokenIssueCommand(load func() (*daemon.TokenIssuer, error)) *cobra.Command {
	var (
		o      tokenOptions
		wanted enroll.Wanted
	)
	c := &cobra.Command{
		Use:   "issue --policy NAME {--identifier ID | --udid UDID}",
		Short: "Issue an enrolment token for a device, and print it",
		Long: "issue makes a single-use enrolment token, or SCEP challenge, for one device under a policy that requires one, and\n" +
			"prints one JSON object with its id, the token, and when it expires. The token is shown only this once: the\n" +
			"database has no more than a hash of it.\n" +
			"Name the device by its identifier, its UDID, or both. The policy may be left out where only one requires a token.\n" +
			"The lifetime is that of the policy, or a shorter one: 90s, 5m, 2h, 7d.\n" +
			"It needs STATE_URL and the policy file, no secrets of inventories and webhooks. It opens no port and can run\n" +
			"beside the daemon, which must have been started once before.\n" +
			"Exit status: 0 the token was issued, 1 it was not.",
		Example: "  step-posture-connector token issue --policy enrolment --identifier C02XK1JKLVCG\n" +
			"  step-posture-connector token issue --udid 00008112-000A1B2C3D4E5F60 --lifetime 90s | jq -r .token",
		Args: func(c *cobra.Command, args []string) (err error) {
			if err := cobra.NoArgs(c, args); err != nil {
				return err
			}
			wanted, err = o.check(c)
			return err
		},
		RunE: func(c *cobra.Command, _ []string) error {
			issuer, err := load()
			if err != nil {
				return err
			}
			if o.policy == "" {
				if o.policy, err = onlyPolicy(issuer.Policies()); err != nil {
					return err
				}
			}
			return issueToken(c, issuer, o.policy, wanted)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.policy, flagPolicy, "", "the policy under which the token is redeemed; it requires one")
	flags.StringVar(&o.identifier, flagIdentifier, "", "the identifier of the device: what it attests, for Apple devices the serial number")
	flags.StringVar(&o.udid, flagUDID, "", "the UDID of the device")
	flags.StringVar(&o.lifetime, flagLifetime, "", "how long the token can be redeemed, such as 5m (default: as long as the policy says, which is the most)")
	for _, name := range []string{flagPolicy, flagIdentifier, flagUDID, flagLifetime} {
		_ = c.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	return c
}

// check checks the command line. The error does not repeat what was given.
func (o *tokenOptions) check(c *cobra.Command) (w enroll.Wanted, err error) {
	for name, value := range map[string]string{flagPolicy: o.policy, flagIdentifier: o.identifier, flagUDID: o.udid, flagLifetime: o.lifetime} {
		if c.Flags().Changed(name) && value == "" {
			// Not as if it were left out: a script's variable may be empty by mistake, and the token would be for less than is meant.
			return w, fmt.Errorf("--%s: it is empty; leave the flag out, or give a value", name)
		}
	}
	if o.identifier == "" && o.udid == "" {
		return w, errors.New("token issue: for which device? Give --identifier, --udid, or both")
	}
	if o.identifier != "" {
		if _, err := posture.ParseRequested(o.identifier); err != nil {
			return w, fmt.Errorf("--%s: %w", flagIdentifier, err)
		}
	}
	if o.udid != "" {
		if _, err := posture.ParseIdentifier(o.udid); err != nil {
			return w, fmt.Errorf("--%s: %w", flagUDID, err)
		}
	}
	w = enroll.Wanted{Identifier: o.identifier, UDID: o.udid}
	if o.lifetime != "" {
		if w.Lifetime, err = tokenapi.ParseLifetime(o.lifetime); err != nil {
			return w, fmt.Errorf("--%s: it %w", flagLifetime, err)
		}
	}
	return w, nil
}

// onlyPolicy is the one that requires a token, if there is one.
func onlyPolicy(names []string) (string, error) {
	switch len(names) {
	case 1:
		return names[0], nil
	case 0:
		return "", failed(errors.New("token issue: no policy requires an enrolment token; one does with token: {required: true} in the policy file, which POLICY_PATH names"))
	}
	return "", fmt.Errorf("token issue: which policy? Give --policy; accepted: %s", strings.Join(names, ", "))
}

func issueToken(c *cobra.Command, issuer *daemon.TokenIssuer, policy string, wanted enroll.Wanted) error {
	issued, err := issuer.Issue(c.Context(), policy, wanted)
	if err != nil {
		return failed(tokenError(c, err))
	}
	if err := encode(c.OutOrStdout(), issued); err != nil {
		return failed(fmt.Errorf("the token %s was issued, and could not be printed; revoke it with: token revoke %[1]s: %w", issued.ID, err))
	}
	if isTerminal(c.ErrOrStderr()) {
		_, _ = fmt.Fprintln(c.ErrOrStderr(), "note: the token is shown only this once")
	}
	return nil
}

// tokenError is the error of a subcommand of token, in one word where it was interrupted.
func tokenError(c *cobra.Command, err error) error {
	if c.Context().Err() != nil {
		err = errors.New(interrupted)
	}
	return fmt.Errorf("token %s: %w", c.Name(), err)
}
