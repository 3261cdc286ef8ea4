package daemon

import (
	"errors"
	"strings"

	"step-posture-connector/internal/document"
)

// Underlined is the text of an error, with the expression of a policy file below each mistake in one.
func Underlined(err error) string {
	below := map[string]string{}
	var faults document.Faults
	if errors.As(err, &faults) {
		for _, fault := range faults {
			below[fault.Error()] = fault.Underline()
		}
	}
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		lines = append(lines, line)
		if under := below[line]; under != "" {
			lines = append(lines, under)
		}
	}
	return strings.Join(lines, "\n")
}
