package httpjson_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func TestContractOfAssets(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Harness{
		Open: func(t *testing.T, devices ...providertest.Device) providertest.Inventory {
			t.Helper()
			return serviceOf(t, 9*time.Second, devices).Inventory
		},
		// Identifiers are serial numbers, and the service does not say what kind of device it is.
		Lacks: providertest.Types | providertest.AnyIdentifier | providertest.Newest,
	})
}

func TestContractOfFaultsOfAssets(t *testing.T) {
	t.Parallel()
	edit := func(from, to string) vendortest.Fault {
		return vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte { return []byte(strings.ReplaceAll(string(body), from, to)) }}
	}
	providertest.RunHTTP(t, providertest.HTTPHarness{
		Open: serviceOfDevices,
		Shapes: map[string]vendortest.Fault{
			"the list has another name":         edit(`"devices"`, `"results"`),
			"the identifier has another name":   edit(`"sn"`, `"serial"`),
			"the identifier is a number":        edit(`"sn":"`, `"sn":1,"was":"`),
			"the state has another name":        edit(`"state"`, `"status"`),
			"there is more":                     edit(`"more":false`, `"more":true`),
			"whether there is more is missing":  edit(`"more":false`, `"least":false`),
			"whether there is more is a number": edit(`"more":false`, `"more":0`),
			"a duplicate member":                edit(`"sn":`, `"sn":"X","sn":`),
		},
		Lacks: providertest.EndpointsOfTypes, OverVendorhttp: true, ListPage: 1,
	})
}

func serviceOfDevices(t *testing.T, limit time.Duration, devices ...providertest.Device) providertest.Service {
	t.Helper()
	return serviceOf(t, limit, devices)
}

// TestList: a list gives what lookups find, without the facts of further requests.
func TestList(t *testing.T) {
	t.Parallel()
	s := &assetsService{}
	p := s.open(t, 9*time.Second, []providertest.Device{{Identifier: "C02A"}, {Identifier: "C02B", Unmanaged: true}, {Identifier: ""}, {Identifier: "C02D"}})
	var found []posture.Listing
	listed, err := p.List(t.Context(), posture.List{Facts: posture.AllFacts()}, func(l posture.Listing) error {
		found = append(found, l)
		return nil
	})
	if err != nil || listed.Total != 4 || len(found) != 4 || !found[2].Damaged || listed.Facts.Has(posture.MustFacts("device.groups")) {
		t.Fatalf("List = %+v with %+v, %v", listed, found, err)
	}
	for _, l := range slices.Delete(found, 2, 3) {
		d, err := p.Lookup(t.Context(), posture.Query{Identifier: identifier(t, l.Identifier), Facts: listed.Facts})
		if err != nil || !sameFacts(d, l.Device) {
			t.Errorf("Lookup = %+v, %v, and the list has %+v", d, err, l.Device)
		}
	}
	if len(p.Lists()) != 1 || p.ListGives().Has(posture.MustFacts("device.groups")) || !p.ListGives().Has(posture.MustFacts("device.attributes")) {
		t.Errorf("Lists = %v, ListGives = %v", p.Lists(), p.ListGives().Names())
	}
	if !p.ListGives().Has(posture.Document) {
		t.Error("lookups give no document either: a policy without data must be able to use a copy")
	}
	for name, next := range map[string]func(page int) any{
		"another host":       func(int) any { return "https://evil.example/v1/all?page=1" },
		"plain HTTP":         func(int) any { return strings.Replace(s.server.URL(), "https", "http", 1) + "/v1/all?page=1" },
		"no scheme":          func(int) any { return "//evil.example/v1/all?page=1" },
		"a page seen before": func(int) any { return "/v1/all?page=0" },
		"a circle":           func(page int) any { return "/v1/all?page=" + strconv.Itoa((page+1)%3) },
		"a number":           func(int) any { return 1 },
		"a word":             func(int) any { return "next" },
		"empty":              func(int) any { return "" },
		"false":              func(int) any { return false },
		"dots":               func(int) any { return "/v1/../all?page=1" },
	} {
		s.mu.Lock()
		s.next = next
		s.mu.Unlock()
		if listed, err := p.List(t.Context(), posture.List{}, func(posture.Listing) error { return nil }); err == nil {
			t.Errorf("%s: List = %+v, want an error", name, listed)
		}
	}
}

func sameFacts(a, b posture.Device) bool {
	for _, d := range posture.Vocabulary() {
		x, knownX := d.Get(&a)
		y, knownY := d.Get(&b)
		if knownX != knownY {
			return false
		}
		if text, err := json.Marshal(x); err == nil {
			if other, err := json.Marshal(y); err != nil || string(text) != string(other) {
				return false
			}
		}
	}
	return true
}
