package irutest_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/provider/iru/irutest"
)

// got asks the server as a client does, and returns status and body.
func got(t *testing.T, s *irutest.Server, method, path, token string) (int, string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CertPool(), MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", "test")
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func started(t *testing.T, options irutest.Options) *irutest.Server {
	t.Helper()
	s, err := irutest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestRefusals: the server answers as the vendor does, and records what a client must not do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		method, path, token string
		status, violations  int
	}{
		{"GET", "/api/v1/devices?serial_number=X&limit=300&offset=0", "Bearer T", 200, 0},
		{"GET", "/api/v1/devices/a/details", "Bearer T", 200, 0},
		{"GET", "/api/v1/devices/b/details", "Bearer T", 404, 0},
		{"GET", "/api/v1/devices?limit=301", "Bearer T", 200, 1},
		{"GET", "/api/v1/devices?limit=many", "Bearer T", 400, 1},
		{"GET", "/api/v1/devices?serial=X", "Bearer T", 200, 1},
		{"GET", "/api/v1/devices?serial_number=", "Bearer T", 200, 1},
		{"GET", "/api/v1/devices?offset=1&offset=2", "Bearer T", 200, 1},
		{"POST", "/api/v1/devices", "Bearer T", 405, 1},
		{"GET", "/api/v1/devices", "Bearer U", 401, 0},
		{"GET", "/api/v1/devices", "", 401, 1},
		{"GET", "/api/v1/devices/", "Bearer T", 404, 1},
		{"GET", "/api/v1/devices/a/b/details", "Bearer T", 404, 1},
		{"GET", "/", "Bearer T", 404, 1},
	} {
		s := started(t, irutest.Options{Token: "T", Devices: []irutest.Device{{DeviceID: "a", Serial: "XYZ"}}})
		status, body := got(t, s, row.method, row.path, row.token)
		if status != row.status || len(s.Violations()) != row.violations {
			t.Errorf("%s %s = %d, %s with the violations %q, want %d and %d", row.method, row.path, status, body, s.Violations(), row.status, row.violations)
		}
	}
}

// TestLimitOfTheHour: a tenant that has used it up is refused until the hour ends, and a client that goes on asking is a violation.
func TestLimitOfTheHour(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	s := started(t, irutest.Options{Token: "T", RetryAfter: "60", Now: func() time.Time { return now }})
	ask := func() int {
		status, _ := got(t, s, "GET", "/api/v1/devices", "Bearer T")
		return status
	}
	if ask() != 200 {
		t.Error("the first request is refused")
	}
	s.Spend(10_000)
	for range 5 {
		if status := ask(); status != 429 {
			t.Errorf("answered %d, want 429", status)
		}
	}
	if len(s.Violations()) > 0 {
		t.Errorf("violations %q, though the requests of others used the limit up", s.Violations())
	}
	now = now.Add(time.Second)
	ask()
	if violations := s.Violations(); len(violations) != 1 || !strings.Contains(violations[0], "goes on asking") {
		t.Errorf("violations %q, want that the client goes on asking", violations)
	}
	now = now.Add(time.Hour)
	if status := ask(); status != 200 {
		t.Errorf("answered %d in the next hour, want 200", status)
	}
}

// TestOptionsAreJSON: a server of another process is configured by JSON.
func TestOptionsAreJSON(t *testing.T) {
	t.Parallel()
	var options irutest.Options
	text := `{"token":"T","devices":[{"serial_number":"C02","tags":["wifi"],"blueprint_name":"Engineering","mdm_enabled":true,"raw":{"tags":["a",null]}}]}`
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&options); err != nil {
		t.Fatal(err)
	}
	_, body := got(t, started(t, options), "GET", "/api/v1/devices?serial_number=c02", "Bearer T")
	if !strings.Contains(body, `"tags":["a",null]`) || !strings.Contains(body, `"user":""`) || !strings.HasPrefix(body, "[{") {
		t.Errorf("the answer is %s", body)
	}
}
