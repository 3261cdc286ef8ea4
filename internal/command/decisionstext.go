package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"step-posture-connector/internal/daemon"
	"step-posture-connector/internal/journal"
)

// trimObject returns the members of a JSON object, without its braces.
func trimObject(object []byte) []byte {
	members := bytes.TrimSpace(object)
	members = bytes.TrimSuffix(bytes.TrimPrefix(members, []byte("{")), []byte("}"))
	return bytes.Clone(bytes.TrimSpace(members))
}

// encodeDecisions writes one JSON object. Characters that hide text or change its order are escaped: it may be read on a terminal.
func encodeDecisions(out io.Writer, found daemon.FoundDecisions) error {
	all := struct {
		Decisions []json.RawMessage `json:"decisions"`
		More      bool              `json:"more"`
	}{Decisions: []json.RawMessage{}, More: found.More}
	for _, entry := range found.Entries {
		one, err := decisionJSON(entry)
		if err != nil {
			return err
		}
		all.Decisions = append(all.Decisions, one)
	}
	var text strings.Builder
	if err := encode(&text, all); err != nil {
		return err
	}
	_, err := io.WriteString(out, visibleLines(text.String()))
	return err
}

// printDecisions writes a table for people.
func printDecisions(out io.Writer, entries []journal.Found) error {
	const gap = 2
	table := tabwriter.NewWriter(out, 0, 0, gap, ' ', 0)
	_, _ = fmt.Fprintln(table, "TIME\tDECISION\tREFERENCE\tIDENTIFIER\tCODE\tPOLICY\tDOOR\tUNMET\tWOULD DENY") // a failure is that of Flush too
	for _, entry := range entries {
		d, err := journal.Parse(entry)
		if err != nil {
			d.Decision = "unreadable"
		}
		row := []string{
			d.Time.UTC().Format(time.RFC3339), word(d), d.Reference, d.Identifier, d.Code, d.Policy, d.Door, strings.Join(d.Unmet, ","), strings.Join(d.WouldDeny, ","),
		}
		for i, cell := range row {
			if row[i] = visible(cell); cell == "" {
				row[i] = "-"
			}
		}
		_, _ = fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}

// word is the decision, or what else an entry is about.
func word(d journal.Decision) string {
	if d.Decision == "" {
		return d.Event
	}
	return d.Decision
}

// printWhole writes all that is known about each decision. Several may have the same reference.
func printWhole(out io.Writer, entries []journal.Found) error {
	var text strings.Builder
	for i, entry := range entries {
		if i > 0 {
			text.WriteString("\n")
		}
		d, err := journal.Parse(entry)
		printDecision(&text, d)
		if err != nil {
			_, _ = fmt.Fprintf(&text, "note: %v\n", err)
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func printDecision(text *strings.Builder, d journal.Decision) {
	line := func(name, value string) {
		if value != "" {
			text.WriteString(visible(name+": "+value) + "\n")
		}
	}
	text.WriteString(visible(decisionHeadline(d)) + "\n")
	advice := d.Advice()
	line("time", d.Time.UTC().Format(time.RFC3339))
	line("reference", d.Reference)
	line("reason", d.Reason)
	line("message", advice.Message)
	line("what to do", advice.Remedy)
	line("unmet", strings.Join(d.Unmet, ", "))
	line("would deny", strings.Join(d.WouldDeny, ", "))
	line("policy", d.Policy)
	line("inventory", d.Inventory)
	line("provider", d.Provider)
	line("door", d.Door)
	line("caller", d.Caller)
	line("access point", d.NAS)
	line("VLAN", d.VLAN)
	line("mode", d.Mode)
	line("groups", strings.Join(d.Groups, ", "))
	line("enrolment token", d.TokenID)
	line("webhook", d.WebhookID)
	line("request", d.RequestID)
	line("SCEP transaction", d.TransactionID)
	line("certificate", d.SerialNumber)
	if d.SnapshotAge != nil {
		line("snapshot", "a copy of the inventory has answered, whose age was "+(time.Duration(*d.SnapshotAge)*time.Second).String())
	}
	if len(d.Rules) > 0 {
		text.WriteString("rules:\n")
	}
	for _, rule := range d.Rules {
		text.WriteString(visible("  "+describeJournalRule(rule)) + "\n")
	}
	printFacts(text, d.Facts)
}

func decisionHeadline(d journal.Decision) string {
	headline := "[" + strings.ToUpper(d.Decision) + "]"
	if d.Decision == "" {
		headline = "[NOTE]"
	}
	if d.Identifier != "" {
		headline += " " + d.Identifier
	}
	switch {
	case d.Event != "":
		headline += " (" + strings.TrimSpace(d.Event+" "+d.Result) + ")"
	case d.Code != "":
		headline += " (" + d.Code + ")"
	}
	return headline
}

func describeJournalRule(r journal.Rule) string {
	text := r.Name + ": " + r.Result
	switch {
	case r.Result == "":
		return r.Name + ": " + doesNotApply
	case r.Enforced:
		text += ", enforced"
	default:
		text += ", report only"
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return text
}

// printFacts writes what the inventories and the request said, without what they did not say.
func printFacts(text *strings.Builder, facts *journal.Facts) {
	if facts == nil {
		return
	}
	if facts.LeftOut != "" {
		text.WriteString(visible("facts: left out: "+facts.LeftOut) + "\n")
	}
	for _, record := range facts.Records {
		text.WriteString(visible("inventory "+record.Inventory+": "+strings.ReplaceAll(record.Answer, "_", " ")) + "\n")
		printKnown(text, record.Device)
		printKnown(text, record.User)
	}
	if len(facts.Request) > 0 {
		text.WriteString("request:\n")
		printKnown(text, facts.Request)
	}
}

func printKnown(text *strings.Builder, facts []journal.Fact) {
	for _, fact := range facts {
		switch {
		case !fact.Known:
		case fact.List:
			text.WriteString(visible("  "+fact.Name+": "+listed(fact.Values)) + "\n")
		default:
			text.WriteString(visible("  "+fact.Name+": "+cutText(fact.Text())) + "\n")
		}
	}
}

// cutText is a text, cut where it is long.
func cutText(text string) string {
	if characters := []rune(text); len(characters) > maxValue {
		return string(characters[:maxValue]) + "..."
	}
	return text
}
