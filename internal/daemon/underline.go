package daemon

import (
	"errors"
	"strings"

	"step-posture-connector/internal/document"
)

// Underlined is the text of an error, with the expression of a policy file below each mistake in one.
func Underlined(err error) string {
	text := err.Error()
	var faults document.Faults
	if !errors.As(err, &faults) {
		return text
	}
	below := map[string]string{}
	for _, fault := range faults {
		below[fault.Error()] = fault.Underline()
	}
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, line)
		if under := below[line]; under != "" {
			lines = append(lines, under)
		}
	}
	return strings.Join(lines, "\n")
}
