package vendorhttp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// newestRecord is a record of TestNewest.
type newestRecord struct {
	Serial vendorjson.Text `json:"serial"`
	Type   vendorjson.Text `json:"type"`
	OS     vendorjson.Text `json:"os"`
	Day    int             `json:"day"` // when its device was seen; 0 is not known
	Name   string          `json:"name"`
}

func newestDevice(r *newestRecord) posture.Device {
	d := posture.Device{Identifier: r.Serial.Said(), Type: posture.DeviceType(r.Type.Said()), Facts: posture.Facts{OS: r.OS.Fact(), Name: posture.Text(r.Name)}}
	if r.Day > 0 {
		d.Facts.LastSeen = posture.Known(time.Date(2026, time.May, r.Day, 0, 0, 0, 0, time.UTC))
	}
	return d
}

// TestNewest: which of several records counts does not depend on their order.
func TestNewest(t *testing.T) {
	t.Parallel()
	const (
		first    = `{"serial":"C02XK1ABJHD2","name":"first","day":1}`
		second   = `{"serial":"c02xk1abjhd2","name":"second","day":2}`
		third    = `{"serial":"C02XK1ABJHD2","name":"third","day":3}`
		unseen   = `{"serial":"C02XK1ABJHD2","name":"unseen"}`
		spaced   = `{"serial":" C02XK1ABJHD2 ","name":"spaced"}`
		stranger = `{"serial":"C02XK1ABJHD20","name":"stranger","day":9}`
		nameless = `{"name":"C02XK1ABJHD2","day":9}`
		number   = `{"serial":12,"name":"C02XK1ABJHD2","day":9}`
		broken   = `{"serial":"FVFXK1ABJHD2","day":"9"}`
		noObject = `"C02XK1ABJHD2"`
		computer = `{"serial":"C02XK1ABJHD2","name":"computer","day":4,"type":"computer"}`
		mobile   = `{"serial":"C02XK1ABJHD2","name":"mobile","day":5,"type":"mobiledevice"}`
		mac      = `{"serial":"C02XK1ABJHD2","name":"mac","day":6,"os":"macOS"}`
		phone    = `{"serial":"C02XK1ABJHD2","name":"phone","day":7,"os":"iOS"}`
		pad      = `{"serial":"C02XK1ABJHD2","name":"pad","day":8,"os":"iPadOS"}`
		last     = `{"serial":"C02XK1ABJHD2","name":"last","day":9}`
	)
	ambiguous := func(n int) string {
		return fmt.Sprintf("%v: Acme has %d records with the serial number", posture.ErrAmbiguous, n)
	}
	strangers := func(n int) string {
		return fmt.Sprintf("the search for the serial number returned %d records, and none has it", n)
	}
	missing := posture.ErrNotFound.Error()
	const unreadable = "the search for the serial number returned a record that cannot be read"
	for _, row := range []struct {
		found           []string
		asked           posture.DeviceType
		exact, contains string // the name of the record, or the error; empty contains is as exact
	}{
		{nil, "", missing, ""},
		{[]string{first}, "", "first", ""},
		{[]string{spaced}, "", "spaced", ""},
		{[]string{unseen}, "", "unseen", ""},
		{[]string{first, second, third}, "", "third", ""},
		{[]string{first, second, second}, "", ambiguous(3), ""},
		{[]string{first, first, second}, "", "second", ""},
		{[]string{unseen, first}, "", "first", ""},
		{[]string{unseen, unseen}, "", ambiguous(2), ""},
		{[]string{unseen, unseen, first}, "", "first", ""},
		{[]string{stranger}, "", strangers(1), missing},
		{[]string{stranger, nameless, number}, "", strangers(3), missing},
		{[]string{stranger, first}, "", "first", ""},
		{[]string{broken}, "", unreadable, ""},
		{[]string{broken, first}, "", unreadable, ""},
		{[]string{noObject, first}, "", unreadable, ""},
		{[]string{"null", first}, "", unreadable, ""},
		{[]string{computer, mobile}, "", ambiguous(2), ""},
		{[]string{computer, mobile}, posture.AnyDevice, ambiguous(2), ""},
		{[]string{computer, mobile}, posture.Computer, "computer", ""},
		{[]string{computer, mobile}, posture.MobileDevice, "mobile", ""},
		{[]string{mobile}, posture.Computer, missing, ""},
		{[]string{mobile, stranger}, posture.Computer, missing, ""},
		{[]string{first, mobile}, posture.Computer, "first", ""},
		{[]string{first, mobile}, posture.MobileDevice, ambiguous(2), ""},
		{[]string{mac, phone}, "", ambiguous(2), ""},
		{[]string{phone, pad}, "", "pad", ""},
		{[]string{mac, last}, "", "last", ""},
		{[]string{mac, phone, last}, "", ambiguous(3), ""}, // the last one does not say of which of them it is
		{[]string{mac, last, pad}, "", ambiguous(3), ""},
	} {
		for search, want := range map[vendorhttp.Search]string{vendorhttp.Exact: row.exact, vendorhttp.Contains: row.contains} {
			if want == "" {
				want = row.exact
			}
			for _, found := range permutations(row.found) {
				if got := newestOf(t, search, row.asked, found); got != want {
					t.Errorf("search %d of %s, asked for %q: %s, want %s", search, found, row.asked, got, want)
				}
			}
		}
	}
}

// newestOf returns the name of the record that counts, or the error.
func newestOf(t *testing.T, search vendorhttp.Search, asked posture.DeviceType, found []string) string {
	t.Helper()
	var records []vendorjson.Record[newestRecord]
	if err := json.Unmarshal([]byte("["+strings.Join(found, ",")+"]"), &records); err != nil {
		t.Fatal(err)
	}
	q := query(t, serial)
	q.Type = asked
	c := vendorhttp.New(vendorhttp.Options{Vendor: vendorhttp.Vendor{Name: "Acme"}, Auth: vendorhttp.NoAuth{}})
	record, device, err := vendorhttp.Newest(c, q, search, records, newestDevice)
	name, _ := device.Facts.Name.Get()
	switch {
	case err != nil && (record != nil || device.Identifier != ""):
		t.Errorf("%s: a record beside the error %v", found, err)
	case err != nil && errors.Is(err, posture.ErrNotFound) != (err.Error() == posture.ErrNotFound.Error()):
		t.Errorf("%s: %v is ErrNotFound", found, err)
	case err != nil:
		return err.Error()
	case record.Name != name:
		t.Errorf("%s: the record %s beside the device %s", found, record.Name, name)
	}
	return name
}

// permutations returns all orders.
func permutations(all []string) [][]string {
	if len(all) < 2 {
		return [][]string{all}
	}
	var orders [][]string
	for i := range all {
		for _, rest := range permutations(slices.Concat(all[:i], all[i+1:])) {
			orders = append(orders, append([]string{all[i]}, rest...))
		}
	}
	return orders
}
