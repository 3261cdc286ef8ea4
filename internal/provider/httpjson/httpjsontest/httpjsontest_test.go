package httpjsontest_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/httpjson/httpjsontest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

const (
	serial       = "C02XK1ABJHD2"
	secondSerial = "DMPXK1ABJF88"
)

// The services, and how each wants to be asked.
func services() map[string]func(httpjsontest.Options) (*httpjsontest.Server, error) {
	return map[string]func(httpjsontest.Options) (*httpjsontest.Server, error){
		"snipeit": httpjsontest.NewSnipeIT, "simplemdm": httpjsontest.NewSimpleMDM, "netbox": httpjsontest.NewNetBox,
	}
}

// exchange is one request and what a service answers.
type exchange struct {
	name, service string
	method, path  string
	header        map[string]string // in place of the right ones
	status        int
	has           []string
	lacks         []string
	violation     string
}

func exchanges() []exchange {
	const (
		byserial = "/api/v1/hardware/byserial/"
		hardware = "/api/v1/hardware?sort=id&order=asc&limit=1"
		devices  = "/api/v1/devices"
		dcim     = "/api/dcim/devices/"
	)
	return []exchange{
		{name: "found", service: "snipeit", path: byserial + serial, status: 200, has: []string{`"total":1`, `Ada&#039;s &amp; Co`, `"status_meta":"deployed"`}},
		{name: "case does not matter", service: "snipeit", path: byserial + strings.ToLower(serial), status: 200, has: []string{`"total":1`}},
		{name: "missing", service: "snipeit", path: byserial + "ZZZ", status: 200, has: []string{`"status":"error"`, `"payload":null`}, lacks: []string{"rows"}},
		{name: "deleted", service: "snipeit", path: byserial + "GONE", status: 200, has: []string{`"status":"error"`}},
		{name: "deleted, asked for", service: "snipeit", path: byserial + "GONE?deleted=true", status: 200, has: []string{`"deleted_at":{`}},
		{name: "no Accept", service: "snipeit", path: byserial + serial, header: map[string]string{"Accept": "*/*"}, status: 302, violation: "does not accept JSON"},
		{name: "wrong token", service: "snipeit", path: byserial + serial, header: map[string]string{"Authorization": "Bearer x"}, status: 401, has: []string{vendortest.Marker}},
		{name: "no such path", service: "snipeit", path: "/api/v1/x", status: 404, has: []string{`"status":"error"`, vendortest.Marker}},
		{name: "a slash in a serial number", service: "snipeit", path: byserial + "a/b", status: 404},
		{name: "written to", service: "snipeit", method: http.MethodPost, path: hardware, status: 405, violation: "only read"},
		{name: "first page", service: "snipeit", path: hardware, status: 200, has: []string{`"total":2`, serial}, lacks: []string{secondSerial}},
		{name: "second page", service: "snipeit", path: hardware + "&offset=1", status: 200, has: []string{secondSerial}, lacks: []string{serial}},
		{name: "list in no order", service: "snipeit", path: "/api/v1/hardware", status: 200, violation: "not sorted"},
		{name: "unknown parameter", service: "snipeit", path: byserial + serial + "?serial=x", status: 200, violation: "unknown"},

		{name: "found", service: "simplemdm", path: devices + "?search=" + serial, status: 200, has: []string{serial, `"has_more":false`, "recovery_key"}},
		{name: "a name is found too", service: "simplemdm", path: devices + "?search=ada", status: 200, has: []string{serial}},
		{name: "a part is found too", service: "simplemdm", path: devices + "?search=XK1", status: 200, has: []string{serial, secondSerial}},
		{name: "missing", service: "simplemdm", path: devices + "?search=ZZZ", status: 200, has: []string{`"data":[]`, `"has_more":false`}},
		{name: "first page", service: "simplemdm", path: devices + "?limit=1", status: 200, has: []string{serial, `"has_more":true`}, lacks: []string{secondSerial}},
		{name: "next page", service: "simplemdm", path: devices + "?limit=1&starting_after=1", status: 200, has: []string{secondSerial}, lacks: []string{serial}},
		{name: "unknown cursor", service: "simplemdm", path: devices + "?starting_after=99", status: 404},
		{name: "limit too high", service: "simplemdm", path: devices + "?limit=101", status: 422, has: []string{vendortest.Marker}},
		{name: "wrong key", service: "simplemdm", path: devices, header: map[string]string{"Authorization": "Basic eDo="}, status: 401},
		{name: "a password", service: "simplemdm", path: devices, header: map[string]string{"Authorization": "Basic c2VjcmV0Ong="}, status: 401},

		{name: "found", service: "netbox", path: dcim + "?serial=" + strings.ToLower(serial), status: 200, has: []string{serial, `"next":null`, `"count":1`}},
		{name: "a part is not found", service: "netbox", path: dcim + "?serial=" + serial[:8], status: 200, has: []string{`"results":[]`}},
		{name: "first page", service: "netbox", path: dcim + "?limit=1", status: 200, has: []string{serial, "offset=1"}, lacks: []string{secondSerial}},
		{name: "second page", service: "netbox", path: dcim + "?limit=1&offset=1", status: 200, has: []string{secondSerial}, lacks: []string{serial}},
		{name: "no slash", service: "netbox", path: "/api/dcim/devices?serial=x", status: 301, violation: "without a slash"},
		{name: "wrong token", service: "netbox", path: dcim, header: map[string]string{"Authorization": "Bearer secret"}, status: 403, has: []string{`"detail":`}},
		{name: "no such path", service: "netbox", path: "/api/x/", status: 404, has: []string{"<!DOCTYPE html>"}},
		{name: "a limit of nothing", service: "netbox", path: dcim + "?limit=0", status: 200, violation: "a limit of 0"},
	}
}

func TestExchanges(t *testing.T) {
	t.Parallel()
	for _, e := range exchanges() {
		t.Run(e.service+": "+e.name, func(t *testing.T) {
			t.Parallel()
			server := start(t, e.service, httpjsontest.Options{})
			status, body := ask(t, server, e)
			if status != e.status {
				t.Errorf("status %d, want %d: %s", status, e.status, body)
			}
			for _, text := range e.has {
				if !strings.Contains(body, text) {
					t.Errorf("the answer lacks %s: %s", text, body)
				}
			}
			for _, text := range e.lacks {
				if strings.Contains(body, text) {
					t.Errorf("the answer has %s: %s", text, body)
				}
			}
			violations := strings.Join(server.Violations(), "; ")
			if e.violation == "" && violations != "" || !strings.Contains(violations, e.violation) {
				t.Errorf("violations %q, want %q", violations, e.violation)
			}
		})
	}
}

// A server that does not know a filter answers with every record.
func TestIgnoredFilters(t *testing.T) {
	t.Parallel()
	for service, path := range map[string]string{
		"snipeit": "/api/v1/hardware/byserial/ZZZ", "simplemdm": "/api/v1/devices?search=ZZZ", "netbox": "/api/dcim/devices/?serial=ZZZ",
	} {
		server := start(t, service, httpjsontest.Options{IgnoresFilters: true})
		if _, body := ask(t, server, exchange{service: service, path: path}); !strings.Contains(body, serial) || !strings.Contains(body, secondSerial) {
			t.Errorf("%s answers %s", service, body)
		}
	}
}

func start(t *testing.T, service string, options httpjsontest.Options) *httpjsontest.Server {
	t.Helper()
	options.Token = "secret"
	options.Devices = []httpjsontest.Device{
		{Serial: serial, Name: "Ada's & Co"}, {Serial: secondSerial, Name: "second"},
	}
	if service == "snipeit" { // the only one that has a trash
		options.Devices = append(options.Devices, httpjsontest.Device{Serial: "GONE", Deleted: true})
	}
	server, err := services()[service](options)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// ask asks as the service wants it, except for what the exchange says.
func ask(t *testing.T, server *httpjsontest.Server, e exchange) (int, string) {
	t.Helper()
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: server.CertPool(), MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), e.method, server.URL()+e.path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "test")
	switch e.service {
	case "snipeit":
		r.Header.Set("Authorization", "Bearer "+server.Token())
	case "simplemdm":
		r.SetBasicAuth(server.Token(), "")
	default:
		r.Header.Set("Authorization", "Token "+server.Token())
	}
	for name, value := range e.header {
		r.Header.Set(name, value)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json") && !json.Valid(body) {
		t.Errorf("the answer is no JSON: %s", body)
	}
	return answer.StatusCode, string(body)
}
