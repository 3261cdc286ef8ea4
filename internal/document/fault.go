package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Fault is one mistake in a document. It never holds a value of the document: that could be a secret.
type Fault struct {
	File         string
	Line, Column int    // from 1, in characters; 0 without a place
	Path         string // "policies.staff.rules[0].require"
	Text         string // what is wrong
	Accepted     string // what would be right; may be empty

	// excerpt is the line of an expression in which the place is, at excerptColumn. It is the value's own text, never the
	// line of the file: that may hold a secret beside it.
	excerpt       string
	excerptColumn int
}

func (f Fault) Error() string {
	text := f.File
	if f.Line > 0 {
		text += fmt.Sprintf(":%d:%d", f.Line, f.Column)
	}
	if f.Path != "" {
		text += ": " + f.Path
	}
	text += ": " + f.Text
	if f.Accepted != "" {
		text += "; accepted: " + f.Accepted
	}
	return text
}

// Faults are all mistakes in a document, in the order of their places.
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, 0, len(fs))
	for i, f := range fs {
		if i == maxFaults {
			lines = append(lines, fmt.Sprintf("and %d more", len(fs)-maxFaults))
			break
		}
		lines = append(lines, f.Error())
	}
	return strings.Join(lines, "\n")
}

func (fs Faults) sorted() Faults {
	slices.SortStableFunc(fs, func(a, b Fault) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return slices.Compact(fs)
}

// Nearest is the name that was probably meant by a misspelled one, or empty.
func Nearest(name string, names []string) string {
	const most = 3 // letters that may differ
	best, distance := "", most+1
	for _, candidate := range names {
		d := levenshtein.ComputeDistance(name, candidate)
		if strings.EqualFold(name, candidate) {
			d = 0
		}
		if d < distance && 2*d <= len(candidate) { // half of the letters: "foo" is not "now"
			best, distance = candidate, d
		}
	}
	for _, candidate := range names {
		// Where no name is near, one that is a part of it, or that it is a part of: jamf_base_url, email for email_address.
		lower := strings.ToLower(name)
		if best == "" && (strings.HasSuffix(lower, "_"+candidate) || strings.HasPrefix(lower, candidate+"_") || strings.HasPrefix(candidate, lower+"_")) {
			best = candidate
		}
	}
	return best
}
