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

// The words for a decision.
const (
	allow    = "allow"
	deny     = "deny"
	noneMade = "error"
)

// finding is what lookup prints without a policy file. A certificate template would get the data as .Webhooks.NAME.
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

// lookup asks about one device, without a policy file.
func (o *lookupOptions) lookup(c *cobra.Command, d *daemon.Inventory, text string, deviceType posture.DeviceType) error {
	f, err := find(c, d, text, deviceType)
	var errWrite error
	switch {
	case o.asJSON && err != nil:
		errWrite = encode(c.OutOrStdout(), noDecision{Decision: noneMade, Error: oneLine(err), Identifier: text, Warnings: f.Warnings})
		err = &exit{code: ExitError} // what is wrong is in the JSON
	case o.asJSON:
		errWrite = encode(c.OutOrStdout(), f)
	default:
		// Without a decision too: one of them may name the cause.
		warn(c, f.Warnings)
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
}

func warn(c *cobra.Command, warnings []string) {
	for _, warning := range warnings {
		_, _ = fmt.Fprintln(c.ErrOrStderr(), "warning:", visible(warning))
	}
}

func find(c *cobra.Command, d *daemon.Inventory, text string, deviceType posture.DeviceType) (finding, error) {
	f := finding{Decision: deny, Identifier: posture.HideTokens(text), Provider: d.Provider(), Warnings: d.Warnings, modeGiven: deviceType != ""}
	id, invalid := posture.ParseIdentifier(text)
	if invalid != nil {
		return f.refused(invalid), nil
	}
	q := posture.Query{Identifier: id, Type: deviceType}
	f.Mode = string(d.TypeOf("", q))
	decision, err := d.Decide(c.Context(), "", q, &posture.Evidence{Reference: posture.NoReference})
	if err != nil {
		return f, failed(fmt.Errorf("no decision: %w", err))
	}
	if decision.Allowed() {
		f.Decision = allow
	}
	f.Code, f.Reason = decision.Code(), posture.HideTokens(decision.Reason())
	if device := decision.Device(); device.Identifier != "" {
		f.Record = recordOf(device)
		f.Data = device.Data
		if len(f.Data) == 0 {
			f.Data = json.RawMessage("{}")
		}
	}
	return f, nil
}

func recordOf(device posture.Device) *record {
	managed, _ := device.Facts.Managed.Get()
	groups, _ := device.Facts.Groups.Get()
	return &record{device.Identifier, device.Type, managed, append([]string{}, groups...)}
}

// refused is the finding about an invalid identifier: the webhook refuses it without asking the provider.
func (f finding) refused(invalid error) finding {
	f.Code, f.Reason = posture.IdentifierInvalid, invalid.Error()
	return f
}

// print writes the finding for people.
func (f finding) print(out io.Writer) error {
	var text strings.Builder
	text.WriteString(headlineOf(f.Decision, f.Identifier, f.Code))
	_, _ = fmt.Fprintf(&text, "reason: %s\n", visible(f.Reason))
	text.WriteString(describeMode(f.Mode, f.modeGiven))
	if f.Record != nil {
		text.WriteString(f.Record.String())
		_, _ = fmt.Fprintf(&text, "data: %s\n", visible(compact(f.Data)))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// headlineOf is the first line about a device.
func headlineOf(decision, identifier string, code posture.Code) string {
	switch _, invalid := posture.ParseIdentifier(identifier); {
	case decision == allow:
		return "[ALLOW] " + identifier + "\n"
	case invalid != nil: // it may have any length, and control characters
		return fmt.Sprintf("[DENY] (%s)\n", code)
	case decision == noneMade:
		return "[ERROR] " + identifier + "\n"
	}
	return fmt.Sprintf("[DENY] %s (%s)\n", identifier, code)
}

func describeMode(mode string, given bool) string {
	switch {
	case mode == "":
		return ""
	case given:
		return "mode: " + mode + "\n"
	}
	return "mode: " + mode + " (the default; --mode computer, mobiledevice or any chooses)\n"
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
	text := r.title()
	if len(r.Groups) > 0 {
		text += fmt.Sprintf("groups: %s\n", quoted(r.Groups))
	}
	return text
}

// title is the line about the record without its groups.
func (r record) title() string {
	kind, managed := r.Type, "managed"
	if kind == "" {
		kind = "device"
	}
	if !r.Managed {
		managed = "not managed"
	}
	return fmt.Sprintf("record: %s, %s, %s\n", visible(r.Identifier), kind, managed)
}
