package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/auditchain"
	"step-posture-connector/internal/config"
)

func proveCommand(environ func() (config.Environment, error)) *cobra.Command {
	var flags chainFlags
	var path string
	c := &cobra.Command{
		Use:   "prove --certificate FILE AUDIT-LOG...",
		Short: "Show the decision behind a certificate",
		Long: "prove finds the line of an audit log that a certificate was issued after, and verifies the chain of all files, as\n" +
			"audit verify does. The line must allow; its reference, its identifier and its key must be those in the certificate, and\n" +
			"the certificate must begin within 15 minutes of it. It needs AUDIT_CHAIN_KEY, and a template that puts the reference into\n" +
			"certificates. Who has signed the certificate it does not verify.\n" +
			"Exit status: 0 proven, 2 not proven, 1 the files cannot be read.",
		Example: "  step-posture-connector audit prove --certificate device.crt /var/log/step-posture-connector/audit.jsonl*",
		Args: func(c *cobra.Command, args []string) error {
			usage := fmt.Sprintf("Usage: %s --certificate FILE AUDIT-LOG... [--head NUMBER:MAC] [--after NUMBER:MAC] [--json]", c.CommandPath())
			switch {
			case path == "":
				return errors.New("audit prove: which certificate? " + usage)
			case len(args) == 0:
				return errors.New("audit prove: which audit log? " + usage)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o, err := flags.options(c, environ, args)
			if err != nil {
				return err
			}
			certificate, err := readCertificate(path)
			if err != nil {
				return failed(err)
			}
			proof, err := auditchain.Prove(c.Context(), o, certificate, args, c.InOrStdin())
			if err != nil {
				return cannotRead(c, err)
			}
			if flags.asJSON {
				err = encode(c.OutOrStdout(), proof)
			} else {
				err = printProof(c.OutOrStdout(), proof)
			}
			switch {
			case err != nil:
				return failed(err)
			case !proof.Proven:
				return &exit{code: ExitDeny}
			}
			return nil
		},
	}
	c.Flags().StringVar(&path, "certificate", "", "the certificate, in PEM or DER")
	flags.add(c)
	return c
}

// readCertificate reads the file of a certificate.
func readCertificate(path string) (*auditchain.Certificate, error) {
	file, err := os.Open(path) // a pipe too: of a shell that has it from step
	if err != nil {
		return nil, fmt.Errorf("--certificate: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxCertificate+1))
	if err != nil {
		return nil, fmt.Errorf("--certificate: %w", err)
	}
	certificate, err := auditchain.ReadCertificate(text)
	if err != nil {
		return nil, fmt.Errorf("--certificate: %s: %w", path, err)
	}
	return certificate, nil
}

// printProof writes the certificate, the decision, and a line for each demand.
func printProof(out io.Writer, p *auditchain.Proof) error {
	c := p.Certificate
	lines := []string{fmt.Sprintf("certificate: %s, serial number %s, valid from %s to %s", c.Subject, c.SerialNumber, c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339))}
	if d := p.Decision; d != nil {
		what := "decision"
		if !p.Proven {
			what = "closest decision"
		}
		lines = append(lines, fmt.Sprintf("%s: %s:%d", what, p.File, p.Line))
		for _, member := range [][2]string{
			{"time", d.Time.UTC().Format(time.RFC3339Nano)}, {"reference", d.Reference}, {"decision", d.Decision}, {"code", d.Code}, {"reason", d.Reason},
			{"identifier", d.Identifier}, {"policy", d.Policy}, {"inventory", d.Inventory}, {"provider", d.Provider}, {"groups", strings.Join(d.Groups, ", ")},
			{"caller", d.Caller}, {"webhook_id", d.WebhookID}, {"facts", string(d.Facts)},
		} {
			if member[1] != "" {
				lines = append(lines, fmt.Sprintf("  %s: %s", member[0], member[1]))
			}
		}
	}
	for _, d := range p.Demands {
		is := "NOT met"
		if d.Met {
			is = "met"
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", d.Name, is, d.Text))
	}
	if p.Proven {
		lines = append(lines, "proven")
	} else {
		lines = append(lines, "NOT proven")
	}
	return printLines(out, lines)
}
