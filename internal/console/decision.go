package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/journal"
)

// decisionView is one decision, for its page.
type decisionView struct {
	journal.Decision
	verdict

	When   moment
	Device string // the address of the device's page
	Own    string // the address of this page; empty of what is in no journal
	Again  string // that of the form which looks the device up now; empty where that would not tell
	Retry  bool   // only another request of the device can tell
	Rules  []ruleRow
	// Refusing are those that refuse, and Reporting those that only report, and would refuse.
	Refusing, Reporting []ruleRow
	Table               factTable
	Request             []journal.Fact
	Line                string // the whole line
	Incomplete          bool   // a part could not be read
	Copied              string // how old the copy was that has answered
	NoFacts             string // why there are none
}

// ruleRow is what a rule said, and what it demands now.
type ruleRow struct {
	journal.Rule

	Tone, Word, Mode string
	Address          string
	Expression       string
	Text             string // its message, also where it is met
	From             moment
}

// factTable has a row for each fact, with a column for each inventory.
type factTable struct {
	Inventories []factColumn
	Rows        []factRow
}

// Width is how many columns the table has.
func (t factTable) Width() int { return len(t.Inventories) + 1 }

type factColumn struct{ Name, Answer string }

type factRow struct {
	Name  string
	Cells []factCell
	Rules []string // those that are not met and have read it
}

type factCell struct {
	Values  []string
	Unknown bool
	Missing bool // the inventory was not asked for it
}

// decision is the page of one decision.
func (p *Pages) decision(ctx context.Context, q *request) (answer, error) {
	id, err := journal.ParseID(q.under[0])
	if err != nil {
		return answer{}, &problem{status: http.StatusBadRequest, text: "This is not the ID of a decision. Accepted: 32 hexadecimal digits; the search finds a decision by its reference."}
	}
	found, ok, err := p.Journal.Get(ctx, id)
	if err != nil {
		return answer{}, err
	}
	if !ok {
		return answer{}, &problem{status: http.StatusNotFound, text: "The journal does not have this decision. Perhaps it is too old: JOURNAL_RETENTION says how long decisions are kept."}
	}
	v := p.view(q, found)
	return answer{
		page: "decision", title: cmp.Or(v.Reference, "A decision") + ": " + v.Word, data: v,
		notice: &audit.Notice{Reference: v.Reference, Identifier: v.Identifier},
	}, nil
}

// view explains what was found.
func (p *Pages) view(q *request, found journal.Found) *decisionView {
	d, err := journal.Parse(found)
	v := &decisionView{Decision: d, verdict: verdictOf(&d), When: q.moment(d.Time), Device: deviceOf(&d), Own: decisionAddress(d.ID), Incomplete: err != nil}
	switch {
	case v.Tone != "refused":
	case v.Device != "" && (len(v.refusing) > 0 || lookupTells(d.Code)):
		v.Again = address("/decide", url.Values{"identifier": {d.Identifier}, "policy": {d.Policy}})
	default:
		v.Retry = v.Own != ""
	}
	policies := p.Live.Policies()
	for _, r := range d.Rules {
		row := q.ruleRow(r, d.Policy, ruleIn(policies, d.Policy, r.Name))
		v.Rules = append(v.Rules, row)
		switch {
		case !notMet(r):
		case !r.Enforced:
			v.Reporting = append(v.Reporting, row)
		case len(v.refusing) > 0:
			v.Refusing = append(v.Refusing, row)
		}
	}
	if d.SnapshotAge != nil {
		v.Copied = plural(int64(*d.SnapshotAge)/60, "minute")
	}
	switch {
	case d.Facts == nil:
		v.NoFacts = "No inventory was asked: the request was answered before that."
	case d.Facts.LeftOut != "":
		v.NoFacts = "The facts were left out of the journal: " + d.Facts.LeftOut + "."
	default:
		v.Request, v.Table = d.Facts.Request, newFactTable(&d)
	}
	var line bytes.Buffer
	if json.Indent(&line, found.Line, "", "  ") == nil {
		v.Line = line.String()
	}
	return v
}

// ruleRow shows what a rule said. now is the rule as it is in effect, or the zero Rule.
func (q *request) ruleRow(r journal.Rule, policy string, now Rule) ruleRow {
	r.Reason = whatFor(r)
	row := ruleRow{Rule: r, Address: ruleAddress(policy, r.Name), Expression: now.Expression, Text: cmp.Or(r.Message, now.Message), Mode: "enforced"}
	if row.From = q.moment(now.From); !r.Enforced {
		row.Mode = "reports only"
	}
	switch r.Result {
	case "met":
		row.Tone, row.Word = "allowed", "Met"
	case "unmet":
		row.Tone, row.Word = "refused", "Not met"
	case "unknown":
		row.Tone, row.Word = "refused", "Unknown, so not met"
	default:
		row.Tone, row.Word = "noted", "Does not apply"
	}
	if row.Tone == "refused" && !r.Enforced {
		row.Tone = "failed"
	}
	return row
}

// newFactTable puts what the inventories said side by side.
func newFactTable(d *journal.Decision) (t factTable) {
	for n, r := range d.Facts.Records {
		t.Inventories = append(t.Inventories, factColumn{r.Inventory, answerWord(r.Answer)})
		for _, f := range slices.Concat(r.Device, r.User) {
			at := slices.IndexFunc(t.Rows, func(row factRow) bool { return row.Name == f.Name })
			if at < 0 {
				at = len(t.Rows)
				t.Rows = append(t.Rows, factRow{Name: f.Name, Rules: readBy(d.Rules, f.Name)})
			}
			for len(t.Rows[at].Cells) < n {
				t.Rows[at].Cells = append(t.Rows[at].Cells, factCell{Missing: true})
			}
			if len(t.Rows[at].Cells) == n { // an object may have a member twice
				t.Rows[at].Cells = append(t.Rows[at].Cells, factCell{Values: f.Values, Unknown: !f.Known})
			}
		}
	}
	for i := range t.Rows {
		for len(t.Rows[i].Cells) < len(t.Inventories) {
			t.Rows[i].Cells = append(t.Rows[i].Cells, factCell{Missing: true})
		}
	}
	slices.SortStableFunc(t.Rows, func(a, b factRow) int { return cmp.Compare(a.rank(), b.rank()) })
	return t
}

// rank puts what rules have refused for first, and what nobody knows last.
func (r factRow) rank() int {
	switch {
	case len(r.Rules) > 0:
		return 0
	case slices.ContainsFunc(r.Cells, func(c factCell) bool { return !c.Unknown && !c.Missing }):
		return 1
	}
	return 2
}

// readBy are the rules that are not met and whose reasons name a fact.
func readBy(rules []journal.Rule, name string) (names []string) {
	for _, r := range rules {
		if strings.Contains(r.Reason, name+" is ") || strings.Contains(r.Reason, name+" has ") {
			names = append(names, r.Name)
		}
	}
	return names
}

// answerWord is what an inventory said about the device as a whole.
func answerWord(answer string) string {
	switch answer {
	case "found":
		return "has the device"
	case "not_found":
		return "does not have the device"
	case "identifier_invalid":
		return "has no devices with such identifiers"
	case "ambiguous":
		return "has the device more than once"
	case "failed":
		return "did not answer"
	default:
		return answer
	}
}

// Milliseconds is how long the answer took.
func (v *decisionView) Milliseconds() string {
	return strconv.FormatFloat(v.DurationMS, 'f', 1, 64) + " ms"
}
