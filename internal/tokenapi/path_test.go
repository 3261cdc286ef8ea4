package tokenapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"step-posture-connector/internal/tokenapi"
)

// TestOddPaths: a path that is nearly one of the API is answered by it with 404, because others would log the ID in it.
func TestOddPaths(t *testing.T) {
	t.Parallel()
	a := start(t)
	id := a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C02XK1ABJHD2"}`).body.ID
	for _, path := range []string{"//v1/tokens/ID", "/v1//tokens/ID", "/v1/tokens//ID", "/V1/Tokens/ID", "/v1%2Ftokens/ID", "/v1/tokens%2fID", "/%76%31/tokens/ID", "/v1/tokens/ID/", "/v1/tokens/ID/x", "/v1/tokens/"} {
		path = strings.ReplaceAll(path, "ID", id)
		if !tokenapi.Handles(path) {
			t.Errorf("%s is not of the API", path)
		}
		r := a.do(t, http.MethodDelete, path, bearer(enrolBearer), nil)
		wantError(t, r, http.StatusNotFound, "notFound")
		wantNoSecret(t, r, id)
		if r.event.Path != "/v1/tokens/…" {
			t.Errorf("%s is logged as %s", path, r.event.Path)
		}
	}
	if state := a.list(t, enrolBearer, "").body.Tokens[0]["state"]; state != "live" {
		t.Errorf("the token is %v", state)
	}
}

// TestClosed: where there is no API the answer has its shape, for every client.
func TestClosed(t *testing.T) {
	t.Parallel()
	a := start(t)
	closed := httptest.NewServer(http.HandlerFunc(a.handler.Closed))
	t.Cleanup(closed.Close)
	a.Server = closed
	for _, path := range []string{"/v1/tokens", "/v1/tokens/SECRETID", "/", "/metrics"} {
		r := a.do(t, http.MethodGet, path, bearer(enrolBearer), nil)
		wantError(t, r, http.StatusNotFound, "notFound")
		wantNoSecret(t, r, "SECRETID")
		if !r.closed || r.event.Client != "" || r.event.Operation != "" {
			t.Errorf("%s: closed %v, %+v", path, r.closed, r.event)
		}
	}
}
