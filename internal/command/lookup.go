package command

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/posture"
)

func lookupCommand(load loader) *cobra.Command {
	var mode string
	c := &cobra.Command{
		Use:   "lookup IDENTIFIER",
		Short: "Print the decision about one device, with the reason",
		Long: "lookup asks the provider about one device and prints the decision that the webhook would make.\n" +
			"Exit status: 0 allow, 2 deny, 1 the provider could not answer.",
		Example: "  step-posture-connector lookup C02XK1JKLVCG --mode computer",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			deviceType, err := posture.ParseDeviceType(mode)
			if err != nil {
				return err // a wrong command line
			}
			d, err := load()
			if err != nil {
				return err
			}
			return lookup(c.Context(), c.OutOrStdout(), d.Decide, args[0], deviceType)
		},
	}
	c.Flags().StringVar(&mode, "mode", "", "kind of device: mobiledevice, computer or any (default: as the provider chooses)")
	return c
}

func lookup(ctx context.Context, out io.Writer, decide func(context.Context, posture.Query) (posture.Decision, error), text string, deviceType posture.DeviceType) error {
	id, err := posture.ParseIdentifier(text)
	if err != nil {
		_, _ = fmt.Fprintf(out, "[DENY] (identifierInvalid)\nreason: %v\n", err)
		return &exit{code: ExitDeny}
	}
	decision, err := decide(ctx, posture.Query{Identifier: id, Type: deviceType})
	if err != nil {
		return failed(fmt.Errorf("no decision: %w", err))
	}
	if !decision.Allowed() {
		_, _ = fmt.Fprintf(out, "[DENY] %s (%s)\nreason: %s\n", id, decision.Code(), decision.Reason())
		printRecord(out, decision.Device())
		return &exit{code: ExitDeny}
	}
	_, _ = fmt.Fprintf(out, "[ALLOW] %s\nreason: %s\n", id, decision.Reason())
	printRecord(out, decision.Device())
	return nil
}

// printRecord prints what the inventory knows about the device, where it has it. The data is what a
// certificate template would get as .Webhooks.NAME.
func printRecord(out io.Writer, d posture.Device) {
	if d.Identifier == "" {
		return
	}
	kind, managed, data := d.Type, "managed", d.Data
	if kind == "" {
		kind = "device"
	}
	if !d.Managed {
		managed = "not managed"
	}
	if len(data) == 0 {
		data = []byte("{}")
	}
	_, _ = fmt.Fprintf(out, "record: %q, %s, %s\n", d.Identifier, kind, managed)
	if len(d.Groups) > 0 {
		_, _ = fmt.Fprintf(out, "groups: %q\n", d.Groups)
	}
	_, _ = fmt.Fprintf(out, "data: %s\n", data)
}
