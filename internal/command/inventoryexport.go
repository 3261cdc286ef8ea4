package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/export"
)

func inventoryExportCommand(load loadInventories) *cobra.Command {
	var format, output string
	c := &cobra.Command{
		Use:   "export NAME",
		Short: "Write all devices of an inventory as CSV or JSON",
		Long: "export lists all devices of an inventory, with all facts that its list gives, and writes them in a form that the\n" +
			"provider file reads: a policy decides about the file as about the inventory. NAME is one of the policy file, or the\n" +
			"provider of PROVIDER. The inventory itself is asked, not a copy, and it may take minutes.\n\n" +
			"Left out, and counted on standard error, are records whose identifier stands twice, those whose identifier no\n" +
			"device can have, and those that a lookup would fail for. Data for certificates is in JSON only.\n" +
			"The file of --output appears when it is complete, with mode 0600. An inventory whose list ends early is an error.\n" +
			"Exit status: 0 the file is complete, 1 it was not written.",
		Example: "  step-posture-connector inventory export jamf --output devices.csv\n" +
			"  step-posture-connector inventory export jamf --format json | jq '.devices | length'",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("inventory export: one inventory, %d were given. Usage: %s NAME [--format csv|json] [--output FILE]", len(args), c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			chosen, err := chooseFormat(c, format, output)
			if err != nil {
				return err
			}
			if output == standardOutput {
				output = ""
			}
			return exportInventory(c, load, args[0], chosen, output)
		},
	}
	c.Flags().StringVar(&format, "format", "", "csv or json (default: the extension of --output, else csv)")
	c.Flags().StringVar(&output, "output", "", "file to write; - is standard output (default -)")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(export.Formats(), cobra.ShellCompDirectiveNoFileComp))
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if inventories, err := load(); err == nil && len(args) == 0 {
			return inventories.InventoryNames(), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

// standardOutput is the word for it in --output, as for standard input elsewhere.
const standardOutput = "-"

// chooseFormat returns the format. Its errors are about the command line.
func chooseFormat(c *cobra.Command, format, output string) (export.Format, error) {
	switch {
	case c.Flags().Changed("output") && output == "":
		// Not the default: a script's variable may be empty by mistake.
		return "", errors.New("--output: it is empty; accepted: the path of a file, or - for standard output")
	case !c.Flags().Changed("format"):
		return export.FormatOf(output), nil
	case !slices.Contains(export.Formats(), format):
		return "", fmt.Errorf("--format: %.40q is not a format; accepted: %s", format, strings.Join(export.Formats(), " or "))
	}
	return export.Format(format), nil
}

func exportInventory(c *cobra.Command, load loadInventories, name string, format export.Format, output string) error {
	inventories, err := load()
	if err != nil {
		return err
	}
	lister, err := inventories.Lister(name)
	unknown := (*daemon.UnknownInventoryError)(nil)
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("inventory export: %w", err) // a wrong command line
	case err != nil:
		return failed(fmt.Errorf("inventory export: %w", err))
	}
	warn(c, inventories.Warnings)
	shown := progress{out: c.ErrOrStderr(), name: name, now: time.Now}
	options := export.Options{Format: format, Path: output, Stdout: c.OutOrStdout()}
	if isTerminal(c.ErrOrStderr()) {
		options.Progress = shown.show
	}
	summary, err := export.Write(c.Context(), lister, options)
	shown.clear()
	switch {
	case c.Context().Err() != nil && err != nil:
		return failed(errors.New("inventory export: " + interrupted + "; nothing is written"))
	case err != nil:
		return failed(fmt.Errorf("inventory export: %s: %w; nothing is written", name, err))
	}
	_, _ = fmt.Fprintln(c.ErrOrStderr(), visible(summarize(name, summary)))
	return nil
}

// summarize is a line such as
//
//	jamf: 12034 devices exported; left out: 4 twice, 1 no identifier
func summarize(name string, s export.Summary) string {
	line := fmt.Sprintf("%s: %s exported", name, count(s.Devices, "device"))
	var left []string
	for _, l := range []struct {
		number int
		why    string
	}{
		{s.Twice, "twice"},
		{s.NoIdentifier, "no identifier"},
		{s.Damaged, "damaged"},
		{s.Unwritable, "not to be written: data or text that is not valid"},
	} {
		if l.number > 0 {
			left = append(left, fmt.Sprintf("%d %s", l.number, l.why))
		}
	}
	if len(left) > 0 {
		line += "; left out: " + strings.Join(left, ", ")
	}
	if names := s.Lacking.Names(); len(names) > 0 {
		line += "; the list did not give " + strings.Join(names, ", ")
	}
	return line
}

// progress shows on a terminal how many records were listed.
type progress struct {
	out   io.Writer
	name  string
	now   func() time.Time
	last  time.Time
	shown bool
}

// show replaces the line, unless it is young.
func (p *progress) show(records int) {
	now := p.now()
	if now.Sub(p.last) < progressEvery {
		return
	}
	p.last, p.shown = now, true
	_, _ = fmt.Fprintf(p.out, "\r%s: %s listed", visible(p.name), count(records, "record"))
}

// clear removes the line: spaces, because not every terminal knows the sequence for it.
func (p *progress) clear() {
	if p.shown {
		_, _ = fmt.Fprintf(p.out, "\r%s\r", strings.Repeat(" ", len(visible(p.name))+progressWidth))
	}
}

// isTerminal reports whether output goes to a terminal. The null device is one too, where it does no harm.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice != 0
}
