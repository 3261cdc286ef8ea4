package stepca

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// fake is a CA over TLS.
func fake(t *testing.T, answer http.HandlerFunc) CA {
	t.Helper()
	server := httptest.NewTLSServer(answer)
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return CA{URL: server.URL, Roots: roots}
}

// All pages are read, in order; nothing but the question is sent.
func TestProvisionersReadsPages(t *testing.T) {
	t.Parallel()
	ca := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/provisioners" || r.URL.Query().Get("limit") != "100" || r.Header.Get("Authorization") != "" {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		next := map[string]string{"": "a&b=c", "a&b=c": "ff", "ff": ""}
		cursor := r.URL.Query().Get("cursor")
		writeJSON(w, map[string]any{"provisioners": []any{map[string]string{"type": "JWK", "name": "after " + cursor}}, "nextCursor": next[cursor]})
	})
	got, err := ca.Provisioners(t.Context())
	if err != nil || len(got) != 3 || got[2].Name != "after ff" {
		t.Errorf("Provisioners() = %v, %v, want three pages", got, err)
	}
}

// What a server may answer that is no step-ca, or is hostile: an error that says what is wrong, and none of the answer.
func TestProvisionersHostile(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-in-an-answer"
	count := 0
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"not found": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, secret, http.StatusNotFound) }, "status 404. Is this step-ca"},
		"broken":    {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, secret, http.StatusBadGateway) }, "status 502"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+secret+".invalid/", http.StatusFound)
		}, "Redirects are not followed"},
		"HTML":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>" + secret)) }, "no list of provisioners in JSON"},
		"empty":   {func(http.ResponseWriter, *http.Request) {}, "no list of provisioners in JSON"},
		"no list": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"x":"` + secret + `"}`)) }, "no list of provisioners"},
		"wrong type": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"provisioners":"` + secret + `"}`))
		}, "no list of provisioners"},
		"100 MB": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"provisioners":[{"name":"`))
			for block := []byte(strings.Repeat("x", 1<<20)); count < 100; count++ {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, "more than 16 MiB"},
		"same cursor": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"provisioners":[],"nextCursor":"x"}`))
		}, "no end"},
		"long cursor": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"provisioners":[],"nextCursor":%q}`, strings.Repeat("y", 1000))
		}, "no end"},
		"endless cursors": {func(w http.ResponseWriter, r *http.Request) {
			writeJSON(w, map[string]any{"provisioners": []any{}, "nextCursor": "x" + r.URL.Query().Get("cursor")})
		}, "more than 5000 provisioners"},
		"a page too long": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"provisioners":[` + strings.Repeat("{},", 100) + `{}]}`))
		}, "101 provisioners"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := fake(t, row.answer).Provisioners(t.Context())
			if err == nil || got != nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("Provisioners() = %d, %v, want an error with %q", len(got), err, row.want)
			}
		})
	}
}

// A CA with another root is not asked anything.
func TestProvisionersWrongRoot(t *testing.T) {
	t.Parallel()
	ca := fake(t, func(http.ResponseWriter, *http.Request) { t.Error("the CA was asked") })
	ca.Roots = x509.NewCertPool()
	if _, err := ca.Provisioners(t.Context()); err == nil || !strings.Contains(err.Error(), "--ca-root names the file") {
		t.Errorf("with another root: %v, want one that names --ca-root", err)
	}
	ca.URL = "https://127.0.0.1:1"
	if _, err := ca.Provisioners(t.Context()); err == nil || !strings.Contains(err.Error(), "does step-ca run?") {
		t.Errorf("with nothing at the port: %v", err)
	}
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://ca.example.com": "https://ca.example.com", "https://ca.example.com:8443/": "https://ca.example.com:8443",
		"": "", "ca.example.com": "", "http://ca.example.com": "", "https://": "", "https://user:s3cret@ca": "", "https://ca/acme": "", "https://ca?x=1": "", "https://ca#": "",
	} {
		got, err := ParseURL(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("ParseURL(%q) = %q, %v, want %q", text, got, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "accepted: https://HOST")) {
			t.Errorf("ParseURL(%q): %v", text, err)
		}
	}
}

func writeJSON(w http.ResponseWriter, value any) { _ = json.NewEncoder(w).Encode(value) }
