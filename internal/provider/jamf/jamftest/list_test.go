package jamftest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/provider/jamf/jamftest"
)

// page lists one page and returns the IDs and the total.
func (c *caller) page(t *testing.T, target string) (ids []string, total int) {
	t.Helper()
	status, answer := c.do(t, http.MethodGet, target, "")
	var page struct {
		TotalCount int `json:"totalCount"`
		Results    []struct {
			ID       string `json:"id"`
			MobileID string `json:"mobileDeviceId"`
		} `json:"results"`
	}
	if err := json.Unmarshal([]byte(answer), &page); status != http.StatusOK || err != nil {
		t.Fatalf("GET %s = %d %.200s", target, status, answer)
	}
	for _, r := range page.Results {
		ids = append(ids, r.ID+r.MobileID)
	}
	return ids, page.TotalCount
}

// fleet are computers and mobile devices with the IDs 12 to 1.
func fleet() []jamftest.Device {
	var all []jamftest.Device
	for i := 12; i > 0; i-- {
		all = append(all, jamftest.Device{Computer: i%2 == 0, ID: fmt.Sprint(i), Name: fmt.Sprint("device ", i), Serial: fmt.Sprintf("C02ZZ%05d", i)})
	}
	return all
}

const (
	list       = "/api/v4/computers-inventory?sort=id:asc&page-size=2&page="
	listMobile = "/api/v2/mobile-devices/detail?sort=mobileDeviceId:asc&page-size=2&page="
)

// TestListOrder: lists are in the order of the IDs, which are numbers, and nothing else is asked of them.
func TestListOrder(t *testing.T) {
	t.Parallel()
	c := newCaller(t, jamftest.Options{Devices: fleet()})
	c.login(t)
	for target, want := range map[string][]string{
		list + "0": {"2", "4"}, list + "1": {"6", "8"}, list + "2": {"10", "12"}, list + "3": nil,
		listMobile + "0": {"1", "3"}, listMobile + "2": {"9", "11"},
		"/api/v4/computers-inventory": {"10", "12", "2", "4", "6", "8"}, // by the name
	} {
		if got, total := c.page(t, target); !slices.Equal(got, want) || total != 6 {
			t.Errorf("GET %s lists %q of %d, want %q of 6", target, got, total, want)
		}
	}
	if got := c.server.Violations(); len(got) > 0 {
		t.Errorf("the violations are %q", got)
	}
	for _, row := range []struct {
		target string
		status int
	}{
		{"/api/v4/computers-inventory?page=1", 200}, // in the order of names, which change
		{"/api/v4/computers-inventory?page=1&sort=general.name:asc", 200},
		{"/api/v4/computers-inventory?sort=serial:asc", 400},
		{"/api/v4/computers-inventory?sort=id:desc", 400},
		{"/api/v4/computers-inventory?page-size=2001", 400},
		{"/api/v4/computers-inventory?page-size=0", 400},
		{"/api/v4/computers-inventory?exception-handling=LENIENT", 200},
		{"/api/v2/mobile-devices/detail?exception-handling=MILD", 400},
		{"/api/v2/mobile-devices/detail?sort=id:asc", 400},
	} {
		before := len(c.server.Violations())
		if status, _ := c.do(t, http.MethodGet, row.target, ""); status != row.status || len(c.server.Violations()) == before {
			t.Errorf("GET %s = %d with %d violations, want %d with one", row.target, status, len(c.server.Violations())-before, row.status)
		}
	}
}

// TestSpoiledLists: each way to spoil a list changes what it says.
func TestSpoiledLists(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		lists jamftest.Lists
		page  string
		want  string // IDs
		total int
	}{
		"repeated":           {jamftest.Lists{RepeatFrom: 1}, "2", "2 4", 6},
		"half":               {jamftest.Lists{HalfFrom: 1}, "1", "6", 6},
		"half, before":       {jamftest.Lists{HalfFrom: 1}, "0", "2 4", 6},
		"total":              {jamftest.Lists{Total: 3}, "0", "2 4", 9},
		"total, later":       {jamftest.Lists{Total: 3, TotalFrom: 1}, "0", "2 4", 6},
		"only three":         {jamftest.Lists{Only: 3}, "1", "6", 3},
		"none":               {jamftest.Lists{Only: -1}, "0", "", 0},
		"nothing is spoiled": {jamftest.Lists{}, "1", "6 8", 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCaller(t, jamftest.Options{Devices: fleet(), Lists: row.lists})
			c.login(t)
			if got, total := c.page(t, list+row.page); strings.Join(got, " ") != row.want || total != row.total {
				t.Errorf("page %s has %q of %d, want %q of %d", row.page, got, total, row.want, row.total)
			}
			// A lookup is not spoiled.
			if got, total := c.page(t, `/api/v4/computers-inventory?filter=hardware.serialNumber%3D%3D%22c02zz00004%22`); !slices.Equal(got, []string{"4"}) || total != 1 {
				t.Errorf("a search has %q of %d, want the device", got, total)
			}
		})
	}
}

// TestSlowAndLarge: answers can be made slow, and records large.
func TestSlowAndLarge(t *testing.T) {
	t.Parallel()
	c := newCaller(t, jamftest.Options{Devices: fleet(), Lists: jamftest.Lists{Padding: 1 << 20}})
	c.login(t)
	if _, answer := c.do(t, http.MethodGet, list+"0", ""); len(answer) < 2<<20 {
		t.Errorf("a page of two records has %d bytes, want 2 MiB", len(answer))
	}
	const delay = 200 * time.Millisecond
	c.server.SetDelay(delay)
	begin := time.Now()
	c.do(t, http.MethodGet, list+"0", "")
	if took := time.Since(begin); took < delay {
		t.Errorf("the answer took %v, want %v", took, delay)
	}
	if got := c.server.Sizes(); !slices.Equal(got, []int{2, 2}) {
		t.Errorf("the sizes of the pages are %v, want 2 twice", got)
	}
}

// TestBroken: since 11.30, one mobile device that cannot be read fails the page, unless it is asked for leniently.
func TestBroken(t *testing.T) {
	t.Parallel()
	broken := jamftest.Device{Serial: "F9FXK1ABPLJM", Broken: "SECURITY"}
	const target = "/api/v2/mobile-devices/detail?section=HARDWARE"
	for _, row := range []struct {
		version, target string
		status          int
	}{
		{"", target, 200},
		{"", target + "&section=SECURITY", 500},
		{"", target + "&section=SECURITY&exception-handling=STRICT", 500},
		{"", target + "&section=SECURITY&exception-handling=LENIENT", 200},
		{"11.29.0", target + "&section=SECURITY", 200},
	} {
		c := newCaller(t, jamftest.Options{Version: row.version, Devices: []jamftest.Device{broken}})
		c.login(t)
		status, answer := c.do(t, http.MethodGet, row.target, "")
		if status != row.status || status == http.StatusOK && !strings.Contains(answer, `"security":null`) {
			t.Errorf("%s: GET %s = %d %.300s, want %d", row.version, row.target, status, answer, row.status)
		}
		if got := c.server.Violations(); len(got) > 0 {
			t.Errorf("the violations are %q", got)
		}
	}
}
