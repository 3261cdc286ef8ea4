package compat_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/compat"
)

func TestQuery(t *testing.T) {
	t.Parallel()
	d := start(t)
	device := func(serial, udid string) string {
		return fmt.Sprintf(`{"serial_number":%q,"udid":%q}`, serial, udid)
	}
	for name, test := range map[string]struct {
		body string
		want int
		code string
	}{
		"serial number":                 {device(serial, ""), 200, ""},
		"UDID":                          {device("", udid), 200, ""},
		"both":                          {device(serial, udid), 200, ""},
		"serial number of another UDID": {device(serial, "other"), 200, ""},
		"only the serial number":        {`{"serial_number":"` + serial + `"}`, 200, ""},
		"only the UDID":                 {`{"udid":"` + udid + `"}`, 200, ""},
		"other members":                 {`{"x":{"udid":[1]},"serial_number":"` + serial + `","UDID":5}`, 200, ""},
		"white space":                   {" \n" + device(serial, udid) + "\r\n", 200, ""},
		"escapes":                       {`{"serial_number":"\u004302XK1ABJHD2"}`, 200, ""},
		"null beside":                   {`{"serial_number":"` + serial + `","udid":null}`, 200, ""},
		"invalid beside":                {device(serial, "\u00e4"), 200, ""},
		"too long beside":               {device(strings.Repeat("x", 257), udid), 200, ""},
		"another device":                {device("C03", "X"), 404, "deviceNotFound"},
		"empty":                         {device("", ""), 404, "deviceNotFound"},
		"spaces":                        {device(" ", "\t"), 404, "deviceNotFound"},
		"space at the end":              {device(serial+" ", ""), 404, "deviceNotFound"},
		"null":                          {`{"serial_number":null,"udid":null}`, 404, "deviceNotFound"},
		"no members":                    {`{}`, 404, "deviceNotFound"},
		"another case of a member":      {`{"Serial_Number":"` + serial + `"}`, 404, "deviceNotFound"},
		"control characters":            {`{"serial_number":"C02\n","udid":"\u0000"}`, 404, "deviceNotFound"},
		"too long":                      {device(strings.Repeat("x", 60000), ""), 404, "deviceNotFound"},
		"a fault":                       {device("DOWN", udid), 503, "unavailable"},
		"a panic":                       {device("PANIC", ""), 500, "internal"},
		"no body":                       {"", 400, "malformed"},
		"no JSON":                       {"serial_number=" + serial, 400, "malformed"},
		"cut off":                       {`{"serial_number":"` + serial + `"`, 400, "malformed"},
		"two":                           {device(serial, "") + device(serial, ""), 400, "malformed"},
		"member twice":                  {`{"serial_number":"` + serial + `","serial_number":"X"}`, 400, "malformed"},
		"a number":                      {`{"serial_number":5}`, 400, "malformed"},
		"a list":                        {`[` + device(serial, "") + `]`, 400, "malformed"},
		"a text":                        {`"` + serial + `"`, 400, "malformed"},
		"not UTF-8":                     {"{\"serial_number\":\"" + serial + "\xff\"}", 400, "malformed"},
		"deep":                          {strings.Repeat("[", 60000), 400, "malformed"},
		"large":                         {device(serial, udid) + strings.Repeat(" ", 64<<10), 413, "tooLarge"},
	} {
		r := d.query(t, test.body)
		if r.status != test.want || r.event.Code != test.code || r.event.Operation != "query" {
			t.Errorf("%s: got %d and event %+v, want %d, %s", name, r.status, r.event, test.want, test.code)
		}
		if _, hasType := r.header["Content-Type"]; r.status == http.StatusOK && (r.text != "" || hasType) {
			t.Errorf("%s: got %q, %v, want an empty answer without a type", name, r.text, r.header)
		}
		if len(r.event.Identifier) > 300 || strings.ContainsAny(r.event.Identifier+r.event.UDID, "\n\x00") {
			t.Errorf("%s: got event %+v, want what fits into a log line", name, r.event)
		}
	}
	r := d.do(t, http.MethodPost, "/devices/query", bearer(queriesBearer), unread{strings.NewReader(device(serial, udid) + strings.Repeat(" ", 64<<10))})
	if r.status != http.StatusRequestEntityTooLarge {
		t.Errorf("large, in chunks: got %d, want 413", r.status)
	}
}

// TestQueryRequest: what is not about the body.
func TestQueryRequest(t *testing.T) {
	t.Parallel()
	d := start(t)
	with := func(name, value string) http.Header {
		h := bearer(queriesBearer)
		h.Set(name, value)
		return h
	}
	for name, test := range map[string]struct {
		method, path string
		header       http.Header
		want         int
	}{
		"JSON":               {"POST", "/devices/query", with("Content-Type", "application/json"), 200},
		"another type":       {"POST", "/devices/query", with("Content-Type", "text/html"), 200},
		"a query":            {"POST", "/devices/query?x=y", bearer(queriesBearer), 200},
		"scheme in any case": {"POST", "/devices/query", http.Header{"Authorization": {"bearer " + queriesBearer}}, 200},
		"GET":                {"GET", "/devices/query", bearer(queriesBearer), 405},
		"GET, nobody":        {"GET", "/devices/query", nil, 405},
		"PUT":                {"PUT", "/devices/query", bearer(queriesBearer), 405},
		"slash":              {"POST", "/devices/query/", bearer(queriesBearer), 404},
		"another path":       {"POST", "/devices", bearer(queriesBearer), 404},
		"escaped":            {"POST", "/devices/%71uery", bearer(queriesBearer), 404},
		"large header":       {"POST", "/devices/query", with("X", strings.Repeat("x", 16<<10)), 431},
		"no credential":      {"POST", "/devices/query", nil, 401},
		"empty":              {"POST", "/devices/query", http.Header{"Authorization": {""}}, 401},
		"no value":           {"POST", "/devices/query", http.Header{"Authorization": {"Bearer "}}, 401},
		"another scheme":     {"POST", "/devices/query", http.Header{"Authorization": {"Basic " + queriesBearer}}, 401},
		"no scheme":          {"POST", "/devices/query", http.Header{"Authorization": {queriesBearer}}, 401},
		"keys' credential":   {"POST", "/devices/query", bearer(keysBearer), 401},
		"a beginning":        {"POST", "/devices/query", bearer(queriesBearer[:len(queriesBearer)-1]), 401},
		"more":               {"POST", "/devices/query", bearer(queriesBearer + "x"), 401},
		"another case":       {"POST", "/devices/query", bearer(strings.ToUpper(queriesBearer)), 401},
		"two headers":        {"POST", "/devices/query", http.Header{"Authorization": {"Bearer " + queriesBearer, "Bearer " + queriesBearer}}, 401},
		"two in one":         {"POST", "/devices/query", bearer(queriesBearer + ", Bearer " + queriesBearer), 401},
	} {
		r := d.do(t, test.method, test.path, test.header, strings.NewReader(`{"serial_number":"`+serial+`"}`))
		if r.status != test.want || (r.event.Code == "unauthenticated") != (test.want == http.StatusUnauthorized) {
			t.Errorf("%s: got %d and event %+v, want %d", name, r.status, r.event, test.want)
		}
	}
}

// TestQueriesOnly: on a listener without TLS there are no keys.
func TestQueriesOnly(t *testing.T) {
	t.Parallel()
	d := startHandler(t, (*compat.Handler).QueriesOnly)
	if r := d.query(t, `{"serial_number":"`+serial+`"}`); r.status != http.StatusOK {
		t.Errorf("got %d, want 200", r.status)
	}
	for _, path := range []string{"/api/key/" + udid, "/api/key/", "/webhook", "/", "/v1/tokens"} {
		for _, credential := range []string{keysBearer, queriesBearer} {
			if r := d.do(t, http.MethodPost, path, bearer(credential), nil); r.status != http.StatusNotFound || r.event.TokenID != "" {
				t.Errorf("%s: got %d, want 404", path, r.status)
			}
		}
	}
}

// TestLate: an answer that comes too late is none.
func TestLate(t *testing.T) {
	t.Parallel()
	d := start(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for name, known := range map[string]func(context.Context, string, string) (bool, error){
		"in time":     func(ctx context.Context, _, _ string) (bool, error) { <-ctx.Done(); return false, ctx.Err() },
		"regardless":  func(context.Context, string, string) (bool, error) { return true, nil },
		"regardless ": func(context.Context, string, string) (bool, error) { return false, nil },
	} {
		d.handler.Known = known
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/devices/query", strings.NewReader(`{"serial_number":"X"}`))
		r.ProtoMajor, r.Header = 2, bearer(queriesBearer)
		d.handler.ServeHTTP(w, r)
		if e := <-d.events; w.Code != http.StatusServiceUnavailable || e.Status != w.Code {
			t.Errorf("%s: got %d, %+v, want 503", name, w.Code, e)
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/api/key/"+udid, nil)
	r.Header = bearer(keysBearer)
	d.handler.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("a key: got %d, want 503", w.Code)
	}
	wantText(t, "a key", http.MethodPost, w.Code, w.Header(), w.Body.String())
}

// TestHTTP2: enrollhandler may speak it too.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	d := start(t)
	server := httptest.NewUnstartedServer(d.handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	d.Server = server
	if r := d.key(t, udid); r.status != http.StatusOK || r.event.TokenID == "" {
		t.Errorf("got %d, want a key", r.status)
	}
	if r := d.query(t, `{"udid":"`+udid+`"}`); r.status != http.StatusOK {
		t.Errorf("got %d, want 200", r.status)
	}
}

// TestRawPaths: what no client library sends. net/http answers some of it by itself, which is text too.
func TestRawPaths(t *testing.T) {
	t.Parallel()
	d := start(t)
	for _, path := range []string{"/api/key/a b", "/api/key/%zz", "/api/key/\x7f", "/api/key/\u00e4", "/api/key/" + strings.Repeat("A", 2<<20), "/api/key/a#b", "/api/key/%", "http://x/api/key/", "/api/key/\x00"} {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", d.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		go func() { // the server may answer before it has read all
			_, _ = io.WriteString(connection, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nAuthorization: Bearer wrong\r\n\r\n")
		}()
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			t.Fatalf("%.40q: %v", path, err)
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		_ = connection.Close()
		if response.StatusCode == http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/plain") || strings.ContainsAny(string(text), `{[`) {
			t.Errorf("%.40q: got %d, %q, %q, want an error as text", path, response.StatusCode, response.Header.Get("Content-Type"), text)
		}
	}
}

func TestHandles(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/devices/query": true, "/api/key/" + udid: true, "/api/key/": true, "/api/key": true, "/api": true, "/api/": true, "/api/x": true,
		"/api/key/%zz": true, "//api/key/x": true, "/%61pi/key/x": true, "/api%2Fkey": true, "%2Fapi/key": true,
		"/": true, "": true, "/devices": true, "/" + udid: true, "/key/" + udid: true, "/API/key/x": true, "/x/../api/key/x": true, "/webhooks": true, "/%77ebhook": true, "*": true,
		"/v1/tokens": false, "/v1/": false, "/webhook": false, "/webhook/": false, "/webhook/device-attest": false, "/status": false,
	} {
		if got := compat.Handles(path); got != want {
			t.Errorf("Handles(%q) = %v, want %v", path, got, want)
		}
	}
}
