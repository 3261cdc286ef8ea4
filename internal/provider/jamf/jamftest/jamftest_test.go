package jamftest_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// caller is a client that does exactly what a test wants.
type caller struct {
	server *jamftest.Server
	client *http.Client
	header http.Header
}

func newCaller(t *testing.T, options jamftest.Options) *caller {
	t.Helper()
	server, err := jamftest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return &caller{server, &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: server.CertPool()}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, http.Header{"User-Agent": {"test"}, "Accept": {"application/json"}}}
}

// do makes a request with the given target, as it is.
func (c *caller) do(t *testing.T, method, target, body string, header ...string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, c.server.BaseURL(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(target, "?")
	request.URL.Opaque = "//" + request.URL.Host + request.URL.Path + path
	request.URL.RawQuery = query
	if body == "" {
		request.Body = nil
	}
	request.Header = c.header.Clone()
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := c.client.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return response.StatusCode, string(content)
}

const form = "application/x-www-form-urlencoded"

// login gets a token and sends it from now on.
func (c *caller) login(t *testing.T) {
	t.Helper()
	c.header.Del("Authorization")
	client := c.server.Client()
	body := url.Values{"grant_type": {"client_credentials"}, "client_id": {client.ID}, "client_secret": {client.Secret}}.Encode()
	status, answer := c.do(t, http.MethodPost, "/api/v1/oauth/token", body, "Content-Type", form)
	var token struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(answer), &token); err != nil || status != 200 || token.TokenType != "Bearer" || token.ExpiresIn != client.ExpiresIn {
		t.Fatalf("token: %d %s, %v", status, answer, err)
	}
	c.header.Set("Authorization", "Bearer "+token.AccessToken)
}

func devices() []jamftest.Device {
	return []jamftest.Device{
		{Computer: true, Serial: "C02A", Name: "a", Managed: new(true), Groups: []jamftest.Group{{Name: "G", Smart: true}}, User: jamftest.User{Department: "D"}},
		{Computer: true, Serial: "C02B", Name: `q"b`},
		{Serial: "DMPA", Name: "pad", Managed: new(false)},
	}
}

// TestFilters: a filter is really evaluated, and refused where Jamf would refuse it.
func TestFilters(t *testing.T) {
	t.Parallel()
	c := newCaller(t, jamftest.Options{Devices: devices()})
	c.login(t)
	const serial = "hardware.serialNumber"
	for filter, want := range map[string]int{ // how many results; -1: refused
		serial + `=="C02A"`: 1, serial + `=="c02a"`: 1, serial + `=='C02A'`: 1, serial + `=="C02"`: 0, serial + `=="*"`: 2, serial + `=="C02*"`: 2,
		serial + `=="*A"`: 1, serial + `=="C*2*B"`: 1, serial + `!="C02A"`: 1, serial + `=in=("C02A","C02B")`: 2, serial + `=out=("C02A")`: 1,
		serial + `=="C02A",` + serial + `=="C02B"`: 2, serial + `=="C02A" or ` + serial + `=="C02B"`: 2,
		serial + `=="C02A";` + serial + `=="C02B"`: 0, serial + `=="C02*" and general.name=="a"`: 1,
		serial + `=="C02A";(general.name=="x",general.name=="a")`: 1, `general.name=="q\"b"`: 1, `general.name=="\a"`: 1,
		serial + `=gt="C02A"`: 1, serial + `>="C02A"`: 2, serial + `<"C02A"`: 0, serial + `=le="C02A"`: 1,
		serial + `==C02A`: -1, serial + `=="C02A`: -1, serial + `=="C02A""`: -1, serial + `="C02A"`: -1, `=="C02A"`: -1, "": -1,
		serial + `=="C02A";`: -1, serial + `=="C02A")`: -1, `(` + serial + `=="C02A"`: -1, serial + `=in="C02A"`: -1, serial + `=="C02A" x`: -1,
		`hardware.provisioningUdid=="x"`: -1, `serialNumber=="C02A"`: -1, serial + `=="C02\`: -1,
	} {
		status, answer := c.do(t, http.MethodGet, "/api/v4/computers-inventory?"+url.Values{"filter": {filter}}.Encode(), "")
		var page struct {
			TotalCount int `json:"totalCount"`
			Results    []struct{}
		}
		if err := json.Unmarshal([]byte(answer), &page); err != nil {
			t.Fatal(err)
		}
		if status != 200 {
			page.TotalCount = -1
		}
		if page.TotalCount != want || want >= 0 && len(page.Results) != want {
			t.Errorf("filter %s: %d, %d results, want %d", filter, status, page.TotalCount, want)
		}
	}
}

// TestAnswers are single requests, each with what the status and the answer must be.
func TestAnswers(t *testing.T) {
	t.Parallel()
	c := newCaller(t, jamftest.Options{Devices: devices()})
	c.login(t)
	for _, row := range []struct {
		target string
		status int
		has    string
	}{
		{"/api/v4/computers-inventory", 200, `"totalCount":2`},
		{"/api/v4/computers-inventory", 200, `"hardware":null`},
		{"/api/v4/computers-inventory", 200, `"lastContact":`},
		{"/api/v3/computers-inventory", 200, `"lastContactTime":`},
		{"/api/v1/computers-inventory?section=HARDWARE&section=FONTS", 200, `"general":null`},
		{"/api/v1/computers-inventory?section=HARDWARE&section=USER_AND_LOCATION", 200, `"departmentId":"1"`},
		{"/api/v2/computers-inventory?section=FONTS", 400, `"httpStatus":400`},
		{"/api/v4/computers-inventory?section=GENERAL,HARDWARE", 400, "INVALID_SECTION"},
		{"/api/v4/computers-inventory?section=general", 400, "INVALID_SECTION"},
		{"/api/v4/computers-inventory?section=GROUP_MEMBERSHIPS", 200, `"smartGroup":true`},
		{"/api/v4/computers-inventory?page=1&page-size=1", 200, `"totalCount":2`},
		{"/api/v4/computers-inventory?page=7", 200, `"results":[]`},
		{"/api/v4/computers-inventory?page-size=0", 400, "INVALID_PAGE"},
		{"/api/v4/computers-inventory?page=-1", 400, "INVALID_PAGE"},
		{"/api/v4/computers-inventory?page=0&page=1", 400, "INVALID_QUERY"},
		{"/api/v4/computers-inventory?filter=a;b", 400, "INVALID_QUERY"},
		{`/api/v4/computers-inventory?filter=hardware.serialNumber=="C02A"`, 400, vendortest.Marker},
		{"/api/v5/computers-inventory", 404, `"httpStatus":404`},
		{"/api/v2/mobile-devices/detail", 200, `"displayName":"pad"`},
		{"/api/v2/mobile-devices/detail?section=GROUPS", 200, `"groups":[]`},
		{"/api/v2/mobile-devices/detail?filter=serialNumber%3D%3D%22DMPA%22", 200, `"totalCount":1`},
		{"/api/v2/mobile-devices/detail?filter=hardware.serialNumber%3D%3D%22DMPA%22", 400, "INVALID_FILTER"},
		{"/api/v1/departments/1", 200, `{"id":"1","name":"D"}`},
		{"/api/v1/departments/2", 404, "INVALID_ID"},
		{"/api/v1/departments?page-size=1", 200, `"totalCount":1`},
		{"/api/v1/jamf-pro-version", 200, `{"version":"11.30.1`},
		{"/api/v1/auth", 200, jamftest.ReadComputers},
		{"/JSSResource/computers/serialnumber/C02A", 200, `"computer_group_memberships":["G"]`},
		{"/JSSResource/computers/serialnumber/c02a/subset/General", 200, `{"computer":{"general":{`},
		{"/JSSResource/computers/serialnumber/C02A/subset/General&Location", 200, `"location"`},
		{"/JSSResource/computers/serialnumber/C02A/subset/Nothing", 400, "<html>"},
		{"/JSSResource/computers/serialnumber/C02%2FA", 400, "<html>"},
		{"/JSSResource/computers/serialnumber/C02/A", 404, "<html>"},
		{"/JSSResource/computers/serialnumber/..", 400, "<html>"},
		{"/JSSResource/computers/serialnumber/*", 404, "<html>"},
		{"/JSSResource/computers/serialnumber/NONE", 404, "<html>"},
		{"/JSSResource/mobiledevices/serialnumber/DMPA", 200, `"mobile_device_groups":[]`},
		{"/JSSResource/mobiledevices/serialnumber/C02A", 404, "<html>"},
		{"/api/v1/oauth/token", 405, `"httpStatus":405`},
		{"/nothing", 404, "<html>"},
	} {
		if status, answer := c.do(t, http.MethodGet, row.target, ""); status != row.status || !strings.Contains(answer, row.has) {
			t.Errorf("GET %s = %d %s, want %d with %s", row.target, status, answer, row.status, row.has)
		}
	}
}

// TestAuthentication: no token, a wrong one, one that has expired or was revoked, a privilege missing.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	c := newCaller(t, jamftest.Options{Devices: devices()})
	const computers, classic = "/api/v4/computers-inventory", "/JSSResource/computers/serialnumber/C02A"
	want := func(what, target string, want int) {
		t.Helper()
		if status, answer := c.do(t, http.MethodGet, target, ""); status != want {
			t.Errorf("%s: GET %s = %d %s, want %d", what, target, status, answer, want)
		}
	}
	want("no token", computers, 401)
	want("no token", classic, 401)
	c.header.Set("Authorization", "Bearer x")
	want("wrong token", computers, 401)
	for name, invalidate := range map[string]func(){"expired": c.server.Expire, "revoked": c.server.Revoke} {
		c.login(t)
		want("good", computers, 200)
		want("good", classic, 200)
		invalidate()
		want(name, computers, 401)
		want(name, classic, 401)
	}
	c.login(t)
	client := c.server.Client()
	client.Privileges = []string{jamftest.ReadMobileDevices}
	c.server.SetClients(client)
	want("a token from before the privilege was taken away", computers, 200)
	c.login(t)
	want("no privilege", computers, 403)
	want("no privilege", classic, 403)
	want("privilege", "/api/v2/mobile-devices/detail", 200)
	want("no privilege", "/api/v1/departments/1", 403)
	if status, _ := c.do(t, http.MethodPost, "/api/v1/auth/invalidate-token", ""); status != 204 {
		t.Errorf("invalidate-token = %d", status)
	}
	want("invalidated", "/api/v1/jamf-pro-version", 401)
}
