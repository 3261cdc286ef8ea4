package compat_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"step-posture-connector/internal/compat"
)

// FuzzRequest: whatever is asked for, only 200 is no text; and an empty name is never looked up.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][3]string{
		{"POST", "/api/key/" + udid, ""},
		{"GET", "/api/key/", ""},
		{"POST", "/api/key/%2F?x", "x"},
		{"POST", "/api/key/%25%32%35", ""},
		{"POST", "/%61pi/key//", ""},
		{"POST", "/devices/query", `{"serial_number":"` + serial + `","udid":""}`},
		{"POST", "/devices/query", `{"serial_number":" ","udid":null,"x":[{}]}`},
		{"POST", "/devices/query", `{"udid":"\u0000"}`},
		{"BREW", "*", "\xff"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	d := start(f)
	f.Fuzz(func(t *testing.T, method, target, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return // net/http answers it
		}
		known := false
		d.handler.Known = func(_ context.Context, gotSerial, gotUDID string) (bool, error) {
			if gotSerial == "" && gotUDID == "" || strings.TrimSpace(gotSerial) != gotSerial || strings.TrimSpace(gotUDID) != gotUDID {
				t.Errorf("%q: a device is looked up as %q and %q", body, gotSerial, gotUDID)
			}
			known = gotSerial == serial || gotUDID == udid
			return known, nil
		}
		for _, credential := range []string{keysBearer, queriesBearer} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
			r.Method, r.URL, r.RequestURI, r.Header, r.ProtoMajor = method, u, target, bearer(credential), 2
			w := httptest.NewRecorder()
			d.handler.ServeHTTP(w, r)
			event := <-d.events
			switch {
			case w.Code != http.StatusOK:
				wantText(t, method+" "+target, "", w.Code, w.Header(), w.Body.String())
			case event.Operation == "query":
				if !known || w.Body.Len() > 0 {
					t.Errorf("%q is known", body)
				}
			case !compat.Handles(u.EscapedPath()) || event.TokenID == "" || event.UDID == "" || strings.Contains(event.Path, udid):
				t.Errorf("%s %q: got %q and event %+v", method, target, w.Body, event)
			}
			if w.Code >= http.StatusInternalServerError {
				t.Errorf("%s %q: got %d, %+v", method, target, w.Code, event)
			}
		}
	})
}
