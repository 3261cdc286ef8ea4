package console

import (
	"context"
	"slices"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/journal"
)

// row is a decision in a list.
type row struct {
	Tone, Word, Why, Identifier, Reference, Policy, Door string
	Address, Device                                      string
	WouldDeny                                            []string
	When                                                 moment
}

// rows are decisions for a list. One that cannot be read whole is shown with what can be.
func (q *request) rows(found []journal.Found) (rows []row) {
	for _, f := range found {
		d, _ := journal.Parse(f) // its own page says that something is missing
		v := verdictOf(&d)
		rows = append(rows, row{
			Tone: v.Tone, Word: v.Word, Why: short(&d, &v), Identifier: d.Identifier, Reference: d.Reference, Policy: d.Policy, Door: d.Door,
			Address: decisionAddress(d.ID), Device: deviceOf(&d), WouldDeny: d.WouldDeny, When: q.moment(d.Time),
		})
	}
	return rows
}

// deviceOf is the address of the device's page; empty where the identifier is none.
func deviceOf(d *journal.Decision) string {
	if key := journal.KeyOf(d.Identifier); key != "" {
		return deviceAddress(key)
	}
	return ""
}

// listPage is the list of decisions.
type listPage struct {
	Rows                []row
	Older               string // the address of the next page; empty where there is none
	First               string // that of the first page; empty on it
	Denied              bool
	Code, Policy, Since string
	Policies            []string
	Sinces              []link
}

func (p *Pages) decisions(ctx context.Context, q *request) (answer, error) {
	page, filter, err := p.filter(q)
	if err != nil {
		return answer{}, err
	}
	found, more, err := p.Journal.Find(ctx, filter)
	if err != nil {
		return answer{}, err
	}
	page.Rows = q.rows(found)
	if more && len(found) > 0 {
		page.Older = q.with("before", found[len(found)-1].ID.String())
	}
	if filter.Before != (journal.ID{}) {
		page.First = q.with("before", "")
	}
	return answer{page: "decisions", title: "Decisions", data: page, notice: &audit.Notice{}}, nil
}

// filter reads what the list is to have.
func (p *Pages) filter(q *request) (*listPage, journal.Filter, error) {
	page, f := &listPage{}, journal.Filter{Limit: perPage}
	for _, policy := range p.Live.Policies() {
		if policy.Name != "" {
			page.Policies = append(page.Policies, policy.Name)
		}
	}
	denied, err := q.choice("denied", "", "1", "0")
	if err != nil {
		return nil, f, err
	}
	if f.Code, err = q.text("code", maxCell); err != nil {
		return nil, f, err
	}
	if f.Policy, err = q.text("policy", maxCell); err != nil {
		return nil, f, err
	}
	if f.Policy != "" && !slices.Contains(page.Policies, f.Policy) {
		page.Policies = append(page.Policies, f.Policy) // one that is gone has decisions too
	}
	if f.Before, err = q.before(); err != nil {
		return nil, f, err
	}
	names := []string{"", "1h"}
	texts := []string{"Any time", "Last hour"}
	for _, o := range overs() {
		names, texts = append(names, o.name), append(texts, "Last "+o.text)
	}
	if page.Since, err = q.choice("since", names...); err != nil {
		return nil, f, err
	}
	for i, name := range names {
		page.Sinces = append(page.Sinces, link{texts[i], name, name == page.Since})
	}
	if page.Since != "" {
		ago := time.Hour
		for _, o := range overs() {
			if o.name == page.Since {
				ago = o.span
			}
		}
		f.Since = q.now.Add(-ago)
	}
	f.Denied = denied == "1" || f.Code != "" // only refusals have a code
	page.Denied, page.Code, page.Policy = f.Denied, f.Code, f.Policy
	return page, f, nil
}
