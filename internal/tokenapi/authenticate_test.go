package tokenapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/tokenapi"
)

func TestAuthentication(t *testing.T) {
	t.Parallel()
	authenticating, refusing := start(t), start(t)
	authorization := func(values ...string) http.Header { return http.Header{"Authorization": values} }
	for name, test := range map[string]struct {
		header http.Header
		want   string // in the reason, or "" for a client
	}{
		"plain":             {bearer(enrolBearer), ""},
		"lower case":        {authorization("bearer " + enrolBearer), ""},
		"upper case":        {authorization("BEARER " + enrolBearer), ""},
		"several spaces":    {authorization("Bearer   " + enrolBearer), ""},
		"no header":         {nil, "not exactly one Authorization header"},
		"two headers":       {authorization("Bearer "+enrolBearer, "Bearer "+enrolBearer), "not exactly one Authorization header"},
		"two, one wrong":    {authorization("Bearer "+enrolBearer, "Bearer x"), "not exactly one Authorization header"},
		"two in one":        {authorization("Bearer " + enrolBearer + ", Bearer " + enrolBearer), "that of no client"},
		"empty header":      {authorization(""), "is not Bearer"},
		"scheme alone":      {authorization("Bearer"), "has no credential"},
		"scheme and spaces": {authorization("Bearer    "), "has no credential"},
		"tab":               {authorization("Bearer\t" + enrolBearer), "is not Bearer"},
		"credential alone":  {authorization(enrolBearer), "is not Bearer"},
		"Basic":             {authorization("Basic ZW5yb2w6eA=="), "is not Bearer"},
		"other scheme":      {authorization("Token " + enrolBearer), "is not Bearer"},
		"longer scheme":     {authorization("Bearers " + enrolBearer), "is not Bearer"},
		"wrong":             {bearer("wrong"), "that of no client"},
		"cut short":         {bearer(enrolBearer[:len(enrolBearer)-1]), "that of no client"},
		"longer":            {bearer(enrolBearer + "0"), "that of no client"},
		"in capitals":       {bearer(strings.ToUpper(enrolBearer)), "that of no client"},
		"quoted":            {bearer(`"` + enrolBearer + `"`), "that of no client"},
		"other header":      {http.Header{"X-Api-Key": {enrolBearer}}, "not exactly one Authorization header"},
	} {
		t.Run(name, func(t *testing.T) {
			a := authenticating
			if test.want != "" {
				a = refusing
			}
			for method, path := range map[string]string{
				http.MethodGet: "/v1/tokens", http.MethodPost: "/v1/tokens", http.MethodDelete: "/v1/tokens/X",
			} {
				r := a.do(t, method, path, test.header, strings.NewReader(`{"policy":"enrolment","identifier":"C02"}`))
				if test.want == "" {
					if r.event.Client != "enrol" || r.status == http.StatusUnauthorized || r.closed {
						t.Errorf("got %+v, %s, want the client enrol", r.event, r.text)
					}
					continue
				}
				wantError(t, r, http.StatusUnauthorized, "unauthenticated", "send one Authorization header")
				if !strings.Contains(r.event.Reason, test.want) || r.event.Client != "" || !r.closed {
					t.Errorf("got event %+v, closed %v, want reason %q and a closed connection", r.event, r.closed, test.want)
				}
			}
		})
	}
	if got := refusing.list(t, enrolBearer, ""); len(got.body.Tokens) != 0 {
		t.Errorf("got %s, want no token", got.text)
	}
}

// Without a client, with one that has no credential, and with two that share one, nobody may call.
func TestNobodyMayCall(t *testing.T) {
	t.Parallel()
	shared := config.NewSecret([]byte("shared"))
	for name, test := range map[string]struct {
		access *tokenapi.Access
		want   string
	}{
		"no access yet": {nil, "no client has a credential"},
		"no clients":    {tokenapi.NewAccess(nil, rules()), "no client has a credential"},
		"no credential": {tokenapi.NewAccess([]tokenapi.Client{{Name: "a", Policies: []string{"enrolment"}}}, rules()), "no client has a credential"},
		"shared": {tokenapi.NewAccess([]tokenapi.Client{
			{Name: "a", Bearer: shared, Policies: []string{"enrolment"}},
			{Name: "b", Bearer: shared, Policies: []string{"enrolment"}},
		}, rules()), "more than one client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t)
			if test.access == nil {
				a.handler = &tokenapi.Handler{Tokens: a.handler.Tokens, Now: a.clock, Record: a.handler.Record}
				a.Config.Handler = a.handler
			} else {
				a.handler.Use(test.access)
			}
			for _, credential := range []string{"shared", "", enrolBearer} {
				r := a.issue(t, credential, `{"policy":"enrolment","identifier":"C02"}`)
				wantError(t, r, http.StatusUnauthorized, "unauthenticated")
				if credential == "shared" && !strings.Contains(r.event.Reason, test.want) {
					t.Errorf("got reason %q, want %q", r.event.Reason, test.want)
				}
			}
		})
	}
}

// A reload replaces clients, credentials and policies from the next request on.
func TestUse(t *testing.T) {
	t.Parallel()
	a := start(t)
	id := a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C02"}`).body.ID
	a.handler.Use(tokenapi.NewAccess([]tokenapi.Client{
		{Name: "enrol", Bearer: config.NewSecret([]byte("new")), Policies: []string{"kiosk"}},
		{Name: "guest", Bearer: config.NewSecret([]byte(guestBearer)), Policies: []string{"enrolment"}},
	}, rules()))
	wantError(t, a.list(t, enrolBearer, ""), http.StatusUnauthorized, "unauthenticated")
	wantError(t, a.revoke(t, "new", id), http.StatusNotFound, "notFound")
	if r := a.revoke(t, guestBearer, id); r.status != http.StatusNoContent {
		t.Errorf("got %d, want 204: %s", r.status, r.text)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	a := start(t)
	call := func(credential string) reply {
		return a.doAtOnce(t, http.MethodGet, "/v1/tokens", bearer(credential), nil)
	}
	refused := func(r reply) {
		t.Helper()
		wantError(t, r, http.StatusTooManyRequests, "tooMany", "at most 10 a second")
		if got := r.header.Get("Retry-After"); got != "1" || r.closed {
			t.Errorf("got Retry-After %q, closed %v, want 1 and an open connection", got, r.closed)
		}
	}
	passes := func(r reply) {
		t.Helper()
		if r.status != http.StatusOK {
			t.Errorf("got status %d, want 200: %s", r.status, r.text)
		}
	}
	for range 50 { // uses up nobody's budget
		if r := call("wrong"); r.status != http.StatusUnauthorized {
			t.Fatalf("got status %d, want 401", r.status)
		}
	}
	for range 10 {
		passes(call(enrolBearer))
	}
	refused(call(enrolBearer))
	// Before the size and the form of the body.
	refused(a.doAtOnce(t, http.MethodPost, "/v1/tokens", bearer(enrolBearer), strings.NewReader(strings.Repeat(" ", 5000))))
	passes(call(guestBearer))

	a.handler.Use(tokenapi.NewAccess(clients(), rules()))
	refused(call(enrolBearer)) // a reload gives no more
	a.advance(99 * time.Millisecond)
	refused(call(enrolBearer))
	a.advance(time.Millisecond)
	passes(call(enrolBearer))
	refused(call(enrolBearer))
	a.advance(-time.Hour) // a clock that is set back lets nobody in, and locks nobody out for long
	refused(call(enrolBearer))
	a.advance(time.Hour + time.Second)
	for range 10 {
		passes(call(enrolBearer))
	}
	refused(call(enrolBearer))
	a.advance(time.Hour) // no more than ten at once, however long the pause
	for range 10 {
		passes(call(enrolBearer))
	}
	refused(call(enrolBearer))
}
