package policy_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

func TestZZ(t *testing.T) {
	s := scope(t, "jamf_eu", "owned", "down", "empty")
	raw, _ := os.ReadFile("/tmp/zz.txt")
	for _, text := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		text = strings.ReplaceAll(text, `\n`, "\n")
		data := strings.HasPrefix(text, "D ")
		if data {
			v, faults := s.CompileValue(text[2:])
			if faults != nil {
				fmt.Printf("%-70s NO  %v\n", text, faults)
				continue
			}
			_ = v
			fmt.Printf("%-70s ok\n", text)
			continue
		}
		c, faults := s.CompileCondition(text)
		if faults != nil {
			fmt.Printf("%-70s NO  %v\n", text, strings.ReplaceAll(faults.Error(), "\n", "\n      "))
			continue
		}
		a, aerr := c.Evaluate(question())
		none := question()
		none.Deciding = &posture.Device{}
		b, berr := c.Evaluate(none)
		fmt.Printf("%-70s %v(%v) | none: %v(%v)\n", text, a, aerr, b, berr)
	}
}
