package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/auditchain"
	"step-posture-connector/internal/config"
)

func auditCommand(environ func() (config.Environment, error)) *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Verify the chain of the audit log, or prove the decision behind a certificate",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return fmt.Errorf("audit: what should be done? Usage: %[1]s verify FILE..., or %[1]s prove --certificate FILE AUDIT-LOG...", c.CommandPath())
		},
	}
	c.AddCommand(verifyCommand(environ), proveCommand(environ))
	return c
}

// chainFlags are the flags of both commands.
type chainFlags struct {
	heads, after []string
	asJSON       bool
}

func (f *chainFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.heads, "head", nil, "a line that the files must have, NUMBER:MAC as the log has shown it (chain_head); finds an end that was cut; may be repeated")
	c.Flags().StringArrayVar(&f.after, "after", nil, "the line after which the files begin, NUMBER:MAC, where older files were removed on purpose; may be repeated")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
}

// options reads the flags, and the key.
func (f *chainFlags) options(c *cobra.Command, environ func() (config.Environment, error), files []string) (o auditchain.Options, err error) {
	if o.Heads, err = headsOf(c, "--head", f.heads); err != nil {
		return o, err
	}
	if o.After, err = headsOf(c, "--after", f.after); err != nil {
		return o, err
	}
	given := map[string]bool{}
	for _, path := range files {
		if given[path] {
			return o, fmt.Errorf("%s: %s is given twice", commandName(c), visible(path))
		}
		given[path] = true
	}
	e, err := environ()
	if err != nil {
		return o, err
	}
	key, problems := config.LoadChainKey(e.Variables)
	if len(problems) > 0 {
		return o, misconfigured(problems)
	}
	o.Key = key.Reveal()
	return o, nil
}

func headsOf(c *cobra.Command, flag string, texts []string) (heads []audit.Head, err error) {
	for _, text := range texts {
		head, err := audit.ParseHead(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", commandName(c), flag, err)
		}
		heads = append(heads, head)
	}
	return heads, nil
}

func commandName(c *cobra.Command) string { return "audit " + c.Name() }

// cannotRead is the error of files that could not be verified.
func cannotRead(c *cobra.Command, err error) error {
	if c.Context().Err() != nil {
		return failed(errors.New(commandName(c) + ": interrupted"))
	}
	return failed(err)
}
