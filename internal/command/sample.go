package command

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/posture"
)

// runSample decides about a device by a recorded answer of one inventory.
func (o *lookupOptions) runSample(c *cobra.Command, args []string, load func(*daemon.Sample) (*daemon.Inventory, error)) error {
	deviceType, err := posture.ParseDeviceType(o.mode)
	if err != nil {
		return fmt.Errorf("--mode: %w", err) // a wrong command line
	}
	body, err := readSample(c, o.sample)
	if err != nil {
		return failed(err)
	}
	sample := &daemon.Sample{Inventory: o.inventory, Status: o.status, Body: body}
	d, err := load(sample)
	if err != nil {
		return o.cannotLoad(c, args, err)
	}
	choice, err := d.Choose(o.policy, o.webhook)
	switch {
	case err != nil:
		return fmt.Errorf("lookup: %w; --policy or --webhook chooses one", err)
	case !d.Asks(choice.Policy, o.inventory):
		return fmt.Errorf("--inventory: the policy %s does not ask the inventory %s; --policy or --webhook chooses another one", choice.Policy, o.inventory)
	}
	a := asker{
		explain: func(choice daemon.Choice, q posture.Query) daemon.Explanation {
			return d.Explain(c.Context(), choice, q)
		},
		deviceType: deviceType, warnings: d.Warnings,
	}
	if !o.asJSON {
		warn(c, d.Warnings)
	}
	f := o.explainDevice(a, choice, args[0])
	f.Outcome = sample.Outcome()
	p := printer{command: c, asJSON: o.asJSON}
	if err := p.print(f); err != nil {
		return failed(err)
	}
	return p.conclude()
}

// readSample reads a recorded answer.
func readSample(c *cobra.Command, path string) ([]byte, error) {
	var from io.Reader = c.InOrStdin()
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("--sample: %w", err)
		}
		defer file.Close()
		from = file
	}
	body, err := io.ReadAll(io.LimitReader(from, maxSample+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("--sample: %w", err)
	case len(body) > maxSample:
		return nil, fmt.Errorf("--sample: the answer has more than %d bytes", maxSample)
	}
	return body, nil
}
