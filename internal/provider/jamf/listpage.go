package jamf

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/provider/vendorhttp"
)

// listPageSize is how many records the first page of a list is asked for. Jamf allows 2000 at most.
const listPageSize = 500

// pager fetches a list of the Pro API, whose pages have numbers. Records that are deleted meanwhile move the others to the
// front, so a list that changes may lack some: then it does not say how many there are.
type pager[T any] struct {
	api      *proAPI
	endpoint string
	ask      func(ctx context.Context, query url.Values) ([]byte, error)
	sort     string
	sections []string
	// mayBeLenient: the server has exception-handling.
	mayBeLenient bool
	idOf         func(*T) text
	take         func(row[T]) error

	offset  int // records that were handed on
	limit   int // the size that the server keeps to, where it is smaller; 0: none
	pages   int
	total   int
	lastID  uint64
	changed bool
	lenient bool // the page that comes next
}

// row is one record of a page. Broken means that it cannot be read whole.
type row[T any] struct {
	record T
	broken bool
}

// listPage is one page.
type listPage[T any] struct {
	number, size int
	total        int
	rows         []row[T]
}

// get asks for the page that the next record is on.
func (p *pager[T]) get(ctx context.Context, size int) (listPage[T], error) {
	if p.limit > 0 {
		size = min(size, p.limit)
	}
	page := listPage[T]{number: p.offset / size, size: size}
	query := url.Values{"page": {strconv.Itoa(page.number)}, "page-size": {strconv.Itoa(size)}, "sort": {p.sort}}
	if len(p.sections) > 0 {
		query["section"] = p.sections
	}
	if p.lenient {
		query.Set("exception-handling", "LENIENT")
	}
	body, err := p.ask(ctx, query)
	if vendorhttp.HasStatus(err, p.endpoint, http.StatusInternalServerError) {
		// One device that Jamf cannot show fails the whole page, unless Jamf is asked to leave out its section.
		p.lenient = p.mayBeLenient
	}
	if err != nil {
		return page, err
	}
	page.total, page.rows, err = p.decode(body)
	return page, err
}

// decode reads a page. A record of another shape costs only itself; JSON that cannot be read costs the page.
func (p *pager[T]) decode(body []byte) (total int, rows []row[T], err error) {
	var answer struct {
		TotalCount *int              `json:"totalCount"`
		Results    *[]jsontext.Value `json:"results"`
	}
	if err := p.api.client.Decode(p.endpoint, pageOfResults, body, &answer); err != nil {
		return 0, nil, err
	}
	if answer.TotalCount == nil || answer.Results == nil {
		return 0, nil, p.api.client.NotA(p.endpoint, pageOfResults)
	}
	rows = make([]row[T], len(*answer.Results))
	for i, value := range *answer.Results {
		if json.Unmarshal(value, &rows[i].record) != nil {
			rows[i] = row[T]{broken: true} // fail closed: not even its serial number is certain
		} else if p.lenient {
			rows[i].broken = p.lacksSection(value)
		}
	}
	return *answer.TotalCount, rows, nil
}

// lacksSection reports whether a record lacks a section that was asked for, because Jamf could not read it.
func (p *pager[T]) lacksSection(record jsontext.Value) bool {
	var members map[string]jsontext.Value
	if json.Unmarshal(record, &members) != nil {
		return true
	}
	given := map[string]bool{}
	for name := range maps.Keys(members) {
		given[strings.ToLower(name)] = members[name].Kind() != 'n'
	}
	return slices.ContainsFunc(p.sections, func(section string) bool {
		return !given[strings.ToLower(strings.ReplaceAll(section, "_", ""))]
	})
}

// handOn hands on the records of a page that are new.
func (p *pager[T]) handOn(ctx context.Context, page listPage[T]) (vendorhttp.Page, error) {
	begin := page.number * page.size
	end := begin + len(page.rows)
	switch {
	case len(page.rows) > page.size, len(page.rows) > 0 && end > page.total, end <= p.offset && p.offset < page.total, page.total < 0:
		// Fail closed: a list that ends before its own total may lack any device.
		return vendorhttp.Page{}, fmt.Errorf("%s: page %d of %d records ends at %d, but the total is %d", p.endpoint, page.number, page.size, end, page.total)
	case p.pages > 0 && page.total != p.total:
		p.changed = true
	}
	p.pages, p.total, p.lenient = p.pages+1, page.total, false
	handed := vendorhttp.Page{}
	for i := p.offset - begin; i < len(page.rows); i++ {
		if ctx.Err() != nil {
			return handed, fmt.Errorf("%s: %w", p.endpoint, context.Cause(ctx))
		}
		r := &page.rows[i]
		id := p.idOf(&r.record).Any
		number, err := strconv.ParseUint(id, 10, 64)
		if !r.broken && (err != nil || number <= p.lastID) {
			p.changed = true // records were moved, or are in no order
		}
		p.lastID = max(p.lastID, number)
		if handed.Devices == 0 {
			handed.Mark = id
		}
		handed.Devices++
		if err := p.take(*r); err != nil {
			return handed, err
		}
	}
	p.offset = max(p.offset, end)
	short := len(page.rows) < page.size
	if short && p.offset < page.total {
		p.limit = len(page.rows) // the numbers of its pages count pages of this size
	}
	// A full page at the end of the list is followed by an empty one, or the total was too small.
	handed.Last = short && p.offset >= page.total
	return handed, nil
}

// askComputers asks the newest version of the endpoint that the server has.
func (a *proAPI) askComputers(ctx context.Context, query url.Values) (body []byte, err error) {
	err = a.versioned(ctx, func(path string) error {
		body, err = a.client.Get(ctx, computersEndpoint, path, query)
		return err
	})
	return body, err
}

func (a *proAPI) askMobile(ctx context.Context, query url.Values) ([]byte, error) {
	return a.client.Get(ctx, mobileEndpoint, mobilePath, query)
}

func (a *proAPI) askDepartments(ctx context.Context, query url.Values) ([]byte, error) {
	return a.client.Get(ctx, departmentsEndpoint, departmentsPath, query)
}
