package command

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/posture"
)

// lookupOptions are the flags of lookup.
type lookupOptions struct {
	mode, policy, webhook, list string
	asJSON                      bool

	sample, inventory string
	status            int
}

// The flags that need a policy file.
const (
	flagPolicy  = "policy"
	flagWebhook = "webhook"
	flagFrom    = "from"

	flagSample    = "sample"
	flagStatus    = "status"
	flagInventory = "inventory"
)

func lookupCommand(environ func() (config.Environment, error), load func() (*daemon.Inventory, error), loadSample func(*daemon.Sample) (*daemon.Inventory, error)) *cobra.Command {
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
			"With --sample, --inventory and --status it reads a recorded answer of an inventory of the provider http in place of\n" +
			"the service: a mapping can be tried without network and secrets. It also names the step of the outcome rule that\n" +
			"decided. Other inventories of the policy are not asked.\n\n" +
			"There is no request. Of one, rules know its identifier, its mode, its door (webhook), and with --webhook its\n" +
			"caller; everything else of request is unknown, a rule that needs it is not met, and a note says so.",
		Example: "  step-posture-connector lookup C02XK1JKLVCG --mode computer\n" +
			"  step-posture-connector lookup C02XK1JKLVCG --json\n" +
			"  step-posture-connector lookup C02XK1JKLVCG --policy staff\n" +
			"  step-posture-connector lookup --from serials.txt --webhook devices --json\n" +
			"  step-posture-connector lookup C02XK1JKLVCG --sample answer.json --status 200 --inventory assets",
		Args: func(c *cobra.Command, args []string) error { return o.check(c, args, environ) },
		RunE: func(c *cobra.Command, args []string) error {
			if o.sample != "" {
				return o.runSample(c, args, loadSample)
			}
			return o.run(c, args, load)
		},
	}
	c.Flags().StringVar(&o.mode, "mode", "", "kind of device: mobiledevice, computer or any (default: the policy's, or the provider's)")
	c.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&o.policy, flagPolicy, "", "decide by the policy with this name")
	c.Flags().StringVar(&o.webhook, flagWebhook, "", "decide by the policy of the webhook with this name or ID")
	c.Flags().StringVar(&o.list, flagFrom, "", "file with more identifiers; - is standard input")
	c.Flags().StringVar(&o.sample, flagSample, "", "file with a recorded answer of --inventory; - is standard input")
	c.Flags().IntVar(&o.status, flagStatus, http.StatusOK, "HTTP status of the recorded answer")
	c.Flags().StringVar(&o.inventory, flagInventory, "", "name of the inventory that the recorded answer is of")
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
	values := map[string]string{flagPolicy: o.policy, flagWebhook: o.webhook, flagFrom: o.list, flagSample: o.sample, flagInventory: o.inventory, flagStatus: "set"}
	for _, name := range []string{flagPolicy, flagWebhook, flagFrom, flagSample, flagInventory, flagStatus} {
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
	case (o.sample == "") != (o.inventory == "") || c.Flags().Changed(flagStatus) && o.sample == "":
		return errors.New("--sample, --inventory and --status belong together; accepted: --sample FILE --inventory NAME [--status N]")
	case o.sample != "" && (len(args) != 1 || o.list != ""):
		return errors.New("--sample: accepted: one identifier, without --from")
	case o.sample != "" && (o.status < 100 || o.status > 599):
		return errors.New("--status: it is no status of HTTP; accepted: 100 to 599")
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
		f.Identifier = posture.HideTokens(args[0])
	}
	if errWrite := encode(c.OutOrStdout(), f); errWrite != nil {
		return failed(errWrite)
	}
	return &exit{code: ExitError} // what is wrong is in the JSON
}
