package command

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/replay"
)

func replayCommand(environ func() (config.Environment, error)) *cobra.Command {
	var path string
	var asJSON bool
	c := &cobra.Command{
		Use:   "replay AUDIT-LOG...",
		Short: "Decide recorded requests again under another policy file",
		Long: "replay decides every request of an audit log again under the policies of another file, at the time at which\n" +
			"it was made, and prints the devices that would be decided otherwise, with the rule, and a summary by rule. It\n" +
			"asks no inventory and reads no secret: lines that were written with AUDIT_FACTS=1 have what is needed. Audit\n" +
			"logs may be compressed by gzip; - is standard input.\n" +
			"Exit status: 0 no device would be decided otherwise, 2 some would, 1 the replay cannot be run.",
		Example: "  step-posture-connector policy replay audit.jsonl --policy-file new.yaml\n" +
			"  step-posture-connector policy replay /var/log/step-posture-connector/audit.jsonl*",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("policy replay: which audit log? Usage: %s AUDIT-LOG... [--policy-file NEW] [--json]", c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			environ, err := environ()
			if err != nil {
				return err
			}
			if !c.Flags().Changed("policy-file") {
				path = environ.Variables["POLICY_PATH"]
			}
			if path == "" {
				return errors.New("policy replay: under which policies? Give --policy-file, or set POLICY_PATH")
			}
			r, warnings, err := daemon.NewReplay(path, environ)
			if err != nil {
				return failed(err)
			}
			for _, warning := range warnings {
				_, _ = fmt.Fprintln(c.ErrOrStderr(), "warning:", visible(warning))
			}
			report, err := r.Run(c.Context(), args, c.InOrStdin())
			switch {
			case c.Context().Err() != nil:
				return failed(errors.New("policy replay: interrupted"))
			case err != nil:
				return failed(err)
			}
			if asJSON {
				err = encodeReplay(c.OutOrStdout(), report)
			} else {
				err = printReplay(c.OutOrStdout(), report)
			}
			switch {
			case err != nil:
				return failed(err)
			case report.Differs():
				return &exit{code: ExitDeny}
			}
			return nil
		},
	}
	c.Flags().StringVar(&path, "policy-file", "", "the policy file to decide by (default: the one of POLICY_PATH)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: an object for each device, then one with the summary")
	return c
}

// encodeReplay writes an object for each device, and one with the summary.
func encodeReplay(out io.Writer, report *replay.Report) error {
	for _, d := range report.Devices {
		if err := encode(out, d); err != nil {
			return err
		}
	}
	return encode(out, struct {
		Summary *replay.Report `json:"summary"`
	}{report})
}

// printReplay writes a line for each device, one for each rule, and the numbers.
func printReplay(out io.Writer, report *replay.Report) error {
	var lines []string
	for _, d := range report.Devices {
		lines = append(lines, deviceLine(d))
	}
	if report.Unlisted > 0 {
		lines = append(lines, fmt.Sprintf("and %s of further devices, which are not listed", count(report.Unlisted, "request")))
	}
	for _, r := range report.Rules {
		lines = append(lines, ruleLine(r))
	}
	lines = append(lines, fmt.Sprintf("%s read: %d replayed, %d not replayable, %d refused before a policy was asked, %d unreadable",
		count(report.Lines, "line"), report.Replayed, report.NotReplayable, report.Early, report.Unreadable))
	for _, l := range report.Lacks {
		lines = append(lines, fmt.Sprintf("not replayable: %s: %s (first %s, last %s)", count(l.Lines, "line"), l.Why, l.First, l.Last))
	}
	for _, place := range report.UnreadableAt {
		lines = append(lines, "unreadable: "+place)
	}
	if more := report.Unreadable - len(report.UnreadableAt); more > 0 {
		lines = append(lines, fmt.Sprintf("unreadable: %d more", more))
	}
	if report.OtherCode > 0 {
		lines = append(lines, count(report.OtherCode, "request")+" would be denied as before, with another code")
	}
	lines = append(lines, fmt.Sprintf("%s would be decided otherwise: %d denied, %d allowed", count(len(report.Devices), "device"), report.Denied, report.Allowed))
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(visible(line) + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// deviceLine is a line such as
//
//	deny   C02XK1JKLVCG  staff: was allow, would be deny by rule os (2 requests, last 2026-11-26T10:00:00Z, ref 7F3K9Q2M)
func deviceLine(d replay.Device) string {
	return fmt.Sprintf("%-5s  %s  %s: was %s, would be %s (%s, last %s, ref %s)", d.Would.Decision, d.Identifier, d.Policy,
		answerOf(d.Was), answerOf(d.Would), count(d.Requests, "request"), d.Last.UTC().Format(time.RFC3339), d.Reference)
}

func answerOf(a replay.Answer) string {
	switch {
	case len(a.Rules) == 1:
		return a.Decision + " by rule " + a.Rules[0]
	case len(a.Rules) > 1:
		return a.Decision + " by rules " + strings.Join(a.Rules, ", ")
	case a.Code != "":
		return a.Decision + " (" + string(a.Code) + ")"
	}
	return a.Decision
}

// ruleLine is a line such as
//
//	rule staff/os: denies 2 devices that were allowed; not met in 7 of 100 requests
func ruleLine(r replay.Rule) string {
	text := "rule " + r.Policy + "/" + r.Rule + ": "
	if r.Devices > 0 {
		text += "denies " + count(r.Devices, "device") + " that had been allowed; "
	}
	text += fmt.Sprintf("not met in %d of %s", r.Unmet+r.WouldDeny, count(r.Requests, "request"))
	switch {
	case r.WouldDeny > 0 && r.Unmet > 0:
		text += fmt.Sprintf(", of those %d report-only", r.WouldDeny)
	case r.WouldDeny > 0:
		text += ", report-only"
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
