package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/journal"
	"step-posture-connector/internal/posture"
)

// searchPage is what was found, where that is not one page.
type searchPage struct {
	Query       string
	Rows        []row
	Device      string // the address of the device's page; empty where nothing was decided about one
	IsReference bool
	CheckNow    string // the address of the form that looks it up; empty where it is no identifier
}

func (s *searchPage) searched() string { return s.Query }

// search finds out what a text is: the reference of a decision, or the identifier of a device. Where only one page is meant, it
// leads there.
func (p *Pages) search(ctx context.Context, q *request) (answer, error) {
	text, err := q.text("q", maxSearch)
	if err != nil {
		return answer{}, err
	}
	page := &searchPage{Query: text}
	a := answer{page: "search", title: "Search", data: page}
	if text == "" {
		return a, nil
	}
	var byReference []journal.Found
	if reference, ok := parseReference(text); ok {
		page.IsReference = true
		if byReference, _, err = p.Journal.Find(ctx, journal.Filter{Reference: reference, Limit: perPage}); err != nil {
			return a, err
		}
	}
	if key := journal.KeyOf(text); key != "" {
		found, _, err := p.Journal.Find(ctx, journal.Filter{Key: key, Limit: 1})
		if err != nil {
			return a, err
		}
		if len(found) > 0 {
			page.Device = deviceAddress(key)
		}
	}
	// Every answer says whether the journal knows what was searched for, so that each is noted.
	a.notice = &audit.Notice{Identifier: text, Result: "several"}
	switch {
	case len(byReference) == 1 && page.Device == "":
		d, _ := journal.Parse(byReference[0])
		a.location, a.notice = decisionAddress(d.ID), &audit.Notice{Reference: d.Reference, Identifier: d.Identifier, Result: "found"}
	case len(byReference) == 0 && strings.HasPrefix(page.Device, "/devices/"):
		a.location, a.notice.Result = page.Device, "found"
	case len(byReference) == 0 && page.Device != "":
		found, _, err := p.Journal.Find(ctx, journal.Filter{Key: journal.KeyOf(text), Limit: perPage})
		if err != nil {
			return a, err
		}
		page.Rows, page.Device = q.rows(found), ""
	case len(byReference) == 0:
		a.status, a.notice.Result = http.StatusNotFound, "none"
		if id, err := posture.ParseIdentifier(text); err == nil && !page.IsReference {
			page.CheckNow = address("/decide", url.Values{"identifier": {id.String()}})
		}
	default:
		page.Rows = q.rows(byReference)
	}
	return a, nil
}

// referenceLength is how many characters a reference has.
const referenceLength = 8

// parseReference reads a reference as people write it down from the telephone: in any case, perhaps in groups, and with letters
// that look like digits, which no reference has.
func parseReference(text string) (reference string, ok bool) {
	text = strings.NewReplacer(" ", "", "-", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(text))
	if len(text) != referenceLength {
		return "", false
	}
	for _, c := range text {
		if !strings.ContainsRune("0123456789ABCDEFGHJKMNPQRSTVWXYZ", c) {
			return "", false
		}
	}
	return text, true
}
