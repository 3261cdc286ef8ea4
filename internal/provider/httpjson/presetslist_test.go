package httpjson_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson/httpjsontest"
)

// A list gives every device, once, with the facts that a lookup of it finds, and the service's own total.
func TestListsOfPresets(t *testing.T) {
	t.Parallel()
	for name, kind := range kindsOfServices() {
		for _, devices := range []int{0, 1, 2, 3, 7} {
			t.Run(fmt.Sprintf("%s %d", name, devices), func(t *testing.T) {
				t.Parallel()
				compareList(t, kind, devices)
			})
		}
	}
}

func compareList(t *testing.T, kind kindOfService, n int) {
	t.Helper()
	var devices []httpjsontest.Device
	for i := range n {
		devices = append(devices, httpjsontest.Device{
			Serial: fmt.Sprintf("C02XK1%06d", i), Name: fmt.Sprintf("Mac & %d", i), Unmanaged: i == 2, Groups: []string{"Pilot", strings.Repeat("x", i+1)},
			LastSeen: time.Date(2026, 7, 29, 8, i, 0, 0, time.UTC), User: &httpjsontest.User{Username: "ada", RealName: "Ada", Email: "ada@example.com"},
		})
	}
	server, err := kind.start(httpjsontest.Options{PageLimit: 2, Devices: devices})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	provider := openSection(t, fmt.Sprintf("preset: %s\nbase_url: %s\nca_file: %s\nsecrets: {%s: {env: SECRET}}\nlimits: {rate: 1000/s, burst: 1000}\n",
		kind.preset, server.URL(), trust(t, server.Server), kind.secret), server.Token())
	lister, ok := provider.(posture.Lister)
	if !ok || len(lister.Lists()) != 1 {
		t.Fatalf("%T cannot be listed as one list", provider)
	}
	got := map[string]posture.Device{}
	listed, err := lister.List(t.Context(), posture.List{Type: lister.Lists()[0], Facts: posture.AllFacts()}, func(l posture.Listing) error {
		if _, twice := got[l.Identifier]; twice || l.Damaged {
			t.Errorf("%q is listed twice, or damaged", l.Identifier)
		}
		got[l.Identifier] = l.Device
		return nil
	})
	if err != nil || len(got) != n || listed.Total != n && kind.preset != "simplemdm@1" { // SimpleMDM does not say how many there are
		t.Fatalf("List = %+v, %v, with %d of %d devices", listed, err, len(got), n)
	}
	for _, d := range devices {
		found, err := provider.Lookup(t.Context(), posture.Query{Identifier: mustParse(t, d.Serial), Facts: listed.Facts})
		if err != nil {
			t.Fatal(err)
		}
		if inList := got[d.Serial]; !reflect.DeepEqual(known(&inList), known(&found)) {
			t.Errorf("the list has %v of %s, a lookup %v", known(&inList), d.Serial, known(&found))
		}
	}
	if v := server.Violations(); len(v) > 0 {
		t.Errorf("violations: %q", v)
	}
}
