package tokenapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/tokenapi"
)

func TestHandles(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/v1/tokens": true, "/v1/tokens/": true, "/v1/tokens/X": true, "/v1/tokens/X/Y": true,
		"/V1/tokens": true, "//v1/tokens": true, "/v1//tokens": true, "/v1%2Ftokens": true, "/v1/t%6Fkens": true, "/v1/tokens%2FX": true,
		"": false, "/": false, "/v1": false, "/v1/": false, "/v1/tokensX": false, "/webhook/device-attest": false, "/x/v1/tokens": false,
	} {
		if got := tokenapi.Handles(path); got != want {
			t.Errorf("Handles(%q) is %v, want %v", path, got, want)
		}
	}
}

// Path and method come before the credential, and everything else after it.
func TestPathsAndMethods(t *testing.T) {
	t.Parallel()
	a := start(t)
	const cut = "/v1/tokens/…"
	for _, test := range []struct {
		method, path, seen string
		status             int
		code, allow        string
	}{
		{http.MethodGet, "/v1/tokens/", cut, http.StatusNotFound, "notFound", ""},
		{http.MethodDelete, "/v1/tokens/", cut, http.StatusNotFound, "notFound", ""},
		{http.MethodDelete, "/v1/tokens/X/", cut, http.StatusNotFound, "notFound", ""},
		{http.MethodDelete, "/v1/tokens/X/Y", cut, http.StatusNotFound, "notFound", ""},
		{http.MethodGet, "/v1/tokensX", "/v1/tokensX", http.StatusNotFound, "notFound", ""},
		{http.MethodPost, "/v1%2Ftokens", cut, http.StatusNotFound, "notFound", ""},
		{http.MethodPut, "/v1/tokens", "/v1/tokens", http.StatusMethodNotAllowed, "methodNotAllowed", "GET, POST"},
		{http.MethodDelete, "/v1/tokens", "/v1/tokens", http.StatusMethodNotAllowed, "methodNotAllowed", "GET, POST"},
		{http.MethodPatch, "/v1/tokens", "/v1/tokens", http.StatusMethodNotAllowed, "methodNotAllowed", "GET, POST"},
		{http.MethodOptions, "/v1/tokens", "/v1/tokens", http.StatusMethodNotAllowed, "methodNotAllowed", "GET, POST"},
		{"get", "/v1/tokens", "/v1/tokens", http.StatusMethodNotAllowed, "methodNotAllowed", "GET, POST"},
		{http.MethodGet, "/v1/tokens/X", cut, http.StatusMethodNotAllowed, "methodNotAllowed", "DELETE"},
		{http.MethodPost, "/v1/tokens/X", cut, http.StatusMethodNotAllowed, "methodNotAllowed", "DELETE"},
		{http.MethodPut, "/v1/tokens/X", cut, http.StatusMethodNotAllowed, "methodNotAllowed", "DELETE"},
		{http.MethodGet, "/v1/tokens?x", "/v1/tokens", http.StatusUnauthorized, "unauthenticated", ""},
		{http.MethodDelete, "/v1/tokens/%00", cut, http.StatusUnauthorized, "unauthenticated", ""},
	} {
		r := a.do(t, test.method, test.path, nil, nil)
		wantError(t, r, test.status, test.code)
		if got := r.header.Get("Allow"); got != test.allow || r.event.Path != test.seen || !r.closed {
			t.Errorf("%s %s: got Allow %q, path %q, closed %v", test.method, test.path, got, r.event.Path, r.closed)
		}
	}
}

// unsized is a body without Content-Length, which is sent in chunks.
type unsized struct{ io.Reader }

func TestSizes(t *testing.T) {
	t.Parallel()
	a := start(t)
	fill := func(size int) string {
		const begin, end = `{"policy":"enrolment","identifier":"C02"`, `}`
		return begin + strings.Repeat(" ", size-len(begin)-len(end)) + end
	}
	for name, body := range map[string]func(int) io.Reader{
		"with its length": func(size int) io.Reader { return strings.NewReader(fill(size)) },
		"in chunks":       func(size int) io.Reader { return unsized{strings.NewReader(fill(size))} },
	} {
		if r := a.do(t, http.MethodPost, "/v1/tokens", bearer(enrolBearer), body(4096)); r.status != http.StatusCreated {
			t.Errorf("%s: got status %d for 4096 bytes, want 201: %s", name, r.status, r.text)
		}
		for _, size := range []int{4097, 1 << 20} {
			r := a.do(t, http.MethodPost, "/v1/tokens", bearer(enrolBearer), body(size))
			wantError(t, r, http.StatusRequestEntityTooLarge, "tooLarge", "4 KiB")
			r = a.do(t, http.MethodGet, "/v1/tokens?x", bearer(enrolBearer), body(size))
			wantError(t, r, http.StatusRequestEntityTooLarge, "tooLarge")
			r = a.do(t, http.MethodPost, "/v1/tokens", bearer("wrong"), body(size))
			wantError(t, r, http.StatusUnauthorized, "unauthenticated")
		}
	}
	if r := a.do(t, http.MethodGet, "/v1/tokens", bearer(enrolBearer), strings.NewReader("x")); r.status != http.StatusOK {
		t.Errorf("got status %d for a list with a body, want 200: %s", r.status, r.text)
	}
	header := bearer(enrolBearer)
	header.Set("X-Padding", strings.Repeat("x", 16<<10))
	for _, path := range []string{"/v1/tokens", "/v1/tokens/X", "/v1/tokens/"} {
		wantError(t, a.do(t, http.MethodGet, path, header, nil), http.StatusRequestHeaderFieldsTooLarge, "tooLarge", "16 KiB of header")
	}
}

// Of an unauthenticated client no body is read, and it is not asked for one.
func TestBodyIsNotReadBeforeTheCredential(t *testing.T) {
	t.Parallel()
	a := start(t)
	for name, test := range map[string]struct {
		header string
		want   string
	}{
		"unauthenticated":    {"Content-Length: 4000", "401"},
		"in chunks":          {"Transfer-Encoding: chunked", "401"},
		"expects to be told": {"Content-Length: 4000\r\nExpect: 100-continue", "401"},
		"authenticated":      {"Content-Length: 4000\r\nExpect: 100-continue\r\nAuthorization: Bearer " + enrolBearer, "100"},
	} {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", a.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		// The body never comes.
		if _, err = fmt.Fprintf(connection, "POST /v1/tokens HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", test.header); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(connection).ReadString('\n')
		if err != nil || !strings.Contains(line, " "+test.want+" ") {
			t.Errorf("%s: got %q, %v, want %s", name, line, err, test.want)
		}
		_ = connection.Close()
		if e := <-a.events; test.want == "100" && (e.Code != "malformed" || !strings.Contains(e.Reason, "read body")) {
			t.Errorf("%s: got event %+v, want that the body did not come", name, e)
		}
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	a := start(t)
	a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C02 + ä"}`)
	id := a.issued(t, enrolBearer, `{"policy":"enrolment","identifier":"C03"}`).body.ID
	for query, want := range map[string]int{"": 2, "?": 2, "?identifier=C03": 1, "?identifier=c03": 1, "?%69dentifier=C03": 1, "?identifier=C02+%2B+%C3%A4": 1, "?identifier=C04": 0} {
		if r := a.list(t, enrolBearer, query); r.status != http.StatusOK || len(r.body.Tokens) != want {
			t.Errorf("%s: got %s, want %d tokens", query, r.text, want)
		}
	}
	for query, want := range map[string]string{
		"?identifier":                    "identifier is empty",
		"?identifier=":                   "identifier is empty",
		"?identifier=C03&identifier=C03": "more than once",
		"?identifier=C03&policy=x":       "another parameter",
		"?Identifier=C03":                "another parameter",
		"?udid=1":                        "another parameter",
		"?x":                             "another parameter",
		"?identifier=C03;x=1":            "cannot be read",
		"?identifier=%zz":                "cannot be read",
		"?identifier=%00":                "printable",
		"?identifier=%ff":                "UTF-8",
		"?identifier=C03+":               "begins or ends with a space",
		"?identifier=" + strings.Repeat("A", 513): "longer than 512 bytes",
	} {
		wantError(t, a.list(t, enrolBearer, query), http.StatusBadRequest, "malformed", want)
	}
	wantError(t, a.do(t, http.MethodPost, "/v1/tokens?x=1", bearer(enrolBearer), strings.NewReader(`{"policy":"enrolment","identifier":"C02"}`)),
		http.StatusBadRequest, "malformed", "there is a query")
	wantError(t, a.revoke(t, enrolBearer, id+"?x=1"), http.StatusBadRequest, "malformed", "there is a query")
	if r := a.list(t, enrolBearer, "?identifier=C03"); r.body.Tokens[0]["state"] != "live" {
		t.Errorf("got %s, want the token live", r.text)
	}
}
