package console

import (
	"context"
	"net/http"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/posture"
)

// devicePage is what was decided about a device.
type devicePage struct {
	Identifier string
	Latest     *decisionView // on the first page only
	Rows       []row
	Older      string
	First      string
	Form       *decideForm // nil where it cannot be looked up
}

// device is the time line of a device.
func (p *Pages) device(ctx context.Context, q *request) (answer, error) {
	key := journal.KeyOf(q.under[0])
	if key == "" {
		return answer{}, &problem{status: http.StatusBadRequest, text: "This is no identifier of a device. Accepted: 1 to 512 bytes of printable characters, such as a serial number."}
	}
	before, err := q.before()
	if err != nil {
		return answer{}, err
	}
	found, more, err := p.Journal.Find(ctx, journal.Filter{Key: key, Before: before, Limit: perPage})
	if err != nil {
		return answer{}, err
	}
	page := &devicePage{Identifier: q.under[0], Rows: q.rows(found)}
	if len(found) > 0 {
		page.Identifier = page.Rows[0].Identifier
	}
	if more && len(found) > 0 {
		page.Older = q.with("before", found[len(found)-1].ID.String())
	}
	policy := ""
	if before != (journal.ID{}) {
		page.First = q.with("before", "")
	} else if len(found) > 0 {
		page.Latest = p.view(q, found[0])
		policy = page.Latest.Policy
	}
	if id, err := posture.ParseIdentifier(page.Identifier); err == nil {
		page.Form = p.form(q, id.String(), policy)
	}
	a := answer{page: "device", title: page.Identifier, data: page, notice: &audit.Notice{Identifier: page.Identifier}}
	if len(found) == 0 {
		a.status, a.notice.Result = http.StatusNotFound, "none"
	}
	return a, nil
}
