package webhook_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

const credential = "hVnyG2vJcVb7l3cX5P0dW8r1"

func authorization(values ...string) http.Header { return http.Header{"Authorization": values} }

// both are the headers of two.
func both(one, two http.Header) http.Header {
	all := one.Clone()
	for name, values := range two {
		all[name] = values
	}
	return all
}

// callBearer posts a body to the path of the credential.
func callBearer(t *testing.T, hooks *webhook.Hooks, path string, header http.Header, body []byte) (status int, event *audit.Event) {
	t.Helper()
	handler := &webhook.Handler{Tolerance: 30 * time.Second, Now: recorded, Record: func(e *audit.Event) { event = e }}
	handler.Use(hooks)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
	r.ProtoMajor, r.ProtoMinor, r.Header = 2, 0, header
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if strings.Contains(w.Body.String()+event.Reason, credential) {
		t.Errorf("got %s (%s), which shows the credential", w.Body, event.Reason)
	}
	return w.Code, event
}

// At BearerPath a credential authenticates, beside a signature or alone. It opens no other path.
func TestBearer(t *testing.T) {
	t.Parallel()
	body := []byte(`{` + stamp + `,` + data + `,` + cert + `}`)
	hook := testHook()
	hook.Gate = gateOf(having("C02HARNESS01", ""))
	other := hookWith("7f0a3a4e-6f8a-4f6c-9a57-0a4f5d3c2b1a", bytes.Repeat([]byte{1}, 32))
	other.Gate, other.Accepts = hook.Gate, []posture.Accepts{posture.X509}
	hooks := webhook.NewHooks([]webhook.Hook{hook, other}, true)
	right := authorization("Bearer " + credential)
	unsigned := webhook.Hook{Gate: hook.Gate}
	for name, test := range map[string]struct {
		hooks   *webhook.Hooks
		header  http.Header
		path    string // if it is another one
		status  int
		allowed bool
		reason  string
	}{
		"no such path":                        {hooks, right, "", 404, false, "unknown path"},
		"alone":                               {hooks.WithBearer([]byte(credential), &unsigned), right, "", 200, true, ""},
		"alone, lower case":                   {hooks.WithBearer([]byte(credential), &unsigned), authorization("bearer " + credential), "", 200, true, ""},
		"alone, with a signature of somebody": {hooks.WithBearer([]byte(credential), &unsigned), both(right, signed(hookWith(hook.ID, []byte{1}), body)), "", 200, true, ""},
		"alone, missing":                      {hooks.WithBearer([]byte(credential), &unsigned), nil, "", 401, false, "Authorization"},
		"alone, signed only":                  {hooks.WithBearer([]byte(credential), &unsigned), signed(hook, body), "", 401, false, "Authorization"},
		"alone, wrong":                        {hooks.WithBearer([]byte(credential), &unsigned), authorization("Bearer " + credential + "x"), "", 401, false, "wrong bearer credential"},
		"alone, cut":                          {hooks.WithBearer([]byte(credential), &unsigned), authorization("Bearer " + credential[1:]), "", 401, false, "wrong bearer credential"},
		"alone, twice":                        {hooks.WithBearer([]byte(credential), &unsigned), authorization("Bearer "+credential, "Bearer "+credential), "", 401, false, "Authorization"},
		"alone, Basic":                        {hooks.WithBearer([]byte(credential), &unsigned), authorization("Basic " + credential), "", 401, false, "is not Bearer"},
		"alone, no scheme":                    {hooks.WithBearer([]byte(credential), &unsigned), authorization(credential), "", 401, false, "is not Bearer"},
		"none configured":                     {hooks.WithBearer(nil, &unsigned), authorization("Bearer "), "", 401, false, "no credential"},
		"at another path":                     {hooks.WithBearer([]byte(credential), &unsigned), right, webhook.AttestPath, 401, false, "X-Smallstep"},
		"both":                                {hooks.WithBearer([]byte(credential), nil), both(right, signed(hook, body)), "", 200, true, ""},
		"both, unsigned":                      {hooks.WithBearer([]byte(credential), nil), right, "", 401, false, "X-Smallstep"},
		"both, wrongly signed":                {hooks.WithBearer([]byte(credential), nil), both(right, signed(hookWith(hook.ID, []byte{1}), body)), "", 401, false, "wrong signature"},
		"both, signed only":                   {hooks.WithBearer([]byte(credential), nil), signed(hook, body), "", 401, false, "Authorization"},
		"both, wrong":                         {hooks.WithBearer([]byte(credential), nil), both(authorization("Bearer x"), signed(hook, body)), "", 401, false, "wrong bearer credential"},
		"both, of another kind":               {hooks.WithBearer([]byte(credential), nil), both(right, signed(other, body)), "", 200, false, "accepts x509"},
		"signed, at another path":             {hooks.WithBearer([]byte(credential), nil), signed(hook, body), webhook.AttestPath, 200, true, ""},
	} {
		path := test.path
		if path == "" {
			path = webhook.BearerPath
		}
		status, event := callBearer(t, test.hooks, path, test.header, body)
		if status != test.status || event.Allowed != test.allowed || !strings.Contains(event.Reason, test.reason) {
			t.Errorf("%s: got %d, allowed %v, %q; want %d, %v, %q", name, status, event.Allowed, event.Reason, test.status, test.allowed, test.reason)
		}
		if event.Authenticated != (test.status == 200) {
			t.Errorf("%s: authenticated %v", name, event.Authenticated)
		}
	}
}

// A token is redeemed there as at the other path.
func TestBearerWithToken(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	shown, token := e.issue(t, serial, udid)
	o := enrolling(t, shown)
	e.handler.Use(webhook.NewHooks(nil, false).WithBearer([]byte(credential), &webhook.Hook{Gate: e.gate}))
	send := func(body []byte) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, webhook.BearerPath, bytes.NewReader(body))
		r.ProtoMajor, r.ProtoMinor, r.Header = 2, 0, authorization("Bearer "+credential)
		w := httptest.NewRecorder()
		e.handler.ServeHTTP(w, r)
		return w.Body.String()
	}
	other := enrolling(t, shown)
	for _, step := range []struct {
		name string
		body []byte
		want string
	}{
		{"certificate before", o.authorizing(t, serial), `"tokenInvalid"`},
		{"first", o.enriching(t, serial), `{"allow":true`},
		{"again", o.enriching(t, serial), `{"allow":true`},
		{"certificate", o.authorizing(t, serial), `{"allow":true`},
		{"certificate with the token", o.authorizing(t, serial, inExtension([]byte(shown))), `"tokenInCertificate"`},
		{"another key", other.enriching(t, serial), `"tokenInvalid"`},
	} {
		if got := send(step.body); !strings.Contains(got, step.want) {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
	}
	e.wantState(t, "at the end", token, enroll.Used)
}
