package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

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
			"reason, and what the inventory has about the device. It needs the variables of the provider only, and opens\n" +
			"no port, so it can run beside the daemon.\n\n" +
			"IDENTIFIER is what the device attests: for Apple devices the serial number.\n" +
			"Exit status: 0 allow, 2 deny, 1 the provider could not answer.",
		Example: "  step-posture-connector lookup C02XK1JKLVCG --mode computer\n" +
			"  step-posture-connector lookup C02XK1JKLVCG --json",
		Args: oneIdentifier,
		RunE: func(c *cobra.Command, args []string) error {
			deviceType, err := posture.ParseDeviceType(mode)
			if err != nil {
				return fmt.Errorf("--mode: %w", err) // a wrong command line
			}
			f, err := lookup(c, load, args[0], deviceType)
			var errWrite error
			switch {
			case asJSON && err != nil:
				errWrite = encode(c.OutOrStdout(), noDecision{Decision: "error", Error: oneLine(err), Identifier: args[0], Warnings: f.Warnings})
				err = &exit{code: ExitError} // what is wrong is in the JSON
			case asJSON:
				errWrite = encode(c.OutOrStdout(), f)
			default:
				// Without a decision too: one of them may name the cause.
				for _, warning := range f.Warnings {
					_, _ = fmt.Fprintln(c.ErrOrStderr(), "warning:", visible(warning))
				}
				if err == nil {
					errWrite = f.print(c.OutOrStdout())
				}
			}
			switch {
			case err != nil:
				return err
			case errWrite != nil:
				return failed(errWrite)
			case f.Decision != allow:
				return &exit{code: ExitDeny}
			}
			return nil
		},
	}
	c.Flags().StringVar(&mode, "mode", "", "kind of device: mobiledevice, computer or any (default: the provider's)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	modes := []string{string(posture.MobileDevice), string(posture.Computer), string(posture.AnyDevice)}
	_ = c.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions(modes, cobra.ShellCompDirectiveNoFileComp))
	return c
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

const (
	allow = "allow"
	deny  = "deny"
)

// finding is what lookup prints. A certificate template would get the data as .Webhooks.NAME.
type finding struct {
	Decision   string          `json:"decision"`
	Code       posture.Code    `json:"code,omitempty"`
	Reason     string          `json:"reason"`
	Identifier string          `json:"identifier"`
	Provider   string          `json:"provider"`
	Mode       string          `json:"mode,omitempty"`
	Record     *record         `json:"record,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
	Warnings   []string        `json:"warnings,omitempty"`

	modeGiven bool // it is not only the provider's default
}

// noDecision is what lookup prints as JSON when it gets no decision.
type noDecision struct {
	Decision   string   `json:"decision"`
	Error      string   `json:"error"`
	Identifier string   `json:"identifier"`
	Warnings   []string `json:"warnings,omitempty"`
}

// record is what the inventory has of the device.
type record struct {
	Identifier string             `json:"identifier"`
	Type       posture.DeviceType `json:"type,omitempty"`
	Managed    bool               `json:"managed"`
	Groups     []string           `json:"groups"`
}

func lookup(c *cobra.Command, load func() (*daemon.Inventory, error), text string, deviceType posture.DeviceType) (finding, error) {
	d, err := load()
	if err != nil {
		return finding{}, err
	}
	f := finding{Decision: deny, Identifier: text, Provider: d.Provider(), Warnings: d.Warnings, modeGiven: deviceType != ""}
	id, invalid := posture.ParseIdentifier(text)
	if invalid != nil {
		return f.refused(invalid), nil
	}
	q := posture.Query{Identifier: id, Type: deviceType}
	f.Mode = string(d.TypeOf("", q))
	decision, err := d.Decide(c.Context(), "", q, &posture.Evidence{})
	if err != nil {
		return f, failed(fmt.Errorf("no decision: %w", err))
	}
	if decision.Allowed() {
		f.Decision = allow
	}
	f.Code, f.Reason = decision.Code(), decision.Reason()
	if device := decision.Device(); device.Identifier != "" {
		managed, _ := device.Facts.Managed.Get()
		groups, _ := device.Facts.Groups.Get()
		f.Record = &record{device.Identifier, device.Type, managed, append([]string{}, groups...)}
		f.Data = device.Data
		if len(f.Data) == 0 {
			f.Data = json.RawMessage("{}")
		}
	}
	return f, nil
}

// refused is the finding about an invalid identifier: the webhook refuses it without asking the provider.
func (f finding) refused(invalid error) finding {
	f.Code, f.Reason = posture.IdentifierInvalid, invalid.Error()
	return f
}

// print writes the finding for people.
func (f finding) print(out io.Writer) error {
	var text strings.Builder
	switch _, invalid := posture.ParseIdentifier(f.Identifier); {
	case f.Decision == allow:
		_, _ = fmt.Fprintf(&text, "[ALLOW] %s\n", f.Identifier)
	case invalid != nil: // it may have any length, and control characters
		_, _ = fmt.Fprintf(&text, "[DENY] (%s)\n", f.Code)
	default:
		_, _ = fmt.Fprintf(&text, "[DENY] %s (%s)\n", f.Identifier, f.Code)
	}
	_, _ = fmt.Fprintf(&text, "reason: %s\n", visible(f.Reason))
	if f.Mode != "" {
		_, _ = fmt.Fprintf(&text, "mode: %s", f.Mode)
		if !f.modeGiven {
			text.WriteString(" (the default; --mode computer, mobiledevice or any chooses)")
		}
		text.WriteByte('\n')
	}
	if f.Record != nil {
		text.WriteString(f.Record.String())
		_, _ = fmt.Fprintf(&text, "data: %s\n", visible(compact(f.Data)))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// compact removes the line ends and spaces between the parts of the data.
func compact(data json.RawMessage) string {
	var short bytes.Buffer
	if err := json.Compact(&short, data); err != nil {
		return string(data)
	}
	return short.String()
}

func (r record) String() string {
	kind, managed := r.Type, "managed"
	if kind == "" {
		kind = "device"
	}
	if !r.Managed {
		managed = "not managed"
	}
	text := fmt.Sprintf("record: %s, %s, %s\n", visible(r.Identifier), kind, managed)
	if len(r.Groups) > 0 {
		text += fmt.Sprintf("groups: %s\n", quoted(r.Groups))
	}
	return text
}
