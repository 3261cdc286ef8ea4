package vendorhttp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// exchanging is a client of a server that answers as a function does.
func exchanging(t *testing.T, o vendorhttp.Options, answer http.HandlerFunc) *vendorhttp.Client {
	t.Helper()
	server := httptest.NewUnstartedServer(answer)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	o.Base, _ = url.Parse(server.URL + "/base%2Fpath")
	o.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	if o.Auth == nil {
		o.Auth = vendorhttp.NoAuth{}
	}
	c := vendorhttp.New(o)
	t.Cleanup(c.Close)
	return c
}

func secret(text string) config.Secret { return config.NewSecret([]byte(text)) }

// TestExchange: method, escaped path, query, headers and body arrive as they were given, with all credentials.
func TestExchange(t *testing.T) {
	t.Parallel()
	c := exchanging(t, vendorhttp.Options{Auth: vendorhttp.Several{
		vendorhttp.Basic{User: secret("user"), Password: secret("p:w")},
		vendorhttp.StaticHeader{Name: "X-Key", Prefix: "k ", Value: secret("key")},
	}}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, strings.Join([]string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("X-A"), r.Header.Get("X-Key"), user, password, string(body), r.Header.Get("Accept")}, "|")) //nolint:gosec // G705: no browser reads it
	})
	answer, err := c.Exchange(t.Context(), vendorhttp.Request{
		Endpoint: "request", Method: http.MethodPost, Path: "/a%2Fb", Query: url.Values{"q": {"x y"}}, Header: http.Header{"X-A": {"b"}, "Accept": {"text/plain"}}, Body: []byte("{}"),
	})
	if want := "POST|/base%2Fpath/a%2Fb|q=x+y|b|k key|user|p:w|{}|text/plain"; err != nil || answer.Status != 404 || string(answer.Body) != want {
		t.Errorf("Exchange = %d %s, %v\nwant %s", answer.Status, answer.Body, err, want)
	}
}

// TestExchangeFaults: redirects, refusals and servers that cannot answer are faults, and their bodies are not returned.
func TestExchangeFaults(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 304, 307, 401, 403, 407, 408, 425, 429, 500, 502, 503, 504} {
		var asked atomic.Int64
		c := exchanging(t, vendorhttp.Options{}, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.Header().Set("Location", "https://evil.invalid/")
			w.WriteHeader(status)
		})
		answer, err := c.Exchange(t.Context(), vendorhttp.Request{Endpoint: "request", Method: http.MethodGet, Path: "/"})
		if !vendorhttp.HasStatus(err, "request", status) || answer.Status != 0 || asked.Load() > 2 {
			t.Errorf("%d: Exchange = %+v, %v, asked %d times", status, answer, err, asked.Load())
		}
		if errors.Is(err, posture.ErrCredentials) != (status == http.StatusUnauthorized) {
			t.Errorf("%d: Exchange = %v", status, err)
		}
	}
	for _, status := range []int{200, 201, 204, 206, 400, 404, 410, 422} {
		c := exchanging(t, vendorhttp.Options{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if answer, err := c.Exchange(t.Context(), vendorhttp.Request{Endpoint: "request", Method: http.MethodGet, Path: "/"}); err != nil || answer.Status != status {
			t.Errorf("%d: Exchange = %+v, %v", status, answer, err)
		}
	}
	c := exchanging(t, vendorhttp.Options{}, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 101)) })
	if _, err := c.Exchange(t.Context(), vendorhttp.Request{Endpoint: "request", Method: http.MethodGet, Path: "/", MaxAnswer: 100}); err == nil {
		t.Error("an answer that is too long is accepted")
	}
}

// TestClientCertificate: it is asked for anew for each connection, and goes to the inventory only.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	pair, _ := certificate(t, nil)
	var loaded, tokens atomic.Int64
	issuer := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, password, isBasic := r.BasicAuth()
		if _ = r.ParseForm(); !isBasic || id != "id" || password != "hidden-secret" || r.Form.Get("scope") != "a b" || len(r.TLS.PeerCertificates) != 0 {
			t.Errorf("a request for a token with %v", r.Form)
		}
		tokens.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"token","token_type":"Bearer","expires_in":3600}`)
	}))
	issuer.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
	issuer.StartTLS()
	t.Cleanup(issuer.Close)
	address, _ := url.Parse(issuer.URL + "/token")
	c := exchanging(t, vendorhttp.Options{
		Auth: vendorhttp.ClientCredentials{ID: "id", Secret: secret("hidden-secret"), URL: address, Basic: true, Scopes: []string{"a", "b"}},
		Certificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			loaded.Add(1)
			return &pair, nil
		},
	}, func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 || r.Header.Get("Authorization") != "Bearer token" {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	for range 2 {
		if answer, err := c.Exchange(t.Context(), vendorhttp.Request{Endpoint: "request", Method: http.MethodGet, Path: "/"}); err != nil || answer.Status != 200 {
			t.Fatalf("Exchange = %+v, %v", answer, err)
		}
		c.Close() // the next request has a connection of its own
	}
	if loaded.Load() != 2 || tokens.Load() != 1 {
		t.Errorf("the certificate was loaded %d times, and %d tokens issued", loaded.Load(), tokens.Load())
	}
}

// TestRate: what has no turn in time fails at once, and is not sent.
func TestRate(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	c := exchanging(t, vendorhttp.Options{Rate: 0.001, Burst: 2, RateSetting: "limits.rate"}, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i := range 4 {
		_, err := c.Exchange(ctx, vendorhttp.Request{Endpoint: "request", Method: http.MethodGet, Path: "/"})
		if (err == nil) != (i < 2) || err != nil && !strings.Contains(err.Error(), "limits.rate") {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if asked.Load() != 2 {
		t.Errorf("%d requests were sent", asked.Load())
	}
}

// TestAsk: only a 200 is an answer. A hint says what another status means at this vendor.
func TestAsk(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		200: "",
		201: "request answered 201",
		204: "request answered 204",
		302: "request answered 302: the server redirects, and redirects are not followed; check ACME_URL",
		400: "request answered 400: the server does not understand the request",
		403: "request answered 403: the API key needs the right to read devices",
		404: "request answered 404: the server does not have this endpoint; check ACME_URL",
		422: "request answered 422",
		500: "request answered 500",
	} {
		var asked atomic.Int64
		c := exchanging(t, vendorhttp.Options{
			Vendor: vendorhttp.Vendor{Name: "Acme", Variable: "ACME_URL"},
			Hint: func(endpoint string, status int) string {
				if endpoint == "request" && status == http.StatusForbidden {
					return "the API key needs the right to read devices"
				}
				return ""
			},
		}, func(w http.ResponseWriter, r *http.Request) {
			if body, _ := io.ReadAll(r.Body); r.Method != http.MethodPost || string(body) != "{}" {
				t.Errorf("%d: a %s of %s", status, r.Method, body)
			}
			asked.Add(1)
			w.WriteHeader(status)
			if status == http.StatusOK || status > http.StatusBadRequest {
				_, _ = io.WriteString(w, "body")
			}
		})
		body, err := c.Ask(t.Context(), vendorhttp.Request{Endpoint: "request", Method: http.MethodPost, Path: "/", Body: []byte("{}")})
		if (err == nil) != (want == "") || err != nil && (err.Error() != want || body != nil) || err == nil && string(body) != "body" {
			t.Errorf("%d: Ask = %s, %v, want %s", status, body, err, want)
		}
		if times := asked.Load(); times != 1 && (status != 500 || times != 2) {
			t.Errorf("%d: asked %d times", status, times)
		}
	}
}
