package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/auditchain"
	"step-posture-connector/internal/config"
)

func verifyCommand(environ func() (config.Environment, error)) *cobra.Command {
	var flags chainFlags
	c := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Find the first line of an audit log that was changed, removed, inserted or reordered",
		Long: "verify verifies the chain of an audit log that was written with AUDIT_CHAIN=1. Give it all files of the log, in any\n" +
			"order: they may be compressed by gzip; - is standard input. Chains of several daemons are verified each by itself.\n" +
			"It needs AUDIT_CHAIN_KEY. Lines that a crash or a full disk has spoiled are told apart from those that were tampered\n" +
			"with. That the end was cut is found only with --head.\n" +
			"Exit status: 0 intact, 2 tampered with or incomplete, 1 the files cannot be verified.",
		Example: "  step-posture-connector audit verify /var/log/step-posture-connector/audit.jsonl*\n" +
			"  step-posture-connector audit verify audit.jsonl --head 1204:5f0c…",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("audit verify: which files? Usage: %s FILE... [--head NUMBER:MAC] [--after NUMBER:MAC] [--json]", c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o, err := flags.options(c, environ, args)
			if err != nil {
				return err
			}
			report, err := auditchain.Verify(c.Context(), o, args, c.InOrStdin())
			if err != nil {
				return cannotRead(c, err)
			}
			if flags.asJSON {
				err = encode(c.OutOrStdout(), report)
			} else {
				err = printReport(c.OutOrStdout(), report)
			}
			switch {
			case err != nil:
				return failed(err)
			case !report.Intact:
				return &exit{code: ExitDeny}
			}
			return nil
		},
	}
	flags.add(c)
	return c
}

// printReport writes a line for each problem, note and chain, and the result.
func printReport(out io.Writer, r *auditchain.Report) error {
	lines := reportLines(r)
	result := "intact"
	if !r.Intact {
		result = "NOT intact; the first problem is the first line above"
	}
	lines = append(lines, fmt.Sprintf("%s in %s, %d not covered: %s", count(r.Lines, "line"), count(len(r.Chains), "chain"), r.NotCovered, result))
	return printLines(out, lines)
}

func reportLines(r *auditchain.Report) (lines []string) {
	for _, p := range r.Problems {
		lines = append(lines, fmt.Sprintf("%s%s: %s", placeOf(p), p.Kind, p.Text))
	}
	for _, n := range r.Notes {
		lines = append(lines, fmt.Sprintf("note: %s:%d: %s: %s", n.File, n.Line, n.Event, n.Text))
	}
	if r.MoreNotes > 0 {
		lines = append(lines, fmt.Sprintf("note: %d more", r.MoreNotes))
	}
	for _, c := range r.Chains {
		lines = append(lines, fmt.Sprintf("chain %s: lines %d to %d in %s, head %s", c.Chain, c.First, c.Last, count(len(c.Files), "file"), c.Head))
	}
	return lines
}

// placeOf is the file and the line of a problem, as far as it has them.
func placeOf(p auditchain.Problem) string {
	switch {
	case p.File == "":
		return ""
	case p.Line == 0:
		return p.File + ": "
	}
	return fmt.Sprintf("%s:%d: ", p.File, p.Line)
}

func printLines(out io.Writer, lines []string) error {
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(visible(line) + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}
