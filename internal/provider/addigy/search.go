package addigy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// devices is the endpoint, as errors name it. It is asked by POST, and changes nothing.
const devices = "devices"

const pageOfDevices = "a page of devices"

// errFilter says that Addigy has ignored the filter, which it does without a notice where it does not understand one.
var errFilter = errors.New("devices: the search for one serial number has found many devices: Addigy seems to ignore the filter")

// request is the body of a search.
type request struct {
	Facts         []string `json:"desired_fact_identifiers"`
	Page          int      `json:"page"`
	PerPage       int      `json:"per_page"`
	SortField     string   `json:"sort_field,omitempty"`
	SortDirection string   `json:"sort_direction,omitempty"`
	Query         query    `json:"query"`
}

type query struct {
	Filters []filter `json:"filters,omitempty"`
}

type filter struct {
	Field     string `json:"audit_field"`
	Operation string `json:"operation"`
	Type      string `json:"type"`
	Value     string `json:"value"`
}

// answer is a page of devices.
type answer struct {
	Items    items     `json:"items"`
	Metadata *metadata `json:"metadata"`
}

// items are the records of an answer. Addigy writes null for none.
type items struct {
	list []vendorjson.Record[record]
	kind jsontext.Kind
}

// UnmarshalJSON implements json.Unmarshaler.
func (i *items) UnmarshalJSON(value []byte) error {
	*i = items{kind: jsontext.Value(value).Kind()}
	if i.kind == 'n' {
		return nil
	}
	if err := jsonv2.Unmarshal(value, &i.list); err != nil {
		return fmt.Errorf("decode devices: %w", err)
	}
	return nil
}

// metadata says which part of all devices an answer is.
type metadata struct {
	Page        *int `json:"page"`
	PerPage     *int `json:"per_page"`
	PageCount   *int `json:"page_count"`
	ResultCount *int `json:"result_count"`
	Total       *int `json:"total"`
}

// search returns the records that a search for a serial number finds, all of them.
func (p *Provider) search(ctx context.Context, id posture.Identifier) ([]vendorjson.Record[record], error) {
	page, err := p.ask(ctx, request{
		Facts: identifiers(), Page: 1, PerPage: searchSize,
		Query: query{Filters: []filter{{Field: serialNumber, Operation: "=", Type: "string", Value: id.Key()}}},
	})
	if err != nil {
		return nil, err
	}
	// Fail closed: the device may be on another page, and an enrollment that is newer too.
	if *page.Metadata.Total != len(page.Items.list) || *page.Metadata.PageCount > 1 {
		return nil, errFilter
	}
	return page.Items.list, nil
}

// ask asks for one page. The answer is one that is not contradictory in itself, and about the page that was asked for: only then
// do missing devices mean that there are none.
func (p *Provider) ask(ctx context.Context, r request) (answer, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", devices, err)
	}
	text, err := p.Ask(ctx, vendorhttp.Request{
		Endpoint: devices, Method: http.MethodPost, Path: "/api/v2/devices", Body: body,
		Header: http.Header{"Content-Type": {"application/json"}},
	})
	if err != nil {
		return answer{}, err
	}
	var a answer
	if err := p.Decode(devices, pageOfDevices, text, &a); err != nil {
		return answer{}, err
	}
	if !a.isPage(r.Page, r.PerPage) {
		return answer{}, p.NotA(devices, pageOfDevices)
	}
	for i := range a.Items.list {
		if item := &a.Items.list[i]; !item.Broken && item.Value.unreadable() {
			item.Broken = true
		}
	}
	return a, nil
}

// isPage reports whether an answer is a page of that number and size. It may be smaller, where Addigy allows no larger ones.
func (a *answer) isPage(number, size int) bool {
	m := a.Metadata
	if m == nil || m.Page == nil || m.PerPage == nil || m.PageCount == nil || m.ResultCount == nil || m.Total == nil {
		return false
	}
	found := len(a.Items.list)
	switch {
	case *m.Page != number, *m.ResultCount != found, *m.Total < found, *m.PerPage > size, *m.PerPage < max(found, 1):
		return false
	case a.Items.kind == 'n':
		return *m.Total == 0 && *m.PageCount <= 1
	case a.Items.kind != '[':
		return false
	case *m.Total == 0:
		return *m.PageCount == 0 || *m.PageCount == 1 // nothing says which
	}
	return *m.PageCount == (*m.Total+*m.PerPage-1) / *m.PerPage
}
