package httpjson_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson"
	"step-posture-connector/internal/provider/httpjson/httpjsontest"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// kindOfService is a fake service and the preset that asks it.
type kindOfService struct {
	preset string
	secret string
	start  func(httpjsontest.Options) (*httpjsontest.Server, error)
	lacks  providertest.Trait
	// body is the list of records in an answer, and identifier the member with a record's own.
	body, identifier string
	// total is the member that says how many there are, or whether there are more, and a value that contradicts the list.
	total, contradiction string
}

func kindsOfServices() map[string]kindOfService {
	return map[string]kindOfService{
		// The groups of an asset are of four kinds, and have prefixes.
		"snipeit":   {"snipeit@1", "token", httpjsontest.NewSnipeIT, providertest.Types | providertest.Groups, "rows", "serial", "total", "2"},
		"simplemdm": {"simplemdm@1", "api_key", httpjsontest.NewSimpleMDM, providertest.Types | providertest.Groups, "data", "serial_number", "has_more", "true"},
		"netbox":    {"netbox@1", "token", httpjsontest.NewNetBox, providertest.Types, "results", "serial", "next", `"/api/dcim/devices/?offset=10"`},
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	for name, kind := range kindsOfServices() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, providertest.Harness{
				Open: func(t *testing.T, devices ...providertest.Device) providertest.Inventory {
					t.Helper()
					return kind.open(t, 9*time.Second, devices).Inventory
				},
				Lacks: kind.lacks | providertest.Newest,
			})
		})
	}
}

func TestContractOfFaults(t *testing.T) {
	t.Parallel()
	for name, kind := range kindsOfServices() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.RunHTTP(t, providertest.HTTPHarness{
				Open: func(t *testing.T, limit time.Duration, devices ...providertest.Device) providertest.Service {
					t.Helper()
					return kind.open(t, limit, devices)
				},
				Shapes:         kind.shapes(t),
				Lacks:          providertest.Tokens | providertest.EndpointsOfTypes,
				OverVendorhttp: true,
				Sibling:        name != "snipeit",
				ListPage:       pageLimit,
			})
		})
	}
}

// pageLimit is the size of a server's pages: lists have several, and no lookup of the contract finds more.
const pageLimit = 10

// longestLimit is the longest that limits.timeout can be.
const longestLimit = 9 * time.Second

func (k kindOfService) open(t *testing.T, limit time.Duration, devices []providertest.Device) providertest.Service {
	t.Helper()
	server, err := k.start(httpjsontest.Options{PageLimit: pageLimit})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	replace := func(devices ...providertest.Device) {
		var records []httpjsontest.Device
		for _, d := range devices {
			records = append(records, httpjsontest.Device{
				Serial: d.Identifier, Name: "Ada's & Co", Model: "MacBook Air", Version: "15.5", Unmanaged: d.Unmanaged, Groups: d.Groups,
				LastSeen: time.Date(2026, 7, 29, 8, 31, 45, 0, time.UTC),
				User:     &httpjsontest.User{Username: "ada", RealName: `Ada "O'Example"`, Email: "ada@example.com"},
			})
		}
		server.Replace(records...)
	}
	replace(devices...)
	provider := openSection(t, fmt.Sprintf(`preset: %s
base_url: %s
ca_file: %s
secrets: {%s: {env: SECRET}}
limits: {timeout: %dms, rate: 1000/s, burst: 1000}
`, k.preset, server.URL(), trust(t, server.Server), k.secret, min(limit, longestLimit).Milliseconds()), server.Token())
	return providertest.Service{
		Inventory: providertest.Inventory{Provider: provider, Replace: replace, Secrets: server.Secrets, Violations: server.Violations},
		Server:    server.Server,
		Lookup:    []string{httpjsontest.Lookup},
		List:      []string{httpjsontest.List},
	}
}

// trust writes the CA of a server to a file.
func trust(t *testing.T, server *vendortest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, server.CACertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// openSection opens an inventory as a policy file configures it. The secret is the environment variable SECRET.
func openSection(t *testing.T, section, secret string) posture.Provider {
	t.Helper()
	c := readSection(t, section, secret)
	provider, warnings, err := httpjson.Open(c)
	if err != nil || len(warnings) > 0 && !strings.Contains(section, "deviceinventory@") { // answers that are not verified
		t.Fatalf("Open: %v, warnings %q, of\n%s", err, warnings, section)
	}
	if closer, ok := provider.(interface{ Close() }); ok {
		t.Cleanup(closer.Close)
	}
	return provider
}

func readSection(t *testing.T, section, secret string) httpjson.Config {
	t.Helper()
	var c httpjson.Config
	d, root, err := document.Parse("posture.yaml", []byte(section), c.SectionShape())
	if err != nil {
		t.Fatal(err)
	}
	c.ReadSection(config.Section{Value: root, Secrets: &config.SecretReader{Folder: t.TempDir(), Environ: map[string]string{"SECRET": secret}}})
	if faults := d.Faults(); len(faults) > 0 {
		t.Fatalf("%v, of\n%s", faults, section)
	}
	return c
}

// shapes are answers to the lookup of C02XK1ABJHD2 that look right and are not.
func (k kindOfService) shapes(t *testing.T) map[string]vendortest.Fault {
	t.Helper()
	edit := func(pattern, replacement string) vendortest.Fault {
		form := regexp.MustCompile(pattern)
		return vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte {
			changed := form.ReplaceAll(body, []byte(replacement))
			if bytes.Equal(changed, body) {
				t.Errorf("the edit of %s fits no more", pattern)
			}
			return changed
		}}
	}
	body := func(text string) vendortest.Fault { return vendortest.Fault{Kind: vendortest.Answer, Body: text} }
	own := `"` + k.identifier + `":`
	shapes := map[string]vendortest.Fault{
		"serial number null":     edit(own+`"[^"]*"`, own+`null`),
		"serial number empty":    edit(own+`"[^"]*"`, own+`""`),
		"serial number a list":   edit(own+`("[^"]*")`, own+`[$1]`),
		"serial number a number": edit(own+`"[^"]*"`, own+`12345678`),
		"no serial number":       edit(own+`"[^"]*"`, `"other":""`),
		"records null":           edit(`"`+k.body+`":`, `"`+k.body+`":null,"x":`),
		"records an object":      edit(`"`+k.body+`":`, `"`+k.body+`":{},"x":`),
		"records missing":        edit(`"`+k.body+`":`, `"x":`),
		"a record is null":       edit(`"`+k.body+`":\[`, `"`+k.body+`":[null],"x":[`),
		"a record is empty":      edit(`"`+k.body+`":\[`, `"`+k.body+`":[{}],"x":[`),
		"a record is a text":     edit(`"`+k.body+`":\[`, `"`+k.body+`":["C02XK1ABJHD2"],"x":[`),
		"more than there is":     edit(`"`+k.total+`":[a-z0-9]+`, `"`+k.total+`":`+k.contradiction),
		"more is missing":        edit(`"`+k.total+`":`, `"y":`),
		"another JSON behind it": edit(`\}\s*$`, `} {}`),
		"members twice":          edit(`^\{`, `{"`+k.body+`":[],`),
	}
	switch k.preset {
	case "snipeit@1":
		shapes["refused in the form of not found"] = body(`{"status":"error","messages":"no","payload":{}}`)
		shapes["refused without a payload"] = body(`{"status":"error","messages":"no"}`)
		shapes["success without records"] = body(`{"status":"success","messages":"","payload":null}`)
		shapes["total is a text"] = edit(`"total":1`, `"total":"1"`)
		shapes["negative total without records"] = body(`{"total":3,"rows":[]}`)
	case "simplemdm@1":
		shapes["errors"] = body(`{"errors":[{"title":"object not found"}]}`)
		shapes["more is a text"] = edit(`"has_more":false`, `"has_more":"false"`)
	case "netbox@1":
		shapes["another device"] = edit(`"serial":"C02`, `"serial":"C03`)
		shapes["longer serial number"] = edit(`"serial":"C02`, `"serial":"XC02`)
		shapes["an error with 200"] = body(`{"detail":"Invalid token"}`)
	}
	return shapes
}

// A service that ignores the filter answers with everything. That is never "not found", and never the wrong device.
func TestIgnoredFilters(t *testing.T) {
	t.Parallel()
	for name, kind := range kindsOfServices() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all []httpjsontest.Device
			for i := range 600 {
				all = append(all, httpjsontest.Device{Serial: fmt.Sprintf("C02XK1%06d", i)})
			}
			server, err := kind.start(httpjsontest.Options{IgnoresFilters: true, Devices: all, PageLimit: 50})
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Close)
			if kind.preset == "snipeit@1" {
				return // the serial number is a part of the path there, so there is no filter
			}
			section := strings.ReplaceAll("preset: PRESET\nbase_url: URL\nca_file: CA\nsecrets: {NAME: {env: SECRET}}\n", "PRESET", kind.preset)
			section = strings.NewReplacer("URL", server.URL(), "CA", trust(t, server.Server), "NAME", kind.secret).Replace(section)
			provider := openSection(t, section, server.Token())
			device, err := provider.Lookup(t.Context(), posture.Query{Identifier: mustParse(t, "ZZZXK1ABZZZZ"), Facts: posture.WithoutPolicy()})
			if err == nil || isAnswer(err) {
				t.Errorf("Lookup = %+v, %v, want a fault", device, err)
			}
		})
	}
}
