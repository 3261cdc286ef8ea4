package program

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"testing"
)

// Get asks the health listener. Without an answer the status is 0.
func (d *Daemon) Get(t *testing.T, path string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.Health+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Timeout: Patience}).Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// Metric returns the value of a series of /metrics.
func (d *Daemon) Metric(t *testing.T, series string) string {
	t.Helper()
	_, text := d.Get(t, "/metrics")
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (.*)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("/metrics has no %s", series)
	}
	return found[1]
}

// Ready is what /readyz reports: the status, and the checks that are not ok.
func (d *Daemon) Ready(t *testing.T) (code int, status string, wrong map[string]string) {
	t.Helper()
	code, text := d.Get(t, "/readyz")
	var report struct {
		Status string
		Checks map[string]struct{ Status, Message string }
	}
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		t.Fatalf("/readyz answered %d %s: %v", code, text, err)
	}
	wrong = map[string]string{}
	for name, check := range report.Checks {
		if check.Status != "ok" {
			wrong[name] = check.Status + ": " + check.Message
		}
	}
	return code, report.Status, wrong
}
