package console

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/posture"
)

// decideForm is the form of "decide now".
type decideForm struct {
	Identifier, Policy, Mode string
	Policies                 []string
	CSRF                     string
}

// decidePage is the form, and what came of it.
type decidePage struct {
	Form   *decideForm
	Result *decisionView // nil before the form was sent
	Took   string
	Each   int
}

// form is the form for an identifier, with a policy that exists.
func (p *Pages) form(q *request, identifier, policy string) *decideForm {
	f := &decideForm{Identifier: identifier, CSRF: q.csrf}
	for _, one := range p.Live.Policies() {
		f.Policies = append(f.Policies, one.Name)
	}
	for _, wanted := range []string{policy, "default"} {
		if f.Policy == "" && slices.Contains(f.Policies, wanted) {
			f.Policy = wanted
		}
	}
	if f.Policy == "" && len(f.Policies) > 0 {
		f.Policy = f.Policies[0]
	}
	return f
}

// decide looks a device up now. That is no decision: nobody gets a certificate for it, and the journal does not have it.
func (p *Pages) decide(ctx context.Context, q *request) (answer, error) {
	identifier, err := q.text("identifier", maxSearch)
	if err != nil {
		return answer{}, err
	}
	policy, err := q.text("policy", maxCell)
	if err != nil {
		return answer{}, err
	}
	mode, err := q.choice("mode", append([]string{""}, posture.Modes()...)...)
	if err != nil {
		return answer{}, err
	}
	page := &decidePage{Form: p.form(q, identifier, policy), Each: decidesEach}
	page.Form.Mode = mode
	a := answer{page: "decide", title: "Check a device now", data: page}
	if q.Method != http.MethodPost {
		return a, nil
	}
	id, err := posture.ParseIdentifier(identifier)
	if err != nil {
		return a, malformed("identifier", "a serial number or another identifier of a device, 1 to 256 printable ASCII characters")
	}
	if policy != "" && policy != page.Form.Policy {
		return a, malformed("policy", joined(page.Form.Policies))
	}
	if wait, ok := p.lookups.take(q.session.Person, q.now); !ok {
		return a, &problem{
			status: http.StatusTooManyRequests, wait: wait,
			text: "Each look-up asks the inventories, which count requests. One person has five a minute, and all people together have thirty. Wait a minute.",
		}
	}
	decided, err := p.Live.Decide(ctx, page.Form.Policy, id.String(), posture.DeviceType(mode))
	if err != nil {
		// The inventories may have been asked, also for a person who has left since.
		if err := p.notify(q, "decide", &audit.Notice{Event: "decide_now", Identifier: id.String(), Result: "failed"}); err != nil {
			return a, err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return a, &problem{status: http.StatusServiceUnavailable, cause: err, text: "The inventories have not answered in time. Try again later."}
		}
		return a, &problem{status: http.StatusServiceUnavailable, cause: err, text: "Nothing could be decided. The log of the connector says why."}
	}
	page.Result = p.view(q, journal.Found{ID: journal.FirstID(q.now), Line: decided.Line, Rules: decided.Rules})
	page.Result.Own, page.Result.Retry = "", false
	page.Took = plural(decided.Took.Milliseconds(), "millisecond")
	a.title = "Checked now: " + page.Result.Word
	a.notice = &audit.Notice{Event: "decide_now", Identifier: id.String(), Result: page.Result.Tone}
	return a, nil
}
