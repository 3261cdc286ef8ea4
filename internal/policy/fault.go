package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one mistake in an expression.
type Fault struct {
	Line, Column int // from 1, in characters
	Text         string
	Accepted     string // what would be right; may be empty
}

func (f Fault) Error() string {
	text := fmt.Sprintf("%d:%d: %s", f.Line, f.Column, f.Text)
	if f.Accepted != "" {
		text += "; accepted: " + f.Accepted
	}
	return text
}

// Faults are all mistakes in an expression, in the order of their places.
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

func (fs Faults) sorted() Faults {
	slices.SortStableFunc(fs, func(a, b Fault) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return fs
}
