package jamftest

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Lists says how lists, which are searches without a filter, are spoiled. The zero Lists are sound. Pages count from 0.
type Lists struct {
	// RepeatFrom is the first page that has the records of the page before it; 0 is none.
	RepeatFrom int `json:"repeat_from,omitempty"`
	// HalfFrom is the first page that lacks the second half of its records; 0 is none.
	HalfFrom int `json:"half_from,omitempty"`
	// Total is added to the total, from page TotalFrom on.
	Total     int `json:"total,omitempty"`
	TotalFrom int `json:"total_from,omitempty"`
	// Padding is how many bytes each record has more.
	Padding int `json:"padding,omitempty"`
	// Only is how many records a list has at most, as its total says; 0 is all, negative none.
	Only int `json:"only,omitempty"`
}

// SpoilLists spoils lists from now on.
func (s *Server) SpoilLists(l Lists) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Lists = l
}

// SetDelay makes each answer take so long, beside faults.
func (s *Server) SetDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Delay = d
}

// Sizes returns the sizes of the pages of lists that were asked for, in their order.
func (s *Server) Sizes() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sizes)
}

// delay waits as SetDelay says. It returns false where the client has left.
func (s *Server) delay(r *http.Request) bool {
	s.mu.Lock()
	d := s.options.Delay
	s.mu.Unlock()
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// sorting is what a search may be sorted by: the field, and whether it is the ID.
func (c collection) sorting(text string) (byID, ok bool) {
	field, order, hasOrder := strings.Cut(text, ":")
	if hasOrder && order != "asc" || !slices.Contains(c.sorts, field) {
		return false, false
	}
	return field == c.sorts[0], true
}

// list returns the devices of one page of a list, in the order of their IDs, and the total.
func (s *Server) list(q search, all []Device) (found []Device, total int) {
	s.mu.Lock()
	spoiled := s.options.Lists
	s.sizes = append(s.sizes, q.size)
	s.mu.Unlock()
	if spoiled.Only != 0 {
		all = all[:min(max(spoiled.Only, 0), len(all))]
	}
	page := q.page
	if spoiled.RepeatFrom > 0 && page >= spoiled.RepeatFrom {
		page = spoiled.RepeatFrom - 1
	}
	begin := min(page*q.size, len(all))
	found = all[begin:min(begin+q.size, len(all))]
	if spoiled.HalfFrom > 0 && page >= spoiled.HalfFrom {
		found = found[:len(found)/2]
	}
	total = len(all)
	if q.page >= spoiled.TotalFrom {
		total += spoiled.Total
	}
	return found, total
}

// pad makes a record larger, as lists are spoiled.
func (s *Server) pad(record map[string]any) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.options.Lists.Padding > 0 {
		record["plugins"] = strings.Repeat("x", s.options.Lists.Padding)
	}
	return record
}

// inventory are the records of one kind. It is made once for many searches.
type inventory struct {
	all      []Device            // in the order of their IDs
	bySerial map[string][]Device // by their serial number, folded
}

func (s *Server) inventory(computers bool) inventory {
	s.mu.Lock()
	defer s.mu.Unlock()
	in, made := s.sorted[computers]
	if made {
		return in
	}
	in.bySerial = map[string][]Device{}
	for _, d := range s.options.Devices {
		if d.Computer == computers {
			in.all = append(in.all, d)
		}
	}
	slices.SortStableFunc(in.all, func(a, b Device) int {
		return cmp.Or(cmp.Compare(number(a.ID), number(b.ID)), strings.Compare(a.ID, b.ID))
	})
	for _, d := range in.all {
		in.bySerial[fold(d.Serial)] = append(in.bySerial[fold(d.Serial)], d)
	}
	s.sorted[computers] = in
	return in
}

func number(id string) int {
	n, _ := strconv.Atoi(id)
	return n
}

// fold returns the same for texts that sameText takes for the same, if one of them is ASCII.
func fold(text string) string { return strings.ToLower(strings.ToUpper(text)) }

// onlySerial returns the serial number that a filter is about, folded, or "" where all records have to be looked at. Without
// it, a search among many devices takes longer than Jamf's, which has an index.
func (s *Server) onlySerial(text string) string {
	parts := regexp.MustCompile(`^(?:hardware\.)?serialNumber=="([0-9A-Za-z]+)"$`).FindStringSubmatch(text)
	if parts == nil || s.options.Fuzzy {
		return ""
	}
	return fold(parts[1])
}
