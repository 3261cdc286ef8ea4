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
	filter   filter
}

// collection is one that can be searched.
type collection struct {
	endpoint string
	sections []string
	fields   func(Device) map[string]string
	optional []string // parameters that change nothing here
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
	q = search{sections: []string{"GENERAL"}, size: defaultPageSize, filter: func(map[string]string) bool { return true }}
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
			if err != nil || number < 0 || number > maxPageSize || name == "page-size" && number == 0 {
				return refuse("INVALID_PAGE", "the "+name+" is out of range")
			}
			if name == "page" {
				q.page = number
			} else {
				q.size = number
			}
		case name == "filter":
			q.filter, err = parseRSQL(given[0], fieldNames(c.fields(Device{})), s.options.Fuzzy)
			if err != nil {
				return refuse("INVALID_FILTER", err.Error())
			}
		case !slices.Contains(c.optional, name):
			s.Violate("%s: there is no parameter %s", c.endpoint, name)
		}
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
func (q search) results(devices []Device, c collection) ([]Device, int) {
	var found []Device
	for _, d := range devices {
		if q.filter(c.fields(d)) {
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
		fields: computerFields, optional: []string{"sort"},
	}
	q, ok := s.parseSearch(w, r, c)
	if !ok {
		return
	}
	found, total := q.results(s.devices(true), c)
	answer := page{total, []map[string]any{}}
	for _, d := range found {
		answer.Results = append(answer.Results, s.computer(d, version, q.sections))
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) serveMobileDevices(w http.ResponseWriter, r *http.Request) {
	optional := []string{"sort"}
	if !s.number.before(version{11, 30}) {
		optional = append(optional, "exception-handling")
	}
	c := collection{MobileDevices, mobileSections(), mobileFields, optional}
	q, ok := s.parseSearch(w, r, c)
	if !ok {
		return
	}
	found, total := q.results(s.devices(false), c)
	answer := page{total, []map[string]any{}}
	for _, d := range found {
		answer.Results = append(answer.Results, s.mobileDevice(d, q.sections))
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) serveDepartments(w http.ResponseWriter, r *http.Request) {
	fields := func(d Device) map[string]string { return map[string]string{"id": d.ID, "name": d.Name} }
	c := collection{Departments, []string{"GENERAL"}, fields, []string{"sort"}}
	q, ok := s.parseSearch(w, r, c)
	if !ok {
		return
	}
	var all []Device
	for i, name := range s.departments() {
		all = append(all, Device{ID: strconv.Itoa(i + 1), Name: name})
	}
	found, total := q.results(all, c)
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
