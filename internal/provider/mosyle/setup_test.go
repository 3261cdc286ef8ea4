package mosyle_test

import (
	"fmt"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/mosyle"
	"step-posture-connector/internal/provider/mosyle/mosyletest"
)

// TestProblems: a URL that cannot be meant is refused before Mosyle is asked.
func TestProblems(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ product, url, want string }{
		{"business", "", ""},
		{"manager", "", ""},
		{"business", "https://businessapi.mosyle.com/v1", ""},
		{"business", "https://businessapi.mosyle.com/v1/", ""},
		{"business", "https://businessapi.mosyle.com/v1/devices", ""},
		{"business", "https://businessapi.mosyle.com/v1/login", ""},
		{"manager", "https://managerapi.mosyle.com/v2/listdevices", ""},
		{"business", "https://proxy.example.com/anything", ""},
		{"business", "https://managerapi.mosyle.com/v2", "is the API of another product than MOSYLE_PRODUCT"},
		{"manager", "https://businessapi.mosyle.com/v1", "is the API of another product than MOSYLE_PRODUCT"},
		{"manager", "https://BusinessAPI.mosyle.com:443/v1", "is the API of another product than MOSYLE_PRODUCT"},
		{"business", "https://businessapi.mosyle.com", "has not the version of the API as its path, /v1"},
		{"manager", "https://managerapi.mosyle.com/v1", "has not the version of the API as its path, /v2"},
		{"business", "http://businessapi.mosyle.com/v1", "does not begin with https://"},
		{"business", "businessapi.mosyle.com/v1", "does not begin with https://"},
		{"business", "https://a:b@businessapi.mosyle.com/v1", "holds a user name or password"},
		{"business", "https://businessapi.mosyle.com/v1?a=b", "has a query or a fragment"},
	} {
		c := mosyle.Config{Product: row.product, BaseURL: row.url}
		problems := c.Problems()
		switch {
		case row.want == "" && len(problems) > 0:
			t.Errorf("%s, %q: %v, want no problem", row.product, row.url, problems)
		case row.want != "" && (len(problems) != 1 || problems[0].Variable != "MOSYLE_BASE_URL" || problems[0].Text != row.want || problems[0].Accepted == ""):
			t.Errorf("%s, %q: %v, want MOSYLE_BASE_URL: %s", row.product, row.url, problems, row.want)
		}
		if _, err := mosyle.New(c); (err != nil) != (row.want != "") {
			t.Errorf("%s, %q: New = %v", row.product, row.url, err)
		}
	}
}

// TestGroup: a list of tags is refused, because no device would have it.
func TestGroup(t *testing.T) {
	t.Parallel()
	for group, want := range map[string]int{"": 0, "wifi": 0, "Wi-Fi pilot": 0, "wifi,pilot": 1} {
		if problems := (mosyle.Config{Product: "business", Group: group}).Problems(); len(problems) != want || want > 0 && problems[0].Variable != "MOSYLE_GROUP" {
			t.Errorf("%q: %v, want %d problems", group, problems, want)
		}
	}
}

// TestDefaults: the host is that of the product.
func TestDefaults(t *testing.T) {
	t.Parallel()
	for product, want := range map[string]string{"business": "https://businessapi.mosyle.com/v1", "manager": "https://managerapi.mosyle.com/v2"} {
		p, err := mosyle.New(mosyle.Config{Product: product})
		if err != nil || p.Server() != want {
			t.Errorf("%s: the server is %q, %v, want %q", product, p.Server(), err, want)
		}
	}
}

// TestVariables: what is missing and what is no value is named.
func TestVariables(t *testing.T) {
	t.Parallel()
	var c mosyle.Config
	problems := config.Parse(map[string]string{"MOSYLE_PRODUCT": "fuse", "MOSYLE_ENRICH": "yes", "TIMEOUT": "0"}, &c)
	for _, name := range []string{"MOSYLE_PRODUCT", "MOSYLE_ACCESS_TOKEN", "MOSYLE_EMAIL", "MOSYLE_PASSWORD", "MOSYLE_ENRICH", "TIMEOUT"} {
		if !strings.Contains(problems.Error(), name) {
			t.Errorf("the problems are %v, want %s among them", problems, name)
		}
	}
}

// TestRequirements: the group is required of each type of device.
func TestRequirements(t *testing.T) {
	t.Parallel()
	c := mosyle.Config{Group: "wifi", AllowUnmanaged: true}
	got := c.Requirements()
	if got.Groups[posture.Computer] != "wifi" || got.Groups[posture.MobileDevice] != "wifi" || !got.AllowUnmanaged {
		t.Errorf("the requirements are %+v", got)
	}
	if got := (mosyle.Config{}).Requirements(); len(got.Groups) > 0 || got.AllowUnmanaged {
		t.Errorf("without settings the requirements are %+v, want none", got)
	}
}

// TestExperimental: each start says that the provider is experimental.
func TestExperimental(t *testing.T) {
	t.Parallel()
	_, warnings, err := mosyle.Open(mosyle.Config{Product: "business"})
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "experimental") {
		t.Errorf("Open = %q, %v, want a warning that it is experimental", warnings, err)
	}
}

// TestSecrets: neither the provider nor its settings show a secret.
func TestSecrets(t *testing.T) {
	t.Parallel()
	server := started(t, mosyletest.Options{Devices: someOfEach()})
	c := configOf(server, mosyletest.Business)
	p := opened(t, c)
	finds(t, p, macSerial, posture.Computer)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", p, p, p, p), fmt.Sprintf("%v %+v %#v", c, c, c)} {
		for _, secret := range server.Secrets() {
			if strings.Contains(text, secret) {
				t.Errorf("%.80q… shows a secret", text)
			}
		}
	}
	for enrich, want := range map[bool]string{false: "no data is returned", true: "device, user and group data is returned"} {
		c.Enrich = config.Switch(enrich)
		if got := opened(t, c).Returns(posture.Computer); got != want {
			t.Errorf("Returns = %q, want %q", got, want)
		}
	}
}
