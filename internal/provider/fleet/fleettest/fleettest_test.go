package fleettest_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/provider/fleet/fleettest"
)

// ask sends a request, and returns the status and body of its answer, and how many violations it was.
func ask(t *testing.T, s *fleettest.Server, method, path string, change func(http.Header)) (status int, body string, violations int) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CertPool(), MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.BaseURL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", "step-posture-connector/test")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Authorization", "Bearer "+s.Token())
	change(request.Header)
	before := len(s.Violations())
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(read), len(s.Violations()) - before
}

// TestStrict: what Fleet would refuse is refused; what a client must not do is a violation.
func TestStrict(t *testing.T) {
	t.Parallel()
	s, err := fleettest.New(fleettest.Options{ContextPath: "/a", Forbidden: []string{fleettest.Me}, Devices: []fleettest.Device{{Serial: "C02XK1ABJHD2"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	const page, ordered = "/api/v1/fleet/hosts?page=0&per_page=50", "&order_key=id&order_direction=asc"
	same := func(http.Header) {}
	for _, row := range []struct {
		method, path string
		change       func(http.Header)
		status       int
		violation    bool
		body         string
	}{
		{"GET", page + ordered + "&query=xk1", same, 200, false, `"hardware_serial":"C02XK1ABJHD2"`},
		{"GET", page + ordered + "&query=C03", same, 200, false, `"hosts":[]`},
		{"GET", page, same, 200, true, `"hosts"`},
		{"GET", page + ordered + "&query=", same, 422, true, "Validation Failed"},
		{"GET", page + ordered + "&serial=a", same, 422, true, "Validation Failed"},
		{"GET", page + ordered + "&page=1", same, 422, true, "Validation Failed"},
		{"GET", "/api/v1/fleet/hosts?page=0&per_page=5000" + ordered, same, 400, true, "invalid page"},
		{"GET", "/api/v1/fleet/hosts?page=-1&per_page=50" + ordered, same, 400, true, "invalid page"},
		{"POST", page + ordered, same, 405, true, "Not Allowed"},
		{"GET", page + ordered, func(h http.Header) { h.Set("Accept", "text/html") }, 406, true, "Not Acceptable"},
		{"GET", page + ordered, func(h http.Header) { h.Del("Authorization") }, 401, true, "Authentication required"},
		{"GET", page + ordered, func(h http.Header) { h.Set("Authorization", "Bearer other") }, 401, false, "Authentication required"},
		{"GET", "/api/v1/fleet/hosts/1?exclude_software=true", same, 200, false, `"host":{`},
		{"GET", "/api/v1/fleet/hosts/1", same, 200, true, `"host":{`},
		{"GET", "/api/v1/fleet/hosts/2?exclude_software=true", same, 404, false, "Resource Not Found"},
		{"GET", "/api/v1/fleet/hosts/x?exclude_software=true", same, 400, true, "invalid id"},
		{"GET", "/api/v1/fleet/hosts/identifier/C02XK1ABJHD2", same, 404, true, "html"},
		{"GET", "/api/v1/fleet/hosts/count", same, 200, false, `"count":1`},
		{"GET", "/api/v1/fleet/me", same, 403, false, "Permission Denied"},
		{"GET", "/api/v2/fleet/me", same, 404, true, "html"},
	} {
		status, body, violations := ask(t, s, row.method, row.path, row.change)
		if status != row.status || violations > 0 != row.violation || !strings.Contains(body, row.body) {
			t.Errorf("%s %s: %d %s, %d violations, want %d with %q", row.method, row.path, status, body, violations, row.status, row.body)
		}
	}
}
