package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/posture"
)

// lookupOptions are the flags of lookup.
type lookupOptions struct {
	mode, policy, webhook, list string
	asJSON                      bool
}

// The flags that need a policy file.
const (
	flagPolicy  = "policy"
	flagWebhook = "webhook"
	flagFrom    = "from"
)

func lookupCommand(environ func() (config.Environment, error), load func() (*daemon.Inventory, error)) *cobra.Command {
	var o lookupOptions
	c := &cobra.Command{
		Use:   "lookup IDENTIFIER...",
		Short: "Print the decision about a device, with the reason",
		Long: "lookup asks the provider about one device and prints the decision that the webhook would make, the\n" +
			"reason, and what the inventory has about the device. It needs the variables of the provider only, and opens\n" +
			"no port, so it can run beside the daemon.\n\n" +
			"IDENTIFIER is what the device attests: for Apple devices the serial number.\n" +
			"Exit status: 0 allow, 2 deny, 1 the provider could not answer.\n\n" +
			"With POLICY_PATH it decides by a policy of the file, and also prints every known fact, what each rule says and\n" +
			"has read, and what the other inventories say. It needs what the inventories need, not the secrets of webhooks.\n" +
			"The policy is that of --policy or --webhook, else the only one, else the one named default.\n\n" +
			"It takes several devices then: as arguments, and from the list of --from, which has one identifier a line, or\n" +
			"is CSV with the header Identifier above the first column. Empty lines and comments that begin with # do not\n" +
			"count. With --json it prints one object a device, each in a line. Of several devices the exit status is 1 if\n" +
			"one had no decision, else 2 if one is denied, else 0.\n\n" +
			"There is no request. Of one, rules know its identifier, its mode, its door (webhook), and with --webhook its\n" +
			"caller; everything else of request is unknown, a rule that needs it is not met, and a note says so.",
		Example: "  step-posture-connector lookup C02XK1JKLVCG --mode computer\n" +
			"  step-posture-connector lookup C02XK1JKLVCG --json\n" +
			"  step-posture-connector lookup C02XK1JKLVCG --policy staff\n" +
			"  step-posture-connector lookup --from serials.txt --webhook devices --json",
		Args: func(c *cobra.Command, args []string) error { return o.check(c, args, environ) },
		RunE: func(c *cobra.Command, args []string) error { return o.run(c, args, load) },
	}
	c.Flags().StringVar(&o.mode, "mode", "", "kind of device: mobiledevice, computer or any (default: the policy's, or the provider's)")
	c.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&o.policy, flagPolicy, "", "decide by the policy with this name")
	c.Flags().StringVar(&o.webhook, flagWebhook, "", "decide by the policy of the webhook with this name or ID")
	c.Flags().StringVar(&o.list, flagFrom, "", "file with more identifiers; - is standard input")
	modes := []string{string(posture.MobileDevice), string(posture.Computer), string(posture.AnyDevice)}
	_ = c.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions(modes, cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{flagPolicy, flagWebhook} {
		_ = c.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	return c
}

func (o *lookupOptions) run(c *cobra.Command, args []string, load func() (*daemon.Inventory, error)) error {
	deviceType, err := posture.ParseDeviceType(o.mode)
	if err != nil {
		return fmt.Errorf("--mode: %w", err) // a wrong command line
	}
	d, err := load()
	switch {
	case err != nil:
		return o.cannotLoad(c, args, err)
	case len(d.Policies()) > 0:
		return o.explain(c, d, args, deviceType)
	}
	return o.lookup(c, d, args[0], deviceType)
}

// check checks the command line. Without a policy file it takes one identifier, as ever.
func (o *lookupOptions) check(c *cobra.Command, args []string, load func() (config.Environment, error)) error {
	environ, err := load()
	given := "" // one of the flags that need a policy file, rather one that is empty
	values := map[string]string{flagPolicy: o.policy, flagWebhook: o.webhook, flagFrom: o.list}
	for _, name := range []string{flagPolicy, flagWebhook, flagFrom} {
		if c.Flags().Changed(name) && (given == "" || values[name] == "") {
			given = name
		}
	}
	switch {
	case err != nil && given != "":
		return nil // it is reported when the configuration is loaded
	case err != nil || environ.Variables["POLICY_PATH"] == "" && given == "":
		return oneIdentifier(c, args)
	case environ.Variables["POLICY_PATH"] == "":
		return fmt.Errorf("--%s: there is no policy file; POLICY_PATH names one", given)
	}
	switch {
	case given != "" && values[given] == "":
		// Not the default: a script's variable may be empty by mistake.
		return fmt.Errorf("--%s: it is empty; leave the flag out for the default", given)
	case o.policy != "" && o.webhook != "":
		return errors.New("--policy and --webhook are given together; accepted: one of the two, because a webhook has one policy")
	case len(args) == 0 && o.list == "":
		return fmt.Errorf("lookup: which device? Usage: %s IDENTIFIER... [--policy NAME | --webhook NAME] [--from FILE] [--mode mobiledevice|computer|any] [--json]", c.CommandPath())
	}
	return nil
}

// oneIdentifier returns the usage when no identifier is given, or several.
func oneIdentifier(c *cobra.Command, args []string) error {
	const usage = "Usage: %s IDENTIFIER [--mode mobiledevice|computer|any] [--json]"
	switch len(args) {
	case 1:
		return nil
	case 0:
		return fmt.Errorf("lookup: which device? "+usage, c.CommandPath())
	default:
		return fmt.Errorf("lookup: one device at a time, %d were given. "+usage, len(args), c.CommandPath())
	}
}

// cannotLoad prints that nothing can be decided, as JSON if that is wanted.
func (o *lookupOptions) cannotLoad(c *cobra.Command, args []string, err error) error {
	if !o.asJSON {
		return err
	}
	f := noDecision{Decision: noneMade, Error: oneLine(err)}
	if len(args) > 0 && o.list == "" {
		f.Identifier = args[0]
	}
	if errWrite := encode(c.OutOrStdout(), f); errWrite != nil {
		return failed(errWrite)
	}
	return &exit{code: ExitError} // what is wrong is in the JSON
}
