package vendorhttp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/providertest/vendortest"
	"step-posture-connector/internal/provider/vendorhttp"
)

// withHeader are options with a static header.
func (s *acmeServer) withHeader(t *testing.T, value string) vendorhttp.Options {
	t.Helper()
	o := s.options(t)
	o.Auth = vendorhttp.StaticHeader{Name: "X-Api-Key", Value: config.NewSecret([]byte(value)), Remedy: "check ACME_TOKEN"}
	return o
}

// TestStaticHeader: the header is all that a server needs; one that it refuses is not sent a second time, and the
// error says what to check.
func TestStaticHeader(t *testing.T) {
	t.Parallel()
	server := started(t, serial)
	finds(t, opened(server.withHeader(t, server.secret)), serial)
	if got := server.Count(); got != 1 {
		t.Errorf("a lookup made %d requests, want 1", got)
	}
	wrong := opened(server.withHeader(t, "hidden-secret"))
	if err := wrong.Authenticate(t.Context()); err != nil {
		t.Errorf("Authenticate = %v, want nothing, because nothing is tried", err)
	}
	_, err := lookup(t, wrong, serial, ample)
	if !errors.Is(err, posture.ErrCredentials) || !strings.HasPrefix(err.Error(), "devices answered 401: ") || !strings.HasSuffix(err.Error(), ": check ACME_TOKEN") {
		t.Errorf("Lookup = %v, want that the credentials are refused, and what to check", err)
	}
	if got := server.Count(); got != 2 {
		t.Errorf("a header that was refused was sent %d times, want once", got-1)
	}
}

// TestStaticHeaderPrefix: a static token can be a bearer token.
func TestStaticHeaderPrefix(t *testing.T) {
	t.Parallel()
	server := started(t, serial)
	server.tokens["for ever"] = true
	o := server.options(t)
	o.Auth = vendorhttp.StaticHeader{Name: "Authorization", Prefix: "Bearer ", Value: config.NewSecret([]byte("for ever"))}
	finds(t, opened(o), serial)
}

// TestNothingShowsSecrets: neither the provider nor its options show a secret when they are printed.
func TestNothingShowsSecrets(t *testing.T) {
	t.Parallel()
	server := started(t, serial)
	for _, o := range []vendorhttp.Options{server.options(t), server.withHeader(t, server.secret)} {
		provider := opened(o)
		finds(t, provider, serial)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
			for _, thing := range []any{o, &o, o.Auth, provider, *provider, provider.Client} {
				text := fmt.Sprintf(verb, thing)
				for _, secret := range server.secrets() {
					if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
						t.Errorf("%s of a %T holds a secret", verb, thing)
					}
				}
			}
		}
	}
}

// TestTokenLifetime: a token is used for most of the lifetime that the server gives it, and not after it.
func TestTokenLifetime(t *testing.T) {
	t.Parallel()
	for lifetime, least := range map[time.Duration]time.Duration{time.Minute: 40 * time.Second, 10 * time.Minute: 8 * time.Minute, 2 * time.Hour: 118 * time.Minute} {
		server := started(t, serial)
		server.lifetime = int(lifetime.Seconds())
		provider := opened(server.options(t))
		finds(t, provider, serial)
		if left := time.Until(provider.TokenUntil()); left < least || left >= lifetime {
			t.Errorf("a token that lives %s is used for %s, want at least %s", lifetime, left, least)
		}
	}
}

// TestImpossibleToken: a token that cannot be in a header is not kept, which would fail every lookup until its end.
func TestImpossibleToken(t *testing.T) {
	t.Parallel()
	for _, token := range []string{`line\nbreak`, `nul\u0000`, `\u007f`, `\u00fc`} {
		server := started(t, serial)
		provider := opened(server.options(t))
		server.Fail(vendortest.Fault{Kind: vendortest.Answer, Body: `{"access_token":"` + token + `","token_type":"bearer","expires_in":599}`, Times: 1}, tokenEndpoint)
		const want = "token endpoint: the token has a character that no token may have"
		if _, err := lookup(t, provider, serial, ample); err == nil || err.Error() != want {
			t.Errorf("Lookup with the token %s = %v, want %s", token, err, want)
		}
		finds(t, provider, serial)
	}
}

// TestRetryAfter: a server that asks for a pause of a second gets it, when enough time is left.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		server := started(t, serial)
		provider := opened(server.options(t))
		server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: status, Headers: map[string]string{"Retry-After": "1"}, Times: 1}, "devices")
		begin := time.Now()
		finds(t, provider, serial)
		if took := time.Since(begin); took < time.Second {
			t.Errorf("%d: the request was repeated after %v, want a second", status, took)
		}
	}
}

// TestExplain: each thing that can be wrong at start has a message of its own.
func TestExplain(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		fault vendortest.Fault
		want  string
		other bool // what answers is not the vendor's server
	}{
		"no token endpoint": {vendortest.Fault{Kind: vendortest.Answer, Status: 404}, "ACME_URL does not answer as an Acme server does: it has no token endpoint", true},
		"a web site":        {vendortest.Fault{Kind: vendortest.Answer, Body: "<html>"}, "token endpoint: the answer holds no token: ACME_URL does not answer as an Acme server does", true},
		"a broken server":   {vendortest.Fault{Kind: vendortest.Answer, Status: 500}, "token endpoint answered 500", false},
		"a redirect":        {vendortest.Fault{Kind: vendortest.Redirect}, "token endpoint answered 302: the server redirects, and redirects are not followed; check ACME_URL", false},
		"refused":           {vendortest.Fault{Kind: vendortest.Answer, Status: 401}, "token endpoint answered 401: the inventory refused the credentials: check ACME_SECRET", false},
		"hangs":             {vendortest.Fault{Kind: vendortest.Hang}, "HOST did not answer in time", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t)
			server.Fail(row.fault)
			limit := ample
			if row.fault.Kind == vendortest.Hang {
				limit = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			provider := opened(server.options(t))
			err := provider.Explain(provider.Authenticate(ctx))
			if want := strings.ReplaceAll(row.want, "HOST", strings.TrimPrefix(server.URL(), "https://")); err == nil || err.Error() != want {
				t.Errorf("Explain = %v\nwant      %s", err, want)
			}
			if errors.Is(err, vendorhttp.ErrOther) != row.other {
				t.Errorf("%v: is another server's: %v, want %v", err, !row.other, row.other)
			}
		})
	}
}

// TestRefusalIsExplained: where the vendor's error code says more than that of OAuth, the error says it in our words; an outage is none.
func TestRefusalIsExplained(t *testing.T) {
	t.Parallel()
	for status, explained := range map[int]bool{400: true, 401: true, 403: true, 404: false, 429: false, 500: false, 503: false} {
		server := started(t, serial)
		server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: `{"error":"invalid_request","code":7,"text":"` + vendortest.Marker + `"}`}, tokenEndpoint)
		o := server.options(t)
		credentials, _ := o.Auth.(vendorhttp.ClientCredentials)
		credentials.Explain = func(body []byte) string {
			if strings.Contains(string(body), `"code":7`) {
				return "the secret has expired"
			}
			return ""
		}
		o.Auth = credentials
		_, err := lookup(t, opened(o), serial, ample)
		want := fmt.Sprintf("token endpoint answered %d: %v: the secret has expired", status, posture.ErrCredentials)
		if got := errors.Is(err, posture.ErrCredentials) && err.Error() == want; err == nil || got != explained || strings.Contains(err.Error(), vendortest.Marker) {
			t.Errorf("with status %d, Lookup = %v, explained: %v, want %v", status, err, got, explained)
		}
	}
}
