package jamftest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	defaultPageSize = 100
	maxPageSize     = 2000
)

// search is what a request asks of a collection.
type search struct {
	sections []string
	page     int
	size     int
	filter   filter // nil: the search is a list
	serial   string // that it is only about, folded; empty: not known
	byID     bool   // it is sorted by the ID
	lenient  bool
}

// collection is one that can be searched.
type collection struct {
	endpoint string
	sections []string
	fields   func(Device) map[string]string
	sorts    []string // fields that it can be sorted by; the ID is the first
	lenient  bool     // it has exception-handling
}

// page is the answer to a search.
type page struct {
	TotalCount int              `json:"totalCount"`
	Results    []map[string]any `json:"results"`
}

// parseSearch answers a search that Jamf would refuse, and reports it with ok.
func (s *Server) parseSearch(w http.ResponseWriter, r *http.Request, c collection) (q search, ok bool) {
	refuse := func(code, why string) (search, bool) {
		s.Violate("%s: %s", c.endpoint, why)
		writeError(w, http.StatusBadRequest, code, why)
		return search{}, false
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return refuse("INVALID_QUERY", "the query is malformed")
	}
	q = search{sections: []string{"GENERAL"}, size: defaultPageSize}
	for name, given := range values {
		if name != "section" && len(given) != 1 {
			return refuse("INVALID_QUERY", "the parameter "+name+" is repeated")
		}
		switch {
		case name == "section":
			for _, section := range given {
				if !slices.Contains(c.sections, section) {
					return refuse("INVALID_SECTION", "there is no such section")
				}
			}
			q.sections = given
		case name == "page", name == "page-size":
			number, err := strconv.Atoi(given[0])
			if err != nil || number < 0 || name == "page-size" && (number == 0 || number > maxPageSize) {
				return refuse("INVALID_PAGE", "the "+name+" is out of range")
			}
			if name == "page" {
				q.page = number
			} else {
				q.size = number
			}
		case name == "filter":
			q.serial = s.onlySerial(given[0])
			q.filter, err = parseRSQL(given[0], fieldNames(c.fields(Device{})), s.options.Fuzzy)
			if err != nil {
				return refuse("INVALID_FILTER", err.Error())
			}
		case name == "sort":
			if q.byID, ok = c.sorting(given[0]); !ok {
				return refuse("INVALID_SORT", "the sorting is not possible")
			}
		case name == "exception-handling" && c.lenient:
			if q.lenient = given[0] == "LENIENT"; !q.lenient && given[0] != "STRICT" {
				return refuse("INVALID_FIELD", "there is no such exception handling")
			}
		default:
			s.Violate("%s: there is no parameter %s", c.endpoint, name)
		}
	}
	if q.page > 0 && q.filter == nil && !q.byID {
		s.Violate("%s: a list that is not sorted by the ID is in another order on each page", c.endpoint)
	}
	if s.options.PageLimit > 0 {
		q.size = min(q.size, s.options.PageLimit)
	}
	return q, true
}

func fieldNames(fields map[string]string) []string {
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	return names
}

// results returns the devices of one page, in the order of their names, and how many there are in all.
func (s *Server) results(q search, c collection, in inventory) ([]Device, int) {
	if q.filter == nil && q.byID {
		return s.list(q, in.all)
	}
	candidates := in.all
	if q.serial != "" {
		candidates = in.bySerial[q.serial]
	}
	var found []Device
	for _, d := range candidates {
		if q.filter == nil || q.filter(c.fields(d)) {
			found = append(found, d)
		}
	}
	slices.SortStableFunc(found, func(a, b Device) int { return strings.Compare(a.Name, b.Name) })
	begin := min(q.page*q.size, len(found))
	return found[begin:min(begin+q.size, len(found))], len(found)
}

func (s *Server) serveComputers(w http.ResponseWriter, r *http.Request, version int) {
	c := collection{
		endpoint: Computers + strconv.Itoa(version), sections: computerSections(version),
		fields: computerFields, sorts: []string{"id", "general.name"},
	}
	q, ok := s.parseSearch(w, r, c)
	if !ok {
		return
	}
	found, total := s.results(q, c, s.inventory(true))
	answer := page{total, []map[string]any{}}
	for _, d := range found {
		record := s.computer(d, version, q.sections)
		if d.Broken != "" {
			record[camel(d.Broken)] = nil
		}
		answer.Results = append(answer.Results, s.pad(record))
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) serveMobileDevices(w http.ResponseWriter, r *http.Request) {
	c := collection{
		endpoint: MobileDevices, sections: mobileSections(), fields: mobileFields,
		sorts: []string{"mobileDeviceId", "displayName"}, lenient: !s.number.before(version{11, 30}),
	}
	q, ok := s.parseSearch(w, r, c)
	if !ok {
		return
	}
	found, total := s.results(q, c, s.inventory(false))
	answer := page{total, []map[string]any{}}
	for _, d := range found {
		record := s.mobileDevice(d, q.sections)
		switch {
		case d.Broken == "" || !slices.Contains(q.sections, d.Broken):
		case q.lenient || !c.lenient:
			record[camel(d.Broken)] = nil
		default:
			writeError(w, http.StatusInternalServerError, "DEVICE_PROCESSING", "a device cannot be read")
			return
		}
		answer.Results = append(answer.Results, s.pad(record))
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) serveDepartments(w http.ResponseWriter, r *http.Request) {
	fields := func(d Device) map[string]string { return map[string]string{"id": d.ID, "name": d.Name} }
	c := collection{endpoint: Departments, sections: []string{"GENERAL"}, fields: fields, sorts: []string{"id", "name"}}
	q, ok := s.parseSearch(w, r, c)
	if !ok {
		return
	}
	var all []Device
	for i, name := range s.departments() {
		all = append(all, Device{ID: strconv.Itoa(i + 1), Name: name})
	}
	found, total := s.results(q, c, inventory{all: all})
	answer := page{total, []map[string]any{}}
	for _, d := range found {
		answer.Results = append(answer.Results, map[string]any{"id": d.ID, "name": d.Name})
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) serveDepartment(w http.ResponseWriter, id string) {
	names := s.departments()
	number, err := strconv.Atoi(id)
	if err != nil {
		s.Violate("%s: the ID is not a number", Department)
	}
	if err != nil || number < 1 || number > len(names) {
		writeError(w, http.StatusNotFound, "INVALID_ID", "there is no such department")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"id": id, "name": names[number-1]})
}
