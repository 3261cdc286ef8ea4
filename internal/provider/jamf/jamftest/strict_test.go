package jamftest_test

import (
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/jamf/jamftest"
)

// TestTokenRequests: the token endpoint takes a form only.
func TestTokenRequests(t *testing.T) {
	t.Parallel()
	const good = "grant_type=client_credentials&client_id=id&client_secret=secret"
	for name, row := range map[string]struct {
		target, body string
		header       []string
		status       int
		violation    bool
	}{
		"good":                {"/api/v1/oauth/token", good, []string{"Content-Type", form}, 200, false},
		"older path":          {"/api/oauth/token", good, []string{"Content-Type", form}, 200, false},
		"with scope":          {"/api/v1/oauth/token", good + "&scope=api-role%3A1", []string{"Content-Type", form}, 200, false},
		"wrong secret":        {"/api/v1/oauth/token", good + "x", []string{"Content-Type", form}, 401, false},
		"wrong ID":            {"/api/v1/oauth/token", strings.Replace(good, "=id", "=di", 1), []string{"Content-Type", form}, 401, false},
		"basic":               {"/api/v1/oauth/token", good, []string{"Content-Type", form, "Authorization", "Basic aWQ6c2VjcmV0"}, 400, true},
		"in the URL":          {"/api/v1/oauth/token?" + good, "", []string{"Content-Type", form}, 400, true},
		"JSON":                {"/api/v1/oauth/token", `{"grant_type":"client_credentials"}`, []string{"Content-Type", "application/json"}, 415, true},
		"no type":             {"/api/v1/oauth/token", good, nil, 415, true},
		"password grant":      {"/api/v1/oauth/token", strings.Replace(good, "client_credentials", "password", 1), []string{"Content-Type", form}, 400, true},
		"repeated field":      {"/api/v1/oauth/token", good + "&client_id=id", []string{"Content-Type", form}, 400, true},
		"unknown field":       {"/api/v1/oauth/token", good + "&audience=x", []string{"Content-Type", form}, 400, true},
		"malformed":           {"/api/v1/oauth/token", good + "&%", []string{"Content-Type", form}, 400, true},
		"outside the context": {"/../api/v1/oauth/token", good, []string{"Content-Type", form}, 404, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCaller(t, jamftest.Options{ContextPath: "/jamf", Clients: []jamftest.Client{{ID: "id", Secret: "secret", ExpiresIn: 60}}})
			status, answer := c.do(t, http.MethodPost, row.target, row.body, row.header...)
			if status != row.status {
				t.Errorf("POST %s = %d %s, want %d", row.target, status, answer, row.status)
			}
			if got := c.server.Violations(); (len(got) > 0) != row.violation {
				t.Errorf("the violations are %q, want some: %v", got, row.violation)
			}
			if strings.Contains(strings.Join(c.server.Violations(), ""), "secret=") {
				t.Errorf("a violation shows a secret: %q", c.server.Violations())
			}
		})
	}
	old := newCaller(t, jamftest.Options{Version: "10.49.0", Clients: []jamftest.Client{{ID: "id", Secret: "secret", ExpiresIn: 60}}})
	for path, want := range map[string]int{"/api/v1/oauth/token": 404, "/api/oauth/token": 200} {
		if status, _ := old.do(t, http.MethodPost, path, good, "Content-Type", form); status != want {
			t.Errorf("an old server: POST %s = %d, want %d", path, status, want)
		}
	}
	if got := old.server.Violations(); len(got) > 0 {
		t.Errorf("asking an old server at the newer path: %q, want no violation", got)
	}
}

// TestViolations: what a client must not do is recorded, with any answer.
func TestViolations(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		method, target, body string
		header               []string
		want                 string
	}{
		"nothing":             {http.MethodGet, "/api/v1/jamf-pro-version", "", nil, ""},
		"Go's own User-Agent": {http.MethodGet, "/api/v1/jamf-pro-version", "", []string{"User-Agent", "Go-http-client/2.0"}, "User-Agent"},
		"no User-Agent":       {http.MethodGet, "/api/v1/jamf-pro-version", "", []string{"User-Agent", ""}, "User-Agent"},
		"cookie":              {http.MethodGet, "/api/v1/jamf-pro-version", "", []string{"Cookie", "BALANCE=node1"}, "cookie"},
		"body":                {http.MethodGet, "/api/v1/jamf-pro-version", "x", nil, "with a body"},
		"no token":            {http.MethodGet, "/api/v1/jamf-pro-version", "", []string{"Authorization", ""}, "no bearer token"},
		"basic":               {http.MethodGet, "/api/v1/jamf-pro-version", "", []string{"Authorization", "Basic x"}, "no bearer token"},
		"another's token":     {http.MethodGet, "/api/v1/jamf-pro-version", "", []string{"Authorization", "Bearer x"}, "never issued"},
		"method":              {http.MethodPost, "/api/v1/jamf-pro-version", "", nil, "not allowed"},
		"no endpoint":         {http.MethodGet, "/api/v2/mobile-devices", "", nil, "no such endpoint"},
		"not escaped":         {http.MethodGet, `/api/v4/computers-inventory?filter=id=="1"`, "", nil, "not escaped"},
		"parameter":           {http.MethodGet, "/api/v4/computers-inventory?sections=GENERAL", "", nil, "no parameter"},
		"malformed filter":    {http.MethodGet, "/api/v4/computers-inventory?filter=x", "", nil, "malformed"},
		"missing version":     {http.MethodGet, "/api/v5/computers-inventory", "", nil, ""},
		"XML":                 {http.MethodGet, "/JSSResource/computers/serialnumber/C02A", "", []string{"Accept", ""}, "XML"},
		"two parts":           {http.MethodGet, "/JSSResource/computers/serialnumber/C02/A", "", nil, "no such endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCaller(t, jamftest.Options{Devices: devices()})
			c.login(t)
			c.do(t, row.method, row.target, row.body, row.header...)
			got := strings.Join(c.server.Violations(), "\n")
			if row.want == "" && got != "" || !strings.Contains(got, row.want) {
				t.Errorf("the violations are %q, want %q", got, row.want)
			}
		})
	}
}
