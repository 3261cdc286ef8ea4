package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/providertest/standalone"
)

// The program serves what its options say, until it is stopped, and its admin handler changes that.
func TestRun(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	ca, options := filepath.Join(folder, "ca.crt"), filepath.Join(folder, "options.json")
	write(t, options, `{"token": "secret", "devices": [{"serial": "C02XK1ABJHD2"}]}`)
	ctx, stop := context.WithCancel(t.Context())
	read, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- standalone.Run(ctx, "fakesnipeit", vendors(), []string{"-ca", ca, "-options", options}, out)
	}()
	lines := bufio.NewScanner(read)
	address := func(name string) string {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), name+" http") {
			t.Fatalf("it prints %q, want the address of %s", lines.Text(), name)
		}
		return strings.TrimPrefix(lines.Text(), name+" ")
	}
	server, admin := address("snipeit"), address("admin")

	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	found := server + "/api/v1/hardware/byserial/"
	if body := call(t, client, http.MethodGet, found+"C02XK1ABJHD2", ""); !strings.Contains(body, `"total":1`) {
		t.Errorf("a device of the options: %s", body)
	}
	call(t, client, http.MethodPut, admin+"/devices", `[{"serial": "DMPXK1ABJF88"}]`)
	if body := call(t, client, http.MethodGet, found+"C02XK1ABJHD2", ""); !strings.Contains(body, "does not exist") {
		t.Errorf("a device that was replaced: %s", body)
	}
	if body := call(t, client, http.MethodGet, admin+"/report", ""); !strings.Contains(body, `"lookup":2`) {
		t.Errorf("the report: %s", body)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("run = %v", err)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	misspelled := filepath.Join(t.TempDir(), "options.json")
	write(t, misspelled, `{"tokens": "secret"}`)
	for _, args := range [][]string{nil, {"-ca", "x", "y"}, {"-no"}, {"-ca", "x", "-options", misspelled}} {
		if err := standalone.Run(t.Context(), "fakesnipeit", vendors(), args, io.Discard); err == nil {
			t.Errorf("run(%q) succeeds", args)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func call(t *testing.T, client *http.Client, method, url, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Authorization", "Bearer secret")
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
