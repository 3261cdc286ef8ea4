package console

import (
	"context"
	"net/http"
	"net/url"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/outcome"
	"step-posture-connector/internal/posture"
)

// rulePage is whom a rule in report-only mode would refuse.
type rulePage struct {
	Rule

	Policy    string
	InEffect  bool
	Reports   bool
	Begins    moment
	N         int64
	Devices   []affected
	More      string // the address of the next page
	First     string
	Decisions string // the address of the refusals of its policy
}

type affected struct {
	Identifier, Reference, Address, Decision string
	When                                     moment
}

func (p *Pages) rule(ctx context.Context, q *request) (answer, error) {
	policy, name := q.under[0], q.under[1]
	if policy == noPolicy {
		policy = ""
	}
	if name == "" || len(policy)+len(name) > maxSearch {
		return answer{}, &problem{status: http.StatusBadRequest, text: "This is not the name of a rule. Accepted: /rules/POLICY/RULE, with names of the policy file."}
	}
	after, err := q.text("after", maxSearch)
	if err != nil {
		return answer{}, err
	}
	page := &rulePage{Policy: policy, Rule: ruleIn(p.Live.Policies(), policy, name)}
	page.InEffect = page.Name != ""
	if page.Name = name; !page.InEffect {
		page.requirement(name)
	}
	if page.Reports, page.Begins = page.reports(q.now), q.moment(page.From); !page.InEffect {
		page.Reports = true
	}
	page.Decisions = address("/decisions", url.Values{"denied": {"1"}, "policy": {policy}})
	if err := p.affectedBy(ctx, q, page, after); err != nil {
		return answer{}, err
	}
	if !page.InEffect && page.N == 0 {
		return answer{}, &problem{status: http.StatusNotFound, text: "There is no such rule in the policy file in effect, and no device whose latest decision it would have changed."}
	}
	return answer{page: "rule", title: "Rule " + name, data: page, notice: &audit.Notice{Result: "shown"}}, nil
}

// requirement describes what a policy in report-only mode reports by a code: an inventory itself requires it.
func (page *rulePage) requirement(code string) {
	switch code := posture.Code(code); code {
	case posture.DeviceNotInGroup, posture.DeviceNotCompliant:
		page.InEffect, page.ReportOnly, page.Message = true, true, outcome.Of(code).Message
	default:
	}
}

func (p *Pages) affectedBy(ctx context.Context, q *request, page *rulePage, after string) error {
	counts, err := p.Journal.Affected(ctx)
	if err != nil {
		return err
	}
	for _, c := range counts {
		if c.Policy == page.Policy && c.Name == page.Name {
			page.N = c.N
		}
	}
	devices, more, err := p.Journal.AffectedBy(ctx, page.Policy, page.Name, after, perPage)
	if err != nil {
		return err
	}
	for _, d := range devices {
		page.Devices = append(page.Devices, affected{d.Identifier, d.Reference, deviceAddress(d.Key), decisionAddress(d.ID), q.moment(d.ID.Time())})
	}
	if more && len(devices) > 0 {
		page.More = q.with("after", devices[len(devices)-1].Key)
	}
	if after != "" {
		page.First = q.with("after", "")
	}
	return nil
}
