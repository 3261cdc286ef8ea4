package console_test

import (
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/journal"
)

// The steps of a refusal are possible at the page, and lead somewhere: a look-up knows no common name, and would say "allowed".
func TestStepsAreOfUseAtThePage(t *testing.T) {
	t.Parallel()
	const check, again = "check the device now", "Then let the device ask again."
	for code, want := range map[string]struct{ step, other string }{
		"deviceNotFound":     {check, again},
		"deviceNotInGroup":   {check, again},
		"commonNameMismatch": {again, check},
		"tokenInvalid":       {again, check},
		"newCode":            {again, check},
	} {
		line := `{"time":"2026-11-27T10:00:00Z","reference":"7F3K9Q2M","identifier":"C02XK1JKLVCG","decision":"deny","code":"` + code + `"}`
		j := odd{found: journal.Found{ID: journal.FirstID(today()), Line: []byte(line)}}
		d := open(t, j, live{decides}).get(t, "/decisions/"+j.found.ID.String(), http.StatusOK)
		d.wants(t, "What to do", want.step)
		for _, text := range []string{want.other, "step-posture-connector lookup"} {
			if strings.Contains(d.text, text) {
				t.Errorf("%s: the page says %q", code, text)
			}
		}
	}
}
