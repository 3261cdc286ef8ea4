package command

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/posture"
)

func lookupCommand(load func() (*daemon.Inventory, error)) *cobra.Command {
	var mode string
	var asJSON bool
	c := &cobra.Command{
		Use:   "lookup IDENTIFIER",
		Short: "Print the decision about one device, with the reason",
		Long: "lookup asks the provider about one device and prints the decision that the webhook would make, the\n" +
			"reason, and what the inventory knows about the device. It opens no port, so it can run beside the daemon.\n\n" +
			"IDENTIFIER is what the device attests: for Apple devices the serial number.\n" +
			"Exit status: 0 allow, 2 deny, 1 the provider could not answer.",
		Example: "  step-posture-connector lookup C02XK1JKLVCG --mode computer\n" +
			"  step-posture-connector lookup C02XK1JKLVCG --json",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			deviceType, err := posture.ParseDeviceType(mode)
			if err != nil {
				return fmt.Errorf("--mode: %w", err) // a wrong command line
			}
			d, err := load()
			if err != nil {
				return err
			}
			f, err := lookup(c, d, args[0], deviceType)
			if err != nil {
				return failed(fmt.Errorf("no decision: %w", err))
			}
			write := f.print
			if asJSON {
				write = f.encode
			}
			if err := write(c.OutOrStdout()); err != nil {
				return failed(err)
			}
			if f.Decision != allow {
				return &exit{code: ExitDeny}
			}
			return nil
		},
	}
	c.Flags().StringVar(&mode, "mode", "", "kind of device: mobiledevice, computer or any (default: as the provider chooses)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	modes := []string{string(posture.MobileDevice), string(posture.Computer), string(posture.AnyDevice)}
	_ = c.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions(modes, cobra.ShellCompDirectiveNoFileComp))
	return c
}

const (
	allow = "allow"
	deny  = "deny"
)

// finding is what lookup prints. The data is what a certificate template would get as .Webhooks.NAME.
type finding struct {
	Decision   string          `json:"decision"`
	Code       posture.Code    `json:"code,omitempty"`
	Reason     string          `json:"reason"`
	Identifier string          `json:"identifier"`
	Provider   string          `json:"provider"`
	Mode       string          `json:"mode,omitempty"`
	Record     *record         `json:"record,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
}

// record is what the inventory has of the device.
type record struct {
	Identifier string             `json:"identifier"`
	Type       posture.DeviceType `json:"type,omitempty"`
	Managed    bool               `json:"managed"`
	Groups     []string           `json:"groups"`
}

func lookup(c *cobra.Command, d *daemon.Inventory, text string, deviceType posture.DeviceType) (finding, error) {
	f := finding{Decision: deny, Identifier: text, Provider: d.Provider()}
	id, invalid := posture.ParseIdentifier(text)
	if invalid != nil {
		f.Code, f.Reason = posture.IdentifierInvalid, invalid.Error()
		return f, nil //nolint:nilerr // a refusal, as the webhook has it
	}
	q := posture.Query{Identifier: id, Type: deviceType}
	f.Mode = string(d.TypeOf(q))
	decision, err := d.Decide(c.Context(), q)
	if err != nil {
		return f, err //nolint:wrapcheck // the caller says what it is about
	}
	if decision.Allowed() {
		f.Decision = allow
	}
	f.Code, f.Reason = decision.Code(), decision.Reason()
	if device := decision.Device(); device.Identifier != "" {
		f.Record = &record{device.Identifier, device.Type, device.Managed, append([]string{}, device.Groups...)}
		f.Data = device.Data
		if len(f.Data) == 0 {
			f.Data = json.RawMessage("{}")
		}
	}
	return f, nil
}

// encode writes the finding as one JSON object.
func (f finding) encode(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(f) //nolint:wrapcheck // it says what it is about
}

// print writes the finding for people.
func (f finding) print(out io.Writer) error {
	verdict := fmt.Sprintf("[ALLOW] %s\nreason: %s\n", f.Identifier, f.Reason)
	if f.Decision != allow {
		name := f.Identifier + " "
		if _, err := posture.ParseIdentifier(f.Identifier); err != nil {
			name = "" // it may hold what a terminal obeys
		}
		verdict = fmt.Sprintf("[DENY] %s(%s)\nreason: %s\n", name, f.Code, f.Reason)
	}
	if f.Record != nil {
		verdict += f.Record.describe() + fmt.Sprintf("data: %s\n", f.Data)
	}
	_, err := io.WriteString(out, verdict)
	return err //nolint:wrapcheck // it says what it is about
}

func (r record) describe() string {
	kind, managed := r.Type, "managed"
	if kind == "" {
		kind = "device"
	}
	if !r.Managed {
		managed = "not managed"
	}
	text := fmt.Sprintf("record: %q, %s, %s\n", r.Identifier, kind, managed)
	if len(r.Groups) > 0 {
		text += fmt.Sprintf("groups: %q\n", r.Groups)
	}
	return text
}
