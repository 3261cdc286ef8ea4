package mosyle_test

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/mosyle"
	"step-posture-connector/internal/provider/mosyle/mosyletest"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// variants are servers that differ in all that sources differ in.
func variants() map[string]mosyletest.Options {
	return map[string]mosyletest.Options{
		"business": {Quirks: mosyletest.Quirks{TagsAsList: true}},
		"manager": {Product: mosyletest.Manager, Quirks: mosyletest.Quirks{
			TagsAsList: true, StatusIN: true, EmptyList: true, AttributeUniqueID: true, PagesFromZero: true, RowsOfPage: true, ExpiredIs403: true,
		}},
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	for name, options := range variants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, providertest.Harness{
				Open: func(t *testing.T, devices ...providertest.Device) providertest.Inventory {
					t.Helper()
					return open(t, options, 10*time.Second, mosyle.Unlimited, devices).Inventory
				},
				Lacks: providertest.Duplicates,
			})
		})
	}
}

func TestContractOfFaults(t *testing.T) {
	t.Parallel()
	for name, options := range variants() {
		options.Quirks.ExpiredIs403 = false // a token that is new is not replaced for it, see TestTokenRefused
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.RunHTTP(t, providertest.HTTPHarness{
				Open: func(t *testing.T, limit time.Duration, devices ...providertest.Device) providertest.Service {
					t.Helper()
					return open(t, options, limit, mosyle.Unlimited, devices)
				},
				Shapes:         shapes(t),
				OverVendorhttp: true,
				Sibling:        name == "manager",
				ListPage:       100,
			})
		})
	}
}

// TestLimits: what the provider sends stays below what the simulated server allows.
func TestLimits(t *testing.T) {
	t.Parallel()
	providertest.RunLimits(t, providertest.Limits{
		Open: func(t *testing.T, devices ...providertest.Device) providertest.Service {
			t.Helper()
			// A machine that stops for some seconds lets requests go together that had their turns one after the other. In the time
			// of a lookup, 8.5 s, that is no more than this.
			return open(t, mosyletest.Options{PerSecond: 20 + 5*10}, 10*time.Second, mosyle.New, devices)
		},
		AtOnce: 3, Period: 10 * time.Second,
	})
}

func open(t *testing.T, o mosyletest.Options, limit time.Duration, create func(mosyle.Config) (*mosyle.Provider, error), devices []providertest.Device) providertest.Service {
	t.Helper()
	if o.PerSecond == 0 {
		o.PerSecond = many
	}
	server := tolerant(t, o) // the suites ask for its violations
	replace := func(devices ...providertest.Device) {
		seen := time.Now() // one time for all
		var records []mosyletest.Device
		for _, d := range devices {
			records = append(records, asRecord(d, seen))
		}
		server.Replace(records...)
	}
	replace(devices...)
	c := configOf(server, o.Product)
	c.Timeout = config.Whole(limit / time.Second)
	c.Enrich = true // half of the lookups return data, half do not
	provider, err := create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(provider.Close)
	mobile := []string{mosyletest.IOS, mosyletest.TVOS, mosyletest.VisionOS}
	return providertest.Service{
		Inventory: providertest.Inventory{
			Provider: provider, Replace: replace, Secrets: server.Secrets, Violations: server.Violations,
			Damage: func(identifier string) { server.Change(identifier, func(d *mosyletest.Device) { d.Broken = true }) },
		},
		Server: server.Server,
		Lookup: append([]string{mosyletest.Mac}, mobile...),
		Apart:  map[posture.DeviceType][]string{posture.Computer: {mosyletest.Mac}, posture.MobileDevice: mobile},
		Token:  []string{mosyletest.Login},
		Expire: server.Expire,
		Revoke: server.Revoke,
	}
}

func asRecord(d providertest.Device, seen time.Time) mosyletest.Device {
	record := ofKind(d.Identifier, "ios")
	if d.Type == posture.Computer {
		record = ofKind(d.Identifier, "mac")
	}
	record.Deleted, record.Tags, record.LastBeat = d.Unmanaged, d.Groups, seen.Add(-d.Seen)
	return record
}

// shapes are answers to the lookup of C02XK1ABJHD2 that look right and are not.
func shapes(t *testing.T) map[string]vendortest.Fault {
	t.Helper()
	edit := func(pattern, replacement string) vendortest.Fault {
		form := regexp.MustCompile(pattern)
		return vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte {
			changed := form.ReplaceAll(body, []byte(replacement))
			if bytes.Equal(changed, body) && bytes.Contains(body, []byte("serial_number")) {
				t.Errorf("the edit of %s fits no more", pattern)
			}
			return changed
		}}
	}
	body := func(text string) vendortest.Fault { return vendortest.Fault{Kind: vendortest.Answer, Body: text} }
	all := map[string]vendortest.Fault{
		"top status not OK":           edit(`"status":"OK"`, `"status":"ERROR"`),
		"top status DEVICES_NOTFOUND": edit(`"status":"OK"`, `"status":"DEVICES_NOTFOUND"`),
		"top status missing":          edit(`,"status":"OK"`, ``),
		"top status null":             edit(`"status":"OK"`, `"status":null`),
		"another operating system":    edit(`"os":"mac"`, `"os":"ios"`),
		"more rows than devices":      edit(`"rows":"1"`, `"rows":"2"`),
		"devices null":                edit(`"devices":\[.*\]`, `"devices":null`),
		"devices an object":           edit(`"devices":\[.*\]`, `"devices":{}`),
		"a device null":               edit(`"devices":\[.*\]`, `"devices":[null]`),
		"a device a text":             edit(`"devices":\[.*\]`, `"devices":["C02XK1ABJHD2"]`),
		"no devices, one row":         body(`{"status":"OK","response":[{"devices":[],"rows":"1"}]}`),
		"not found beside devices":    edit(`"devices":`, `"status":"DEVICES_NOTFOUND","devices":`),
		"not found beside none":       body(`{"status":"OK","response":[{"status":"DEVICES_NOTFOUND","devices":[]}]}`),
		"members twice":               body(`{"status":"OK","status":"OK","response":[{"status":"DEVICES_NOTFOUND"}]}`),
		"text behind it":              body(`{"status":"OK","response":[{"status":"DEVICES_NOTFOUND"}]} {}`),
		"two answers":                 body(`{"status":"OK","response":[{"status":"DEVICES_NOTFOUND"},{"status":"DEVICES_NOTFOUND"}]}`),
		"no answer":                   body(`{"status":"OK","response":[]}`),
		"answer null":                 body(`{"status":"OK","response":null}`),
		"answer a text":               body(`{"status":"OK","response":"DEVICES_NOTFOUND"}`),
		"answer empty":                body(`{"status":"OK","response":[{}]}`),
		"status a list":               body(`{"status":"OK","response":[{"status":["DEVICES_NOTFOUND"]}]}`),
		"status empty":                body(`{"status":"OK","response":[{"status":""}]}`),
		"status in lower case":        body(`{"status":"OK","response":[{"status":"devices_notfound"}]}`),
	}
	for _, status := range []string{"USERS_NOTFOUND", "MISSING_DATA", "UNKNOWN_COLUMNS", "INVALID_DATA", "UNKNOWN_WORD", "DEVICES_NOTFOUND "} {
		all["status "+status] = body(`{"status":"OK","response":{"status":"` + status + `","info":"` + vendortest.Marker + `"}}`)
	}
	return all
}
