package daemon_test

import (
	"regexp"
	"strings"
	"testing"

	"step-posture-connector/internal/audit"
)

// All lines of the log begin as the events do, in text and in JSON.
func TestLogLinesBeginAsEvents(t *testing.T) {
	t.Parallel()
	for format, begin := range map[string]string{
		"text": `^time="[^"]+" level=(info|error) msg="[^"]+" `,
		"json": `^\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.?\d*(Z|[+-]\d\d:\d\d)","level":"(info|error)","msg":"[^"]+",`,
	} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			d := install(t).loaded(t, map[string]string{"LOG_FORMAT": format})
			var out strings.Builder
			d.Logger(&out).WithField(audit.KeyReference, "7F3K9Q2M").Error("two words <&>")
			audit.NewLog(&out, format == "json").Write(&audit.Event{Reference: "7F3K9Q2M", Allowed: true, Identifier: "C02", Status: 200})
			for line := range strings.Lines(out.String()) {
				if !regexp.MustCompile(begin + `.*reference"?[=:]"?7F3K9Q2M`).MatchString(line) {
					t.Errorf("the line is %swant it to begin %s and to have the reference", line, begin)
				}
			}
			if n := strings.Count(out.String(), "\n"); n != 2 {
				t.Errorf("the log has %d lines, want 2", n)
			}
		})
	}
}
