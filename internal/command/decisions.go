package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/posture"
)

// The flags of decisions.
const (
	flagRef   = "ref"
	flagSince = "since"
)

// parseSince reads --since. What is longer than any JOURNAL_RETENTION is taken for a century.
func parseSince(text string) (age time.Duration, ok bool) {
	const days = 36500
	return document.ParseDurationUpTo(text, days*24*time.Hour)
}

// decisionOptions are the flags of decisions.
type decisionOptions struct {
	ref, since     string
	denied, asJSON bool
}

func decisionsCommand(load func() (*daemon.Decisions, error)) *cobra.Command {
	var (
		o      decisionOptions
		filter journal.Filter
	)
	c := &cobra.Command{
		Use:   "decisions [IDENTIFIER]",
		Short: "Print what was decided, from the journal",
		Long: "decisions prints what the daemon has decided with JOURNAL=1, the newest first: all decisions, or those about one\n" +
			"device by its identifier. --ref prints one decision as a whole, by the reference that the device was shown: every\n" +
			"rule, what the inventories said, and what to do next.\n" +
			"It needs STATE_URL only, reads the state database, and can run beside the daemon.\n" +
			"Exit status: 0 also without any, 1 no decision has the reference, or the database does not exist or does not answer.",
		Example: "  step-posture-connector decisions --ref 7F3K9Q2M\n" +
			"  step-posture-connector decisions C02XK1JKLVCG --since 7d\n" +
			"  step-posture-connector decisions --denied --json | jq -r '.decisions[] | [.time, .identifier, .code] | @tsv'",
		Args: func(c *cobra.Command, args []string) (err error) {
			filter, err = o.filter(c, args)
			return err
		},
		RunE: func(c *cobra.Command, _ []string) error {
			decisions, err := load()
			if err != nil {
				return err
			}
			if o.since != "" {
				age, _ := parseSince(o.since)
				filter.Since = time.Now().Add(-age)
			}
			return o.run(c, decisions, filter)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.ref, flagRef, "", "only the decision with this reference, as a whole")
	flags.StringVar(&o.since, flagSince, "", "only those of this last time, such as 90s, 15m, 24h or 7d")
	flags.BoolVar(&o.denied, "denied", false, "only refusals and faults")
	flags.BoolVar(&o.asJSON, "json", false, "print JSON")
	for _, name := range []string{flagRef, flagSince} {
		_ = c.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	c.ValidArgsFunction = cobra.NoFileCompletions
	return c
}

// filter reads the command line.
func (o *decisionOptions) filter(c *cobra.Command, args []string) (f journal.Filter, err error) {
	f = journal.Filter{Denied: o.denied, Limit: journal.MaxFound}
	if len(args) > 1 {
		return f, fmt.Errorf("decisions: one identifier at a time. Usage: %s", c.UseLine())
	}
	if len(args) == 1 {
		if _, err := posture.ParseRequested(args[0]); err != nil {
			return f, fmt.Errorf("decisions: %w", err)
		}
		f.Key = journal.KeyOf(args[0])
	}
	if c.Flags().Changed(flagRef) {
		var ok bool
		if f.Reference, ok = audit.ParseReference(o.ref); !ok {
			return f, fmt.Errorf("--%s: it is no reference; accepted are eight of the characters 0-9 and A-Z without I, L, O and U", flagRef)
		}
	}
	if c.Flags().Changed(flagSince) {
		if age, ok := parseSince(o.since); !ok || age <= 0 {
			return f, fmt.Errorf("--%s: it is no duration; accepted is %s", flagSince, document.AcceptedDuration)
		}
	}
	return f, nil
}

func (o *decisionOptions) run(c *cobra.Command, decisions *daemon.Decisions, f journal.Filter) error {
	found, err := decisions.Find(c.Context(), f)
	if c.Context().Err() != nil {
		err = errors.New(interrupted)
	}
	if err != nil {
		return failed(fmt.Errorf("decisions: %w", err))
	}
	if len(found.Entries) == 0 && f.Reference != "" {
		return failed(fmt.Errorf("decisions: %s", noDecisions(f, found.Empty)))
	}
	switch {
	case o.asJSON:
		err = encodeDecisions(c.OutOrStdout(), found)
	case f.Reference != "":
		err = printWhole(c.OutOrStdout(), found.Entries)
	case len(found.Entries) > 0:
		err = printDecisions(c.OutOrStdout(), found.Entries)
	}
	if err != nil {
		return failed(err)
	}
	switch {
	case o.asJSON:
	case len(found.Entries) == 0:
		_, _ = fmt.Fprintln(c.ErrOrStderr(), "note:", noDecisions(f, found.Empty))
	case found.More:
		_, _ = fmt.Fprintf(c.ErrOrStderr(), "note: only the newest %d are listed; an identifier, --%s and --denied select fewer\n", len(found.Entries), flagSince)
	}
	return nil
}

// noDecisions says why there is nothing to print.
func noDecisions(f journal.Filter, isEmpty bool) string {
	switch {
	case isEmpty:
		return "the journal is empty; the daemon writes it with JOURNAL=1"
	case f.Reference != "" && (f.Key != "" || f.Denied || !f.Since.IsZero()):
		return "no decision has the reference " + f.Reference + " and all else that is asked for"
	case f.Reference != "":
		return "no decision has the reference " + f.Reference + "; it may be older than JOURNAL_RETENTION, of a daemon without JOURNAL=1, or of a request that was not authenticated"
	}
	return "there are no such decisions in the journal"
}

// decisionJSON is an entry of the journal for programs: the line of the audit log, and what is beside it.
func decisionJSON(entry journal.Found) (json.RawMessage, error) {
	d, err := journal.Parse(entry)
	rules := d.Rules
	if rules == nil {
		rules = []journal.Rule{}
	}
	beside, errBeside := json.Marshal(struct {
		ID     string         `json:"id"`
		Rules  []journal.Rule `json:"rules"`
		Remedy string         `json:"remedy"`
	}{entry.ID.String(), rules, d.Advice().Remedy})
	if errBeside != nil {
		return nil, errBeside
	}
	if err != nil || !json.Valid(entry.Line) {
		// Its time is in the ID. A line of another version must not hide all others.
		return json.Marshal(struct {
			ID    string    `json:"id"`
			Time  time.Time `json:"time"`
			Error string    `json:"error"`
		}{entry.ID.String(), d.Time, "the entry cannot be read"})
	}
	line := trimObject(entry.Line)
	if len(line) > 0 {
		line = append(line, ',')
	}
	return append(append([]byte("{"), line...), beside[1:]...), nil
}
