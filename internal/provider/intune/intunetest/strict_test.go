package intunetest_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/intune/intunetest"
)

// caller sends requests as a client might.
type caller struct {
	server *intunetest.Server
	client *http.Client
}

func newCaller(t *testing.T, o intunetest.Options) caller {
	t.Helper()
	server, err := intunetest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: server.CertPool(), MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return caller{server, &http.Client{Transport: transport}}
}

// do sends a request with headers by name and value, and returns status and body.
func (c caller) do(t *testing.T, method, target, body string, header ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, c.server.URL()+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", "test")
	request.Header.Set("Accept", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := c.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func (c caller) form() url.Values {
	a := c.server.Application()
	return url.Values{
		"grant_type": {"client_credentials"}, "client_id": {a.ID}, "client_secret": {a.Secret}, "scope": {"https://graph.microsoft.com/.default"},
	}
}

func (c caller) token(t *testing.T) string {
	t.Helper()
	status, body := c.do(t, http.MethodPost, "/"+c.server.TenantID()+"/oauth2/v2.0/token", c.form().Encode(), "Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || answer.Token == "" {
		t.Fatalf("the token endpoint answered %d %s", status, body)
	}
	return answer.Token
}

// judge compares status and violations.
func (c caller) judge(t *testing.T, name string, status, want int, violation bool) {
	t.Helper()
	if got := c.server.Violations(); status != want || len(got) > 0 != violation {
		t.Errorf("%s: the status is %d, want %d; the violations are %q, want some: %v", name, status, want, got, violation)
	}
}

// TestTokenRequests: the token endpoint takes a form with exactly one kind of credentials, for its own resource.
func TestTokenRequests(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change    func(url.Values)
		status    int
		code      string
		violation bool
	}{
		"good":           {func(url.Values) {}, 200, "access_token", false},
		"wrong secret":   {func(f url.Values) { f.Set("client_secret", "x") }, 401, "7000215", false},
		"unknown client": {func(f url.Values) { f.Set("client_id", "x") }, 400, "700016", false},
		"other resource": {func(f url.Values) { f.Set("scope", "https://graph.microsoft.us/.default") }, 400, "500011", false},
		"no scope":       {func(f url.Values) { f.Del("scope") }, 400, "500011", false},
		"no credentials": {func(f url.Values) { f.Del("client_secret") }, 400, "900144", true},
		"password grant": {func(f url.Values) { f.Set("grant_type", "password") }, 400, "900144", true},
		"unknown field":  {func(f url.Values) { f.Set("audience", "x") }, 400, "900144", true},
		"repeated field": {func(f url.Values) { f.Add("scope", "x") }, 400, "900144", true},
		"no assertion": {func(f url.Values) {
			f.Del("client_secret")
			f.Set("client_assertion", "a.b.c")
			f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		}, 401, "700027", false},
	} {
		c := newCaller(t, intunetest.Options{})
		form := c.form()
		row.change(form)
		status, body := c.do(t, http.MethodPost, "/"+c.server.TenantID()+"/oauth2/v2.0/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		c.judge(t, name, status, row.status, row.violation)
		if !strings.Contains(body, row.code) {
			t.Errorf("%s: the answer is %s, want %s in it", name, body, row.code)
		}
	}
	c := newCaller(t, intunetest.Options{})
	status, body := c.do(t, http.MethodPost, "/other.example.com/oauth2/v2.0/token", c.form().Encode(), "Content-Type", "application/x-www-form-urlencoded")
	if c.judge(t, "another tenant", status, 400, false); !strings.Contains(body, "90002") {
		t.Errorf("another tenant: %s", body)
	}
}

// TestGraphRequests: what Graph would refuse is refused, and what a client must not send is a violation.
func TestGraphRequests(t *testing.T) {
	t.Parallel()
	const devices = "/v1.0/deviceManagement/managedDevices"
	device := intunetest.Device{Serial: "C02XK1ABJHD2", Groups: []intunetest.Group{{Name: "one"}}, EntraID: intunetest.GroupID("device")}
	groups := "/v1.0/devices(deviceId='" + device.EntraID + "')/transitiveMemberOf/microsoft.graph.group"
	for name, row := range map[string]struct {
		method, target string
		header         []string
		status         int
		violation      bool
	}{
		"search":              {"GET", devices + "?$filter=serialNumber+eq+'C02XK1ABJHD2'&$select=id", nil, 200, false},
		"another filter":      {"GET", devices + "?$filter=deviceName+eq+'x'&$select=id", nil, 200, true},
		"no $select":          {"GET", devices + "?$top=1", nil, 400, true},
		"unknown property":    {"GET", devices + "?$select=id,serial", nil, 400, true},
		"unknown parameter":   {"GET", devices + "?$select=id&$expand=x", nil, 400, true},
		"too large a page":    {"GET", devices + "?$select=id&$top=1001", nil, 400, true},
		"another skip token":  {"GET", devices + "?$select=id&$skiptoken=x", nil, 400, true},
		"another method":      {"POST", devices + "?$select=id", nil, 405, true},
		"another path":        {"GET", "/beta/deviceManagement/managedDevices?$select=id", nil, 404, true},
		"no JSON":             {"GET", devices + "?$select=id", []string{"Accept", "text/html"}, 406, true},
		"no token":            {"GET", devices + "?$select=id", []string{"Authorization", ""}, 401, true},
		"another token":       {"GET", devices + "?$select=id", []string{"Authorization", "Bearer x"}, 401, true},
		"groups":              {"GET", groups + "?$select=id,displayName&$count=true", []string{"ConsistencyLevel", "eventual"}, 200, false},
		"groups, no header":   {"GET", groups + "?$select=id,displayName&$count=true", nil, 400, true},
		"groups, no $count":   {"GET", groups + "?$select=id,displayName", []string{"ConsistencyLevel", "eventual"}, 400, true},
		"groups, large page":  {"GET", groups + "?$select=id,displayName&$count=true&$top=1000", []string{"ConsistencyLevel", "eventual"}, 400, true},
		"groups of no device": {"GET", strings.Replace(groups, "9000", "9001", 1) + "?$select=id,displayName&$count=true", []string{"ConsistencyLevel", "eventual"}, 404, false},
		"no such user":        {"GET", "/v1.0/users/" + device.EntraID + "?$select=jobTitle,department", nil, 404, false},
		"more of a user":      {"GET", "/v1.0/users/" + device.EntraID + "?$select=jobTitle,department,mail", nil, 400, true},
	} {
		c := newCaller(t, intunetest.Options{Devices: []intunetest.Device{device}})
		header := append([]string{"Authorization", "Bearer " + c.token(t)}, row.header...)
		status, _ := c.do(t, row.method, row.target, "", header...)
		c.judge(t, name, status, row.status, row.violation)
	}
}

// TestThrottling: more requests than Intune allows are refused, without Retry-After, and are a violation.
func TestThrottling(t *testing.T) {
	t.Parallel()
	c := newCaller(t, intunetest.Options{MostRequests: 2})
	bearer := "Bearer " + c.token(t)
	for _, want := range []int{200, 200, 429} {
		if status, _ := c.do(t, http.MethodGet, "/v1.0/deviceManagement/managedDevices?$select=id", "", "Authorization", bearer); status != want {
			t.Errorf("the status is %d, want %d", status, want)
		}
	}
	if len(c.server.Violations()) != 1 {
		t.Errorf("the violations are %q, want one", c.server.Violations())
	}
}
