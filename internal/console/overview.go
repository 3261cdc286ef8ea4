package console

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"time"

	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
)

// overviewPage is what has happened lately, without the name of any device.
type overviewPage struct {
	Ranges                               []link
	Span                                 string
	Decided, Allowed, Refused, Failed    int64
	Notifications                        int64
	Charts                               []chart
	Steps                                []stepRow
	Codes, Rules                         []countRow
	Reporting                            []impact
	Inventories                          []inventoryRow
	MoreCodes, MoreRules, MoreReportings int
}

// link is one of several views of the same page.
type link struct {
	Text, Address string
	Current       bool
}

// stepRow has the numbers of one bar.
type stepRow struct {
	Span                     string
	Allowed, Refused, Failed int64
}

// countRow is how often a code or a rule has refused.
type countRow struct {
	Name, Policy, Meaning, Address string
	N                              int64
}

// impact is a rule that only reports, with the number of devices that it would refuse.
type impact struct {
	Policy, Rule, Message, Address string
	From                           moment
	N                              int64
}

// over is the time that an overview is about, in steps of one bar.
type over struct {
	name, text string
	span, step time.Duration
}

func overs() []over {
	day := 24 * time.Hour
	return []over{{"24h", "24 hours", day, time.Hour}, {"7d", "7 days", 7 * day, 6 * time.Hour}, {"30d", "30 days", 30 * day, day}}
}

func (p *Pages) overview(ctx context.Context, q *request) (answer, error) {
	all := overs()
	chosen, err := q.choice("over", all[0].name, all[1].name, all[2].name)
	if err != nil {
		return answer{}, err
	}
	o := all[slices.IndexFunc(all, func(o over) bool { return o.name == chosen })]
	until := q.now.UTC().Truncate(o.step).Add(o.step) // with the hours that are not over
	since := until.Add(-o.span)
	sums, err := p.Journal.Overview(ctx, since, until, o.step)
	if err != nil {
		return answer{}, err
	}
	page := &overviewPage{Span: o.text}
	for _, other := range all {
		page.Ranges = append(page.Ranges, link{other.text, q.with("over", other.name), other == o})
	}
	page.sum(q, sums.Buckets, o.step)
	from := url.Values{"since": {o.name}, "denied": {"1"}}
	for _, c := range byName(sums.Codes) {
		from.Set("code", c.Name)
		page.Codes = append(page.Codes, countRow{Name: c.Name, Meaning: p.meaning(c.Name), Address: address("/decisions", from), N: c.N})
	}
	policies := p.Live.Policies()
	for _, c := range sums.Unmet {
		page.Rules = append(page.Rules, countRow{c.Name, c.Policy, ruleIn(policies, c.Policy, c.Name).Message, ruleAddress(c.Policy, c.Name), c.N})
	}
	if page.Reporting, err = p.reporting(ctx, q, policies); err != nil {
		return answer{}, err
	}
	page.Codes, page.MoreCodes = first(page.Codes)
	page.Rules, page.MoreRules = first(page.Rules)
	page.Reporting, page.MoreReportings = first(page.Reporting)
	page.Inventories = p.inventoryRows(q)
	return answer{page: "overview", title: "Overview", data: page}, nil
}

func first[T any](rows []T) (shown []T, more int) {
	n := min(len(rows), maxRows)
	return rows[:n], len(rows) - n
}

// sum adds the numbers of all buckets, and draws them.
func (page *overviewPage) sum(q *request, buckets []journal.Bucket, step time.Duration) {
	for _, b := range buckets {
		page.Allowed += b.Allowed
		page.Refused += b.Refused
		page.Failed += b.Failed
		page.Notifications += b.Notifications
		page.Steps = append(page.Steps, stepRow{span(b.Start, step), b.Allowed, b.Refused, b.Failed})
	}
	page.Decided = page.Allowed + page.Refused + page.Failed
	// Each has a scale of its own: a hundred refusals would not be seen beside ten thousand that were allowed.
	refused := q.newChart("refused", "Refused, or not decided", "refusal", buckets, step, func(b journal.Bucket) int64 { return b.Refused + b.Failed })
	refused.Patterned = true
	page.Charts = []chart{refused, q.newChart("allowed", "Allowed", "decision", buckets, step, func(b journal.Bucket) int64 { return b.Allowed })}
}

// byName adds up what policies have in common.
func byName(counts []journal.Count) (sums []journal.Count) {
	for _, c := range counts {
		if i := slices.IndexFunc(sums, func(s journal.Count) bool { return s.Name == c.Name }); i >= 0 {
			sums[i].N += c.N
		} else {
			sums = append(sums, journal.Count{Name: c.Name, N: c.N})
		}
	}
	slices.SortStableFunc(sums, func(a, b journal.Count) int { return cmp.Compare(b.N, a.N) })
	return sums
}

// ruleIn is a rule in effect, or the zero Rule.
func ruleIn(policies []Policy, policy, name string) Rule {
	for _, p := range policies {
		if p.Name != policy {
			continue
		}
		for _, r := range p.Rules {
			if r.Name == name {
				return r
			}
		}
	}
	return Rule{}
}

// reports reports whether a rule only reports now.
func (r Rule) reports(now time.Time) bool { return r.ReportOnly || now.Before(r.From) }

// reporting are the rules in effect that only report, also those that would refuse no device, and the groups that a policy in
// report-only mode would require.
func (p *Pages) reporting(ctx context.Context, q *request, policies []Policy) (all []impact, err error) {
	counts, err := p.Journal.Affected(ctx)
	if err != nil {
		return nil, err
	}
	for _, policy := range policies {
		for _, r := range policy.Rules {
			if r.reports(q.now) {
				all = append(all, impact{policy.Name, r.Name, r.Message, ruleAddress(policy.Name, r.Name), q.moment(r.From), 0})
			}
		}
	}
	for _, c := range counts {
		i := slices.IndexFunc(all, func(one impact) bool { return one.Policy == c.Policy && one.Rule == c.Name })
		switch code := posture.Code(c.Name); {
		case i >= 0:
			all[i].N = c.N
		case code == posture.DeviceNotInGroup || code == posture.DeviceNotCompliant:
			all = append(all, impact{Policy: c.Policy, Rule: c.Name, Message: outcome.Of(code).Message, Address: ruleAddress(c.Policy, c.Name), N: c.N})
		}
	}
	slices.SortStableFunc(all, func(a, b impact) int { return cmp.Compare(b.N, a.N) })
	return all, nil
}
