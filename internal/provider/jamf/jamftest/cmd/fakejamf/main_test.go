package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/standalone"
)

const options = `{
  "version": "11.30.1-t1", "context_path": "/jamf",
  "clients": [{"id": "connector", "secret": "s3cret", "privileges": ["Read Computers"], "expires_in": 60}],
  "devices": [{"computer": true, "serial": "C02XK1ABJHD2", "managed": true, "groups": [{"name": "Compliant"}]}]
}`

// TestRun does what an end-to-end test does: it starts the program, asks the server, and uses the
// admin handler.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, config := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "options.json")
	if err := os.WriteFile(config, []byte(options), 0o600); err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- standalone.Run(ctx, "fakejamf", vendors(), []string{"-ca", ca, "-options", config}, writer)
	}()
	lines := bufio.NewScanner(reader)
	var addresses []string
	for _, name := range []string{"jamf ", "admin "} {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), name) {
			t.Fatalf("the program printed %q, want %q and an address", lines.Text(), name)
		}
		addresses = append(addresses, strings.TrimPrefix(lines.Text(), name))
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	u := user{t, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"connector"}, "client_secret": {"s3cret"}}.Encode()
	if status, body := u.send(http.MethodPost, addresses[0]+"/api/v1/oauth/token", form); status != 200 {
		t.Errorf("token: %d %s", status, body)
	}
	for _, step := range []struct{ method, path, body string }{
		{http.MethodPost, "/fail", `{"endpoints":["token"],"fault":{"kind":"answer","status":503}}`},
		{http.MethodPost, "/heal", ""},
		{http.MethodPut, "/devices", `[{"computer":false,"serial":"DMPXK1ABJF88","managed":true}]`},
		{http.MethodPut, "/clients", `[{"id":"connector","secret":"s3cret","privileges":[],"expires_in":60}]`},
		{http.MethodPost, "/expire", ""},
		{http.MethodPost, "/revoke", ""},
		{http.MethodPost, "/down", ""},
		{http.MethodPost, "/up", ""},
	} {
		if status, body := u.send(step.method, addresses[1]+step.path, step.body); status != http.StatusNoContent {
			t.Errorf("%s %s = %d %s", step.method, step.path, status, body)
		}
	}
	if status, _ := u.send(http.MethodPut, addresses[1]+"/devices", `[{"serail":"X"}]`); status != http.StatusBadRequest {
		t.Errorf("an unknown member = %d, want 400", status)
	}
	_, body := u.send(http.MethodGet, addresses[1]+"/report", "")
	var report jamftest.Report
	if err := json.Unmarshal([]byte(body), &report); err != nil || report.TokensIssued != 1 || report.Counts[jamftest.Token] != 1 || len(report.Violations) > 0 || len(report.RequestIDs) != 1 || report.Connections < 1 || report.Abandoned != 0 {
		t.Errorf("the report is %s, %v", body, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run = %v", err)
	}
}

type user struct {
	t      *testing.T
	client *http.Client
}

func (u user) send(method, address, body string) (status int, answer string) {
	u.t.Helper()
	request, err := http.NewRequestWithContext(u.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	request.Header.Set("User-Agent", "test")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := u.client.Do(request)
	if err != nil {
		u.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "options.json")
	if err := os.WriteFile(broken, []byte(`{"release":"11"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		nil,
		{"-ca", ""},
		{"-ca", filepath.Join(dir, "ca"), "more"},
		{"-ca", filepath.Join(dir, "none", "ca")},
		{"-ca", filepath.Join(dir, "ca"), "-options", filepath.Join(dir, "none")},
		{"-ca", filepath.Join(dir, "ca"), "-options", broken},
	} {
		if err := standalone.Run(t.Context(), "fakejamf", vendors(), args, io.Discard); err == nil {
			t.Errorf("run(%q) = nil, want an error", args)
		}
	}
}
