package jamf_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestListPages: all pages are read, whatever size the server keeps to and whichever version it has.
func TestListPages(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		options jamftest.Options
		n       int
		sizes   []int // that were asked for
	}{
		"none":                  {jamftest.Options{}, 0, []int{500}},
		"one":                   {jamftest.Options{}, 1, []int{500}},
		"one less than a page":  {jamftest.Options{}, 499, []int{500}},
		"a page":                {jamftest.Options{}, 500, []int{500, 500}}, // the second is empty: the total was right
		"one more than a page":  {jamftest.Options{}, 501, []int{500, 500}},
		"three pages":           {jamftest.Options{}, 1234, []int{500, 500, 500}},
		"a server of 200":       {jamftest.Options{PageLimit: 200}, 501, []int{200, 200, 200}},
		"a server of 7":         {jamftest.Options{PageLimit: 7}, 20, []int{7, 7, 7}},
		"an old server":         {jamftest.Options{Version: "10.49.0-t1690000000"}, 501, []int{500, 500}},
		"40 KiB for a computer": {jamftest.Options{Lists: jamftest.Lists{Padding: 40 << 10}}, 501, []int{500, 250, 250, 250}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, row.options)
			server.Add(many(row.n)...)
			all, got, err := listed(t, opened(t, configOf(server, "pro")), posture.Computer, posture.MustFacts("device.name"))
			if err != nil || got.Total != row.n {
				t.Fatalf("List = %+v, %v, want the total %d", got, err, row.n)
			}
			wantMany(t, all, row.n)
			if got := server.Sizes(); !slices.Equal(got, row.sizes) {
				t.Errorf("pages of %v were asked for, want %v", got, row.sizes)
			}
		})
	}
}

// TestListLies: a list that contradicts itself is an error, and never a short list.
func TestListLies(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		n     int
		lists jamftest.Lists
	}{
		"a total that is too large":             {600, jamftest.Lists{Total: 1}},
		"too large, at the end of a page":       {500, jamftest.Lists{Total: 1}},
		"too small":                             {600, jamftest.Lists{Total: -1}},
		"too small, at the end of a page":       {1000, jamftest.Lists{Total: -500}},
		"negative":                              {600, jamftest.Lists{Total: -601}},
		"none":                                  {600, jamftest.Lists{Total: -600}},
		"too small from the second page on":     {1200, jamftest.Lists{Total: -700, TotalFrom: 1}},
		"the first page for ever":               {1200, jamftest.Lists{RepeatFrom: 1}},
		"the second page for ever":              {1800, jamftest.Lists{RepeatFrom: 2}},
		"the first page twice, and no others":   {1000, jamftest.Lists{RepeatFrom: 1}},
		"half of each page, until nothing left": {1000, jamftest.Lists{HalfFrom: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{Lists: row.lists})
			server.Add(many(row.n)...)
			all, got, err := listed(t, opened(t, configOf(server, "pro")), posture.Computer, 0)
			if err == nil {
				t.Errorf("List = %+v, with %d records, want an error", got, len(all))
			}
			if asked := len(server.Sizes()); asked > 20 {
				t.Errorf("%d pages were asked for", asked)
			}
		})
	}
}

// TestListChanges: a list that changes while it is fetched ends, passes what it gets, and does not say that it is whole.
func TestListChanges(t *testing.T) {
	t.Parallel()
	type server = *jamftest.Server
	for name, row := range map[string]struct {
		change func(server)
		total  int
		least  int // records that are passed
	}{
		"nothing":              {func(server) {}, 1200, 1200},
		"one is deleted":       {func(s server) { s.Remove(manySerial(0)) }, -1, 1198},
		"one is added":         {func(s server) { s.Add(mac("C02ZZ99999")) }, -1, 1201},
		"an old ID comes back": {func(s server) { s.Add(jamftest.Device{Computer: true, ID: "0", Serial: "C02ZZ99999"}) }, -1, 1201},
		"all are deleted":      {func(s server) { s.Replace() }, -1, 500},
		"many are deleted": {func(s server) {
			s.Replace(many(700)...)
		}, -1, 700},
		"they get new IDs, which are the same again": {func(s server) { s.Replace(many(1200)...) }, 1200, 1200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := started(t, jamftest.Options{})
			s.Add(many(1200)...)
			var pages atomic.Int32
			s.Fail(vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte {
				if pages.Add(1) == 1 {
					row.change(s) // when the first page has been answered
				}
				return body
			}}, jamftest.Computers+"4")
			all, got, err := listed(t, opened(t, configOf(s, "pro")), posture.Computer, 0)
			if err != nil || got.Total != row.total && row.total >= 0 || row.total < 0 && got.Total >= 0 || len(all) < row.least {
				t.Errorf("List = %+v, %v, with %d records, want the total %d and %d records at least", got, err, len(all), row.total, row.least)
			}
			repeated := map[string]bool{}
			for _, l := range all {
				if repeated[l.Identifier] && name != "an old ID comes back" {
					t.Errorf("%q was passed twice", l.Identifier)
				}
				repeated[l.Identifier] = true
			}
		})
	}
}

// TestListVersions: the endpoint steps down as for lookups, and what was found is kept for both.
func TestListVersions(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{ComputerVersions: []int{2, 1}, Devices: many(501)})
	provider := opened(t, configOf(server, "pro"))
	for range 2 {
		all, _, err := listed(t, provider, posture.Computer, 0)
		if err != nil {
			t.Fatal(err)
		}
		wantMany(t, all, 501)
	}
	finds(t, provider, manySerial(0), posture.Computer)
	for version, want := range map[string]int{"4": 1, "3": 1, "2": 5, "1": 0} {
		if got := server.Count(jamftest.Computers + version); got != want {
			t.Errorf("version %s was asked %d times, want %d", version, got, want)
		}
	}
	if got := server.MostAtOnce(); got != 1 {
		t.Errorf("%d requests were under way at once, want 1", got)
	}
	none := started(t, jamftest.Options{ComputerVersions: []int{}, Devices: many(1)})
	if all, _, err := listed(t, opened(t, configOf(none, "pro")), posture.Computer, 0); err == nil {
		t.Errorf("a server without the endpoint has listed %d devices", len(all))
	}
}

// TestListBroken: a record of another shape costs itself; JSON that cannot be read, or no list at all, costs the whole list.
func TestListBroken(t *testing.T) {
	t.Parallel()
	first := `"id":"1"`
	for name, row := range map[string]struct {
		from, to string
		fails    bool
	}{
		"null":              {`{"totalCount":3,"results":[`, `{"totalCount":4,"results":[null,`, false},
		"a text":            {`{"totalCount":3,"results":[`, `{"totalCount":4,"results":["x",`, false},
		"a section is text": {first, `"id":"1","general":"x","g":1`, true}, // the member stands twice then
		"a member twice":    {first, `"id":"1","id":"1"`, true},
		"no JSON":           {first, `"id":`, true},
		"no list":           {`"results":[`, `"result":[`, true},
		"no total":          {`"totalCount":3,`, ``, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{Devices: many(3)})
			server.Fail(vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte {
				return []byte(strings.Replace(string(body), row.from, row.to, 1))
			}}, jamftest.Computers+"4")
			all, _, err := listed(t, opened(t, configOf(server, "pro")), posture.Computer, 0)
			if (err != nil) != row.fails {
				t.Fatalf("List = %v, want an error: %v", err, row.fails)
			}
			if row.fails {
				return
			}
			damaged := slices.IndexFunc(all, func(l posture.Listing) bool { return l.Damaged })
			if len(all) != 4 || damaged != 0 || all[0].Identifier != "" {
				t.Errorf("List = %+v, want the first of four damaged", all)
			}
		})
	}
}
