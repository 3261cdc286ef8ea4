package appletest_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"step-posture-connector/internal/provider/apple/appletest"
)

const audience = "https://account.apple.com/auth/oauth2/v2/token"

// caller is a client of the API that may do everything wrong.
type caller struct {
	server *appletest.Server
	http   *http.Client
}

func started(t *testing.T, options appletest.Options) caller {
	t.Helper()
	options.Now = func() time.Time { return time.Unix(1_700_000_060, 0) }
	server, err := appletest.New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: server.CertPool()}}}
	t.Cleanup(client.CloseIdleConnections)
	return caller{server, client}
}

// send returns the status and the body.
func (c caller) send(t *testing.T, request *http.Request) (int, []byte) {
	t.Helper()
	request.Header.Set("User-Agent", "strict-test")
	response, err := c.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

// assertion is one that Apple accepts, after a change.
func (c caller) assertion(t *testing.T, change func(*jwt.Token, jwt.MapClaims)) string {
	t.Helper()
	client := c.server.Client()
	// The label is not that of the contents; the library goes by the contents.
	key, err := jwt.ParseECPrivateKeyFromPEM([]byte(client.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{"iss": client.ID, "sub": client.ID, "aud": audience, "jti": "1", "iat": 1_700_000_000, "exp": 1_700_000_000 + 180*24*3600}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"] = client.KeyID
	change(token, claims)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (c caller) token(t *testing.T, assertion string, change func(*http.Request, url.Values)) (int, []byte) {
	t.Helper()
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.server.Client().ID}, "scope": {"business.api"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.server.TokenURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	change(request, form)
	request.Body = io.NopCloser(bytes.NewReader([]byte(form.Encode())))
	return c.send(t, request)
}

// TestAPI: what Apple would refuse is refused, and a violation where no right client does it.
func TestAPI(t *testing.T) {
	t.Parallel()
	const device = "/v1/orgDevices/C02XK1ABJHD2"
	for name, row := range map[string]struct {
		method, path string
		headers      map[string]string
		status       int
		violates     bool
	}{
		"a device":            {"GET", device, nil, 200, false},
		"some attributes":     {"GET", device + "?fields%5BorgDevices%5D=serialNumber%2Cstatus", nil, 200, false},
		"no such device":      {"GET", "/v1/orgDevices/C02XK1ABJHD3", nil, 404, false},
		"lower case":          {"GET", "/v1/orgDevices/c02xk1abjhd2", nil, 404, true},
		"unknown attribute":   {"GET", device + "?fields%5BorgDevices%5D=serialNumber%2Cowner", nil, 400, true},
		"unknown parameter":   {"GET", device + "?include=assignedServer", nil, 400, true},
		"a filter of lists":   {"GET", "/v1/orgDevices?filter%5BserialNumber%5D=C02XK1ABJHD2", nil, 400, true},
		"a page":              {"GET", "/v1/orgDevices?limit=1000", nil, 200, false},
		"a page too large":    {"GET", "/v1/orgDevices?limit=1001", nil, 400, true},
		"a page of none":      {"GET", "/v1/orgDevices?limit=0", nil, 400, true},
		"an invented cursor":  {"GET", "/v1/orgDevices?cursor=x", nil, 400, true},
		"assigned server":     {"GET", device + "/assignedServer", nil, 200, false},
		"another path":        {"GET", "/v1/devices", nil, 404, true},
		"another method":      {"DELETE", device, nil, 405, true},
		"no Accept":           {"GET", device, map[string]string{"Accept": "*/*"}, 406, true},
		"no token":            {"GET", device, map[string]string{"Authorization": ""}, 401, true},
		"an invented token":   {"GET", device, map[string]string{"Authorization": "Bearer x"}, 401, true},
		"another kind of one": {"GET", device, map[string]string{"Authorization": "Basic x"}, 401, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := started(t, appletest.Options{Devices: []appletest.Device{{Serial: "C02XK1ABJHD2"}}})
			status, body := c.token(t, c.assertion(t, func(*jwt.Token, jwt.MapClaims) {}), func(*http.Request, url.Values) {})
			var token struct {
				Text string `json:"access_token"`
			}
			if err := json.Unmarshal(body, &token); err != nil || status != http.StatusOK {
				t.Fatalf("the token endpoint answered %d", status)
			}
			request, err := http.NewRequestWithContext(t.Context(), row.method, c.server.URL()+row.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Accept", "application/json")
			request.Header.Set("Authorization", "Bearer "+token.Text)
			for name, value := range row.headers {
				request.Header.Set(name, value)
			}
			if status, _ := c.send(t, request); status != row.status || (len(c.server.Violations()) > 0) != row.violates {
				t.Errorf("the answer is %d, the violations are %q, want %d and violations: %v", status, c.server.Violations(), row.status, row.violates)
			}
		})
	}
}

// TestToken: an assertion that Apple would refuse is refused.
func TestToken(t *testing.T) {
	t.Parallel()
	same, plain := func(*jwt.Token, jwt.MapClaims) {}, func(*http.Request, url.Values) {}
	claim := func(name string, value any) func(*jwt.Token, jwt.MapClaims) {
		return func(_ *jwt.Token, claims jwt.MapClaims) { claims[name] = value }
	}
	field := func(name, value string) func(*http.Request, url.Values) {
		return func(_ *http.Request, form url.Values) { form.Set(name, value) }
	}
	for name, row := range map[string]struct {
		claims   func(*jwt.Token, jwt.MapClaims)
		form     func(*http.Request, url.Values)
		code     string
		violates bool
	}{
		"sound":                {same, plain, "", false},
		"audience of the POST": {claim("aud", "https://account.apple.com/auth/oauth2/token"), plain, "invalid_client", true},
		"audience a list":      {claim("aud", []string{audience}), plain, "invalid_client", true},
		"another issuer":       {claim("iss", "BUSINESSAPI.1"), plain, "invalid_client", true},
		"another subject":      {claim("sub", "BUSINESSAPI.1"), plain, "invalid_client", true},
		"no jti":               {claim("jti", ""), plain, "invalid_client", true},
		"valid for too long":   {claim("exp", 1_700_000_000+181*24*3600), plain, "invalid_client", true},
		"not valid yet":        {claim("iat", 1_700_000_000+7200), plain, "invalid_client", false},
		"expired":              {claim("exp", 1_700_000_000+1), plain, "invalid_client", false},
		"another key ID":       {func(t *jwt.Token, _ jwt.MapClaims) { t.Header["kid"] = "x" }, plain, "invalid_client", false},
		"another type":         {func(t *jwt.Token, _ jwt.MapClaims) { t.Header["typ"] = "at+jwt" }, plain, "invalid_client", true},
		"scope of the other":   {same, field("scope", "school.api"), "invalid_scope", true},
		"no scope":             {same, func(_ *http.Request, form url.Values) { form.Del("scope") }, "invalid_request", true},
		"a secret too":         {same, field("client_secret", "x"), "invalid_request", true},
		"another grant":        {same, field("grant_type", "password"), "unsupported_grant_type", true},
		"a field twice":        {same, func(_ *http.Request, form url.Values) { form.Add("scope", "business.api") }, "invalid_request", true},
		"Basic too":            {same, func(r *http.Request, _ url.Values) { r.SetBasicAuth("x", "y") }, "invalid_request", true},
		"JSON":                 {same, func(r *http.Request, _ url.Values) { r.Header.Set("Content-Type", "application/json") }, "invalid_request", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := started(t, appletest.Options{})
			status, body := c.token(t, c.assertion(t, row.claims), row.form)
			if ok := row.code == "" && status == 200 || row.code != "" && status == 400 && strings.Contains(string(body), `"`+row.code+`"`); !ok {
				t.Errorf("the answer is %d, want %q", status, row.code)
			}
			if (len(c.server.Violations()) > 0) != row.violates {
				t.Errorf("the violations are %q, want some: %v", c.server.Violations(), row.violates)
			}
		})
	}
}

// TestAssertionTwice: an assertion counts once.
func TestAssertionTwice(t *testing.T) {
	t.Parallel()
	c := started(t, appletest.Options{})
	assertion := c.assertion(t, func(*jwt.Token, jwt.MapClaims) {})
	for _, want := range []int{200, 400} {
		if status, _ := c.token(t, assertion, func(*http.Request, url.Values) {}); status != want {
			t.Errorf("the token endpoint answered %d, want %d", status, want)
		}
	}
}
