package command

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/posture"
)

// asker asks the inventories about devices.
type asker struct {
	explain    func(c daemon.Choice, q posture.Query) daemon.Explanation
	deviceType posture.DeviceType
	warnings   []string
}

// explain decides by a policy about each device of the command line and of the list, in their order.
func (o *lookupOptions) explain(c *cobra.Command, d *daemon.Inventory, args []string, deviceType posture.DeviceType) error {
	choice, err := d.Choose(o.policy, o.webhook)
	switch {
	case err != nil && o.policy != "":
		return fmt.Errorf("--%s: %w", flagPolicy, err) // a wrong command line
	case err != nil && o.webhook != "":
		return fmt.Errorf("--%s: %w", flagWebhook, err)
	case err != nil:
		return fmt.Errorf("lookup: %w; --policy or --webhook chooses one", err)
	}
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	a := asker{
		explain:    func(c daemon.Choice, q posture.Query) daemon.Explanation { return d.Explain(ctx, c, q) },
		deviceType: deviceType, warnings: d.Warnings,
	}
	if !o.asJSON {
		warn(c, d.Warnings)
	}
	p := printer{command: c, asJSON: o.asJSON, several: o.list != "" || len(args) > 1}
	answers := askAll(ctx, identifiers(args, o.list, c.InOrStdin()), func(text string) explained { return o.explainDevice(a, choice, text) })
	for {
		select {
		case <-ctx.Done():
			return failed(errors.New("lookup: interrupted"))
		case answer, more := <-answers:
			switch {
			case !more && ctx.Err() != nil:
				continue // the list ends because of that, and not all devices were asked about
			case !more:
				return p.conclude()
			}
			select {
			case <-ctx.Done():
			case next := <-answer:
				if next.unread != nil {
					return p.stop(next.unread)
				}
				if err := p.print(next.explained); err != nil {
					return failed(err)
				}
			}
		}
	}
}

// answered is about one device, or why there is no next one.
type answered struct {
	explained

	unread error
}

// askAll asks about devices, some at the same time. The channels are in the order of the devices, and each has one answer.
func askAll(ctx context.Context, identifiers iter.Seq2[string, error], ask func(string) explained) <-chan chan answered {
	// One more is waited for by the reader of the channels.
	all := make(chan chan answered, atOnce-1)
	go func() {
		defer close(all)
		for text, err := range identifiers {
			answer := make(chan answered, 1)
			select {
			case <-ctx.Done():
				return
			case all <- answer:
			}
			if err != nil {
				answer <- answered{unread: err}
				return
			}
			go func() { answer <- answered{explained: ask(text)} }()
		}
	}()
	return all
}

// printer prints what was found about devices, and counts it.
type printer struct {
	command         *cobra.Command
	asJSON, several bool

	allowed, denied, undecided int
	last                       error // of a device without a decision
}

func (p *printer) print(f explained) error {
	out := p.command.OutOrStdout()
	first := p.allowed+p.denied+p.undecided == 0
	switch f.Decision {
	case allow:
		p.allowed++
	case deny:
		p.denied++
	default:
		p.undecided++
		p.last = f.err
	}
	if p.asJSON {
		return encode(out, f)
	}
	if !first {
		if _, err := fmt.Fprintln(out); err != nil {
			return err
		}
	}
	if f.err != nil && p.several {
		_, _ = fmt.Fprintf(p.command.ErrOrStderr(), "%s: %s\n", f.Identifier, visible(f.Error))
	}
	return f.print(out)
}

// stop ends the run where the list of devices cannot be read.
func (p *printer) stop(err error) error {
	if !p.asJSON {
		return failed(err)
	}
	if errWrite := encode(p.command.OutOrStdout(), noDecision{Decision: noneMade, Error: oneLine(err)}); errWrite != nil {
		return failed(errWrite)
	}
	return &exit{code: ExitError} // what is wrong is in the JSON
}

// conclude returns the exit status: a device without a decision weighs more than one that is denied.
func (p *printer) conclude() error {
	if p.several && !p.asJSON {
		_, err := fmt.Fprintf(p.command.OutOrStdout(), "\n%s: %d allowed, %d denied, %d without a decision\n",
			count(p.allowed+p.denied+p.undecided, "device"), p.allowed, p.denied, p.undecided)
		if err != nil {
			return failed(err)
		}
	}
	switch {
	case p.undecided > 0 && !p.several && !p.asJSON:
		return failed(p.last)
	case p.undecided > 0:
		return &exit{code: ExitError} // what is wrong has been printed
	case p.denied > 0:
		return &exit{code: ExitDeny}
	}
	return nil
}
