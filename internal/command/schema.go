package command

import (
	"github.com/spf13/cobra"

	"step-posture-connector/internal/schema"
)

// schemaCommand needs no configuration: the schema is the same everywhere.
func schemaCommand(p *Process) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print a JSON Schema of the policy file, with which editors complete and check it",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			text, err := schema.JSON()
			if err == nil {
				_, err = p.Stdout.Write(text)
			}
			if err != nil {
				return failed(err)
			}
			return nil
		},
	}
}
