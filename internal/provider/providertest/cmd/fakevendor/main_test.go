package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/providertest/standalone"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestVendors: the program simulates each vendor until it is stopped, and its admin handler changes that.
func TestVendors(t *testing.T) {
	t.Parallel()
	for vendor := range vendors() {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			ca, options := filepath.Join(folder, "ca.crt"), filepath.Join(folder, "options.json")
			write(t, options, `{"devices": [{}]}`)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			read, out := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				err := standalone.Run(ctx, "fakevendor", vendors(), []string{"-vendor", vendor, "-ca", ca, "-options", options}, out)
				_ = out.CloseWithError(err) // also where it prints nothing
				ended <- err
			}()
			lines := bufio.NewScanner(read)
			var addresses []string
			for _, name := range []string{vendor + " https://", "admin http://"} {
				if !lines.Scan() || !strings.HasPrefix(lines.Text(), name) {
					t.Fatalf("it prints %q, %v, want %s", lines.Text(), lines.Err(), name)
				}
				_, address, _ := strings.Cut(lines.Text(), " ")
				addresses = append(addresses, address)
			}
			pem, err := os.ReadFile(ca)
			if err != nil {
				t.Fatal(err)
			}
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(pem)
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
			defer client.CloseIdleConnections()
			if status, _ := send(t, client, http.MethodGet, addresses[0]+"/", ""); status < 400 {
				t.Errorf("a request of nothing is answered %d", status)
			}
			for _, step := range []struct {
				method, path, body string
				status             int
			}{
				{http.MethodPut, "/devices", `[{}, {}]`, http.StatusNoContent},
				{http.MethodPut, "/devices", `[{"sreial": "X"}]`, http.StatusBadRequest},
				{http.MethodPost, "/revoke", "", http.StatusNoContent},
				{http.MethodPost, "/fail", `{"fault": {"kind": "answer", "status": 503}}`, http.StatusNoContent},
				{http.MethodPost, "/heal", "", http.StatusNoContent},
				{http.MethodPost, "/down", "", http.StatusNoContent},
				{http.MethodPost, "/up", "", http.StatusNoContent},
			} {
				if status, body := send(t, client, step.method, addresses[1]+step.path, step.body); status != step.status {
					t.Errorf("%s %s = %d %s, want %d", step.method, step.path, status, body, step.status)
				}
			}
			var report vendortest.Report
			_, body := send(t, client, http.MethodGet, addresses[1]+"/report", "")
			if err := json.Unmarshal([]byte(body), &report); err != nil || len(report.RequestIDs) != 1 || len(report.Violations) == 0 {
				t.Errorf("the report is %s, %v, want one request, which is a violation", body, err)
			}
			stop()
			if err := <-ended; err != nil {
				t.Errorf("Run = %v", err)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	ca, misspelled, two := filepath.Join(folder, "ca.crt"), filepath.Join(folder, "misspelled.json"), filepath.Join(folder, "two.json")
	write(t, misspelled, `{"devises": []}`)
	write(t, two, `{} {}`)
	for _, args := range [][]string{
		nil,
		{"-ca", ca},
		{"-ca", ca, "-vendor", "another"},
		{"-ca", ca, "-vendor", "fleet", "more"},
		{"-no"},
		{"-vendor", "fleet"},
		{"-ca", ca, "-vendor", "fleet", "-options", misspelled},
		{"-ca", ca, "-vendor", "fleet", "-options", two},
		{"-ca", ca, "-vendor", "fleet", "-options", filepath.Join(folder, "none")},
		{"-ca", filepath.Join(folder, "none", "ca"), "-vendor", "fleet"},
		{"-ca", ca, "-vendor", "fleet", "-listen", "nowhere"},
		{"-ca", ca, "-vendor", "fleet", "-admin", "nowhere"},
	} {
		if err := standalone.Run(t.Context(), "fakevendor", vendors(), args, io.Discard); err == nil {
			t.Errorf("Run(%q) succeeds", args)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, client *http.Client, method, address, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}
