package mosyletest_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/mosyle/mosyletest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// caller is a client that does exactly what a test wants.
type caller struct {
	server *mosyletest.Server
	client *http.Client
	header http.Header
	token  string // the access token
}

func newCaller(t *testing.T, options mosyletest.Options) *caller {
	t.Helper()
	server, err := mosyletest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	token, _, _ := server.Credentials()
	c := &caller{server: server, token: token, header: http.Header{
		"User-Agent": {"test"}, "Accept": {"application/json"}, "Content-Type": {"application/json"},
	}}
	c.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: server.CertPool()}, ForceAttemptHTTP2: true}}
	if options.Product != mosyletest.Manager {
		c.header.Set("accessToken", token)
	}
	return c
}

// do makes a request. TOKEN in its body is the access token. Headers that are empty are left out.
func (c *caller) do(t *testing.T, method, path, body string, header ...string) (status int, text string, answered http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, c.server.URL()+path, strings.NewReader(strings.ReplaceAll(body, "TOKEN", c.token)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = c.header.Clone()
	for i := 0; i < len(header); i += 2 {
		if request.Header.Del(header[i]); header[i+1] != "" {
			request.Header.Set(header[i], header[i+1])
		}
	}
	response, err := c.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content), response.Header
}

// login gets a token and sends it from now on.
func (c *caller) login(t *testing.T, path string) {
	t.Helper()
	token, email, password := c.server.Credentials()
	credentials := map[string]string{"email": email, "password": password}
	if c.header.Get("accessToken") == "" {
		credentials["accessToken"] = token
	}
	body, err := json.Marshal(credentials)
	if err != nil {
		t.Fatal(err)
	}
	status, _, header := c.do(t, http.MethodPost, path, string(body))
	if status != http.StatusOK || !strings.HasPrefix(header.Get("Authorization"), "Bearer ") {
		t.Fatalf("the login was answered with %d, %q", status, header.Get("Authorization"))
	}
	c.header.Set("Authorization", header.Get("Authorization"))
}

const (
	business = "/v1/devices"
	manager  = "/v2/listdevices"
	list     = `{"operation":"list","options":{"os":"mac","serial_numbers":["C02XK1ABJHD2"]}}`
	listed   = `{"accessToken":"TOKEN","options":{"os":"mac","serial_numbers":["C02XK1ABJHD2"]}}`
)

func devices() []mosyletest.Device { return []mosyletest.Device{{Serial: "C02XK1ABJHD2"}} }

// TestProducts: the products differ in their paths, in where the access token is, and in the shape of answers.
func TestProducts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ product, login, path, body, want string }{
		{mosyletest.Business, "/v1/login", business, list, `"response":[{"devices":[{`},
		{mosyletest.Manager, "/v2/login", manager, listed, `"response":{"devices":[{`},
	} {
		c := newCaller(t, mosyletest.Options{Product: row.product, Devices: devices()})
		c.login(t, row.login)
		status, text, _ := c.do(t, http.MethodPost, row.path, row.body)
		if status != http.StatusOK || !strings.Contains(text, row.want) || !strings.Contains(text, `"is_deleted":"0"`) {
			t.Errorf("%s: %d, %s, want %s", row.product, status, text, row.want)
		}
		_, text, _ = c.do(t, http.MethodPost, row.path, strings.ReplaceAll(row.body, "JHD2", "JHD3"))
		if !strings.Contains(text, `"DEVICES_NOTFOUND"`) || !strings.Contains(text, vendortest.Marker) {
			t.Errorf("%s: an absent device is answered with %s", row.product, text)
		}
		c.server.Expire()
		if status, _, _ := c.do(t, http.MethodPost, row.path, row.body); status != http.StatusUnauthorized {
			t.Errorf("%s: an expired token is answered with %d", row.product, status)
		}
		if got := c.server.Violations(); len(got) > 0 {
			t.Errorf("%s: violations: %q", row.product, got)
		}
	}
}

// TestViolations: what a client must not do is refused and recorded.
func TestViolations(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		product, method, path, body string
		header                      []string
		status                      int
		want                        string
	}{
		"nothing":                 {"", "POST", business, list, nil, 200, ""},
		"method":                  {"", "GET", business, list, nil, 405, "not allowed"},
		"path":                    {"", "POST", "/v1/device", list, nil, 404, "no such endpoint"},
		"path of the other":       {"", "POST", manager, list, nil, 404, "no such endpoint"},
		"query":                   {"", "POST", business + "?os=mac", list, nil, 400, "query"},
		"form":                    {"", "POST", business, list, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "Content-Type"},
		"accept":                  {"", "POST", business, list, []string{"Accept", "*/*"}, 406, "JSON"},
		"no login":                {"", "POST", business, list, []string{"Authorization", ""}, 401, "no bearer token"},
		"another's token":         {"", "POST", business, list, []string{"Authorization", "Bearer x"}, 401, "no bearer token"},
		"no access token":         {"", "POST", business, list, []string{"accessToken", ""}, 401, "belongs into the header"},
		"access token, body":      {"", "POST", business, listed, nil, 200, "belongs into the header"},
		"unknown member":          {"", "POST", business, `{"operation":"list","options":{"os":"mac","serial":"x"}}`, nil, 200, "not what it should be"},
		"one serial number":       {"", "POST", business, `{"operation":"list","options":{"os":"mac","serial_numbers":"x"}}`, nil, 200, "not what it should be"},
		"operation":               {"", "POST", business, `{"operation":"delete","options":{"os":"mac"}}`, nil, 200, "operation"},
		"no os":                   {"", "POST", business, `{"operation":"list","options":{}}`, nil, 200, "no os"},
		"os":                      {"", "POST", business, `{"operation":"list","options":{"os":"windows"}}`, nil, 200, "os is unknown"},
		"page":                    {"", "POST", business, `{"operation":"list","options":{"os":"mac","page":0}}`, nil, 200, "page 0"},
		"page size":               {"", "POST", business, `{"operation":"list","options":{"os":"mac","page_size":201}}`, nil, 200, "of 201"},
		"not JSON":                {"", "POST", business, `x`, nil, 200, "not what it should be"},
		"manager":                 {mosyletest.Manager, "POST", manager, listed, nil, 200, ""},
		"manager, no token":       {mosyletest.Manager, "POST", manager, `{"options":{"os":"mac"}}`, nil, 404, "no access token"},
		"manager, token, header":  {mosyletest.Manager, "POST", manager, listed, []string{"accessToken", "x"}, 200, "belongs into the body"},
		"manager, with operation": {mosyletest.Manager, "POST", manager, `{"accessToken":"TOKEN","operation":"list","options":{"os":"mac"}}`, nil, 200, "no operation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCaller(t, mosyletest.Options{Product: row.product, Devices: devices()})
			path := "/v1/login"
			if row.product == mosyletest.Manager {
				path = "/v2/login"
			}
			c.login(t, path)
			status, _, _ := c.do(t, row.method, row.path, row.body, row.header...)
			got := strings.Join(c.server.Violations(), "\n")
			if status != row.status || row.want == "" && got != "" || !strings.Contains(got, row.want) {
				t.Errorf("%d, violations %q, want %d, %q", status, got, row.status, row.want)
			}
		})
	}
}

// TestTooMany: more requests a second than the server allows are refused and recorded.
func TestTooMany(t *testing.T) {
	t.Parallel()
	c := newCaller(t, mosyletest.Options{PerSecond: 1, Devices: devices()})
	c.login(t, "/v1/login")
	refused := 0
	for range 20 { // they take much less than 10 s
		if status, _, _ := c.do(t, http.MethodPost, business, list); status == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 || len(c.server.Violations()) != refused {
		t.Errorf("%d of 20 requests were refused, with %d violations", refused, len(c.server.Violations()))
	}
}

// TestOptions: options can be written as JSON.
func TestOptions(t *testing.T) {
	t.Parallel()
	var o mosyletest.Options
	const text = `{"product":"manager","quirks":{"pages_from_zero":true},"devices":[{"serial":"C02XK1ABJHD2","os":"ios","last_beat":"2026-07-29T08:31:45Z","tags":["wifi"],
		"user":{"id":"ana"},"attributes":[{"name":"a","value":1}],"raw":{"status":null},"without":["os"]}]}`
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil || len(o.Devices) != 1 || o.Devices[0].Tags[0] != "wifi" || !o.Quirks.PagesFromZero {
		t.Errorf("the options are %+v, %v", o, err)
	}
	if _, err := mosyletest.New(mosyletest.Options{Product: "fuse"}); err == nil {
		t.Error("an unknown product is accepted")
	}
}
