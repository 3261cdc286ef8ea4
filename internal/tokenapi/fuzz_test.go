package tokenapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzBody sends any body: it gets a token, or an error that says what is wrong. What gets one is what a lenient reader of
// JSON sees too.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"policy":"enrolment","identifier":"C02"}`, `{"policy":"kiosk","udid":"0000-1","lifetime":"7d1h"}`,
		`{"policy":"enrolment","policy":"kiosk"}`, `{"policy":1}`, `{"policy":"enrolment","identifier":"C02","lifetime":"99999999999d"}`,
		`{"policy":"enrolment","identifier":"\ud800"}`, `{"policy":"enrolment","identifier":"C02"}{}`, "\xff", `{"a":{"b":[`,
	} {
		f.Add(seed)
	}
	a := start(f)
	f.Fuzz(func(t *testing.T, body string) {
		// Without connections: what happens on one differs each time, and takes the engine's time.
		a.advance(time.Second)
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/tokens", strings.NewReader(body))
		request.ProtoMajor, request.Header = 2, bearer(enrolBearer)
		recorder := httptest.NewRecorder()
		a.handler.ServeHTTP(recorder, request)
		r := a.read(t, recorder.Result())
		switch r.status {
		case http.StatusBadRequest:
			wantError(t, r, http.StatusBadRequest, "malformed")
		case http.StatusRequestEntityTooLarge:
			wantError(t, r, http.StatusRequestEntityTooLarge, "tooLarge")
		case http.StatusTooManyRequests:
			wantError(t, r, http.StatusTooManyRequests, "tooMany", "too many live tokens")
		case http.StatusCreated:
			var seen map[string]*string
			if err := json.Unmarshal([]byte(body), &seen); err != nil || !utf8.ValidString(body) {
				t.Fatalf("%q got a token, and is not JSON: %v", body, err)
			}
			if policy := seen["policy"]; policy == nil || *policy != r.event.Policy || seen["identifier"] == nil && seen["udid"] == nil {
				t.Errorf("%q got a token for the policy %q", body, r.event.Policy)
			}
		default:
			t.Errorf("%q: got status %d: %s", body, r.status, r.text)
		}
	})
}
