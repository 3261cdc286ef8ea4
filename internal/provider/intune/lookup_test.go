package intune_test

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/intune"
	"step-posture-connector/internal/provider/intune/intunetest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func groupsFact() posture.FactSet { return posture.MustFacts("device.groups") }

// isFault reports whether an error says that the inventory could not answer.
func isFault(err error) bool {
	return err != nil && !errors.Is(err, posture.ErrNotFound) && !errors.Is(err, posture.ErrAmbiguous) && !errors.Is(err, posture.ErrIdentifier)
}

// TestIgnoredFilter: a page of other devices says nothing about the one that was asked for, found or not.
func TestIgnoredFilter(t *testing.T) {
	t.Parallel()
	var others []intunetest.Device
	for i := range 30 {
		others = append(others, mac("C02AB"+string(rune('A'+i%26))+string(rune('A'+i/26))+"JHD2"))
	}
	for name, o := range map[string]intunetest.Options{
		"one page":   {IgnoreFilter: true, Devices: others},
		"many pages": {IgnoreFilter: true, PageLimit: 10, Devices: others},
	} {
		server := started(t, o)
		if _, err := lookup(t, opened(t, configOf(server)), query(t, serial, 0)); !isFault(err) {
			t.Errorf("%s: Lookup of another device = %v, want a fault", name, err)
		}
	}
	// With more pages, its record on the first one may not be the newest.
	server := started(t, intunetest.Options{IgnoreFilter: true, PageLimit: 10, Devices: append([]intunetest.Device{mac(serial)}, others...)})
	if d, err := lookup(t, opened(t, configOf(server)), query(t, serial, 0)); !isFault(err) {
		t.Errorf("Lookup = %q, %v, want a fault", d.Identifier, err)
	}
}

// TestContains: longer serial numbers in an answer are other devices.
func TestContains(t *testing.T) {
	t.Parallel()
	server := started(t, intunetest.Options{Contains: true, Devices: []intunetest.Device{mac("X" + serial), mac(serial), mac(serial + "9")}})
	if d, err := lookup(t, opened(t, configOf(server)), query(t, serial, 0)); err != nil || d.Identifier != serial {
		t.Errorf("Lookup = %q, %v, want the device", d.Identifier, err)
	}
	server.Replace(mac("X"+serial), mac(serial+"9"))
	if _, err := lookup(t, opened(t, configOf(server)), query(t, serial, 0)); !isFault(err) {
		t.Errorf("Lookup = %v, want a fault", err)
	}
}

// TestQuotes: no serial number leaves the text of the filter.
func TestQuotes(t *testing.T) {
	t.Parallel()
	server := started(t, intunetest.Options{Devices: []intunetest.Device{mac("O'NEIL-1"), mac(serial)}})
	p := opened(t, configOf(server))
	if d, err := lookup(t, p, query(t, "O'NEIL-1", 0)); err != nil || d.Identifier != "O'NEIL-1" {
		t.Errorf("Lookup = %q, %v, want the device", d.Identifier, err)
	}
	for _, text := range []string{"' or 'a' eq 'a", "x' or serialNumber ne 'x", "''", "'", "a&$top=1", "a#b", "100%", "a+b", "*", `\'`} {
		if d, err := lookup(t, p, query(t, text, 0)); !errors.Is(err, posture.ErrNotFound) {
			t.Errorf("Lookup(%q) = %q, %v, want that there is none", text, d.Identifier, err)
		}
	}
}

// TestGroups: names and object IDs, those of all pages.
func TestGroups(t *testing.T) {
	t.Parallel()
	const id = "5f0d6a1c-93f4-4c0e-b0f4-7a2f8f6f1d11"
	device := mac(serial, "one", "two")
	device.Groups = append(device.Groups, intunetest.Group{ID: strings.ToUpper(id), Name: "three"})
	for _, limit := range []int{0, 1, 2} {
		server := started(t, intunetest.Options{PageLimit: limit, Devices: []intunetest.Device{device}})
		d, err := lookup(t, opened(t, configOf(server)), query(t, serial, groupsFact()))
		got, _ := d.Facts.Groups.Get()
		want := []string{"one", "id:" + intunetest.GroupID("one"), "two", "id:" + intunetest.GroupID("two"), "three", "id:" + id}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("with pages of %d, the groups are %q, %v, want %q", limit, got, err, want)
		}
	}
	// More pages than a lookup has time for.
	server := started(t, intunetest.Options{PageLimit: 1, Devices: []intunetest.Device{mac(serial, "1", "2", "3", "4", "5", "6")}})
	if _, err := lookup(t, opened(t, configOf(server)), query(t, serial, groupsFact())); !isFault(err) || server.Count(intunetest.Groups) != 5 {
		t.Errorf("Lookup = %v after %d requests, want a fault after 5", err, server.Count(intunetest.Groups))
	}
}

// TestNamesThatLookLikeIDs: a group with the ID of another one as its name is not taken for that one.
func TestNamesThatLookLikeIDs(t *testing.T) {
	t.Parallel()
	const wanted = "5f0d6a1c-93f4-4c0e-b0f4-7a2f8f6f1d11"
	for _, name := range []string{"id:" + wanted, "ID:" + strings.ToUpper(wanted)} {
		server := started(t, intunetest.Options{Devices: []intunetest.Device{mac(serial, name)}})
		d, err := lookup(t, opened(t, configOf(server)), query(t, serial, groupsFact()))
		if got, _ := d.Facts.Groups.Get(); err != nil || !slices.Equal(got, []string{"id:" + intunetest.GroupID(name)}) {
			t.Errorf("%q: the groups are %q, %v", name, got, err)
		}
	}
}

// TestWithoutEntra: a device that is not registered has no groups; one that Entra should have and does not is a fault.
func TestWithoutEntra(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		edit  func(*intunetest.Device)
		fault bool
	}{
		{"empty", func(d *intunetest.Device) { d.Fields = map[string]any{"azureADDeviceId": ""} }, false},
		{"zeros", func(*intunetest.Device) {}, false},
		{"null", func(d *intunetest.Device) { d.Fields = map[string]any{"azureADDeviceId": nil} }, true},
		{"missing", func(d *intunetest.Device) { d.Without = []string{"azureADDeviceId"} }, true},
		{"no GUID", func(d *intunetest.Device) { d.EntraID = "x')/y" }, true},
		{"not in Entra yet", func(d *intunetest.Device) { d.EntraID, d.NotInEntra = intunetest.GroupID("x"), true }, true},
	} {
		device := mac(serial)
		row.edit(&device)
		server := started(t, intunetest.Options{Devices: []intunetest.Device{device}})
		p := opened(t, configOf(server))
		d, err := lookup(t, p, query(t, serial, groupsFact()))
		groups, known := d.Facts.Groups.Get()
		if row.fault != isFault(err) || !row.fault && (err != nil || !known || len(groups) != 0) {
			t.Errorf("%s: the groups are %q (known: %v), %v, want a fault: %v", row.name, groups, known, err, row.fault)
		}
		// Who reads no groups is answered.
		if d, err := lookup(t, p, query(t, serial, posture.MustFacts("device.os"))); err != nil || d.Identifier != serial {
			t.Errorf("%s: Lookup without groups = %q, %v, want the device", row.name, d.Identifier, err)
		}
		// What is only recorded stays unknown, and is no fault.
		q := query(t, serial, groupsFact())
		q.Recorded = groupsFact()
		d, err = lookup(t, p, q)
		if _, known := d.Facts.Groups.Get(); err != nil || known == row.fault {
			t.Errorf("%s: Lookup that records groups = %v, known: %v", row.name, err, known)
		}
	}
}

// TestUser: one without an ID has no position; one that Entra should have and does not is a fault.
func TestUser(t *testing.T) {
	t.Parallel()
	position := posture.MustFacts("user.position")
	for _, row := range []struct {
		name  string
		value any
		fault bool
	}{
		{"empty", "", false},
		{"zeros", "00000000-0000-0000-0000-000000000000", false},
		{"null", nil, false},
		{"a number", 7, true},
		{"no GUID", "../devices", true},
		{"deleted in Entra", intunetest.GroupID("deleted"), true},
	} {
		device := mac(serial)
		device.Fields = map[string]any{"userId": row.value}
		server := started(t, intunetest.Options{Devices: []intunetest.Device{device}})
		d, err := lookup(t, opened(t, configOf(server)), query(t, serial, position))
		if _, known := d.Facts.User.Position.Get(); isFault(err) != row.fault || known || !row.fault && err != nil {
			t.Errorf("%s: Lookup = %v (known: %v), want a fault: %v", row.name, err, known, row.fault)
		}
	}
}

// TestRequests: what is not read is not asked for, and the second requests run at once.
func TestRequests(t *testing.T) {
	t.Parallel()
	server := started(t, intunetest.Options{Devices: []intunetest.Device{mac(serial, "one")}})
	c := configOf(server)
	c.Group = "one"
	all := posture.AllFacts() | posture.Document
	for _, row := range []struct {
		name         string
		p            *intune.Provider
		facts        posture.FactSet
		groups, user int
	}{
		{"nothing required", withoutPolicy(t, configOf(server)), posture.WithoutPolicy(), 0, 0},
		{"a group required", withoutPolicy(t, c), posture.WithoutPolicy(), 1, 0},
		{"a policy that reads no groups", opened(t, configOf(server)), posture.MustFacts("device.compliant"), 0, 0},
		{"a policy that reads groups", opened(t, configOf(server)), groupsFact(), 1, 0},
		{"a policy that reads departments", opened(t, configOf(server)), posture.MustFacts("user.department"), 0, 1},
		{"a policy that reads everything", opened(t, configOf(server)), all, 1, 1},
	} {
		groups, users := server.Count(intunetest.Groups), server.Count(intunetest.Users)
		if _, err := lookup(t, row.p, query(t, serial, row.facts)); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		groups, users = server.Count(intunetest.Groups)-groups, server.Count(intunetest.Users)-users
		if groups != row.groups || users != row.user {
			t.Errorf("%s: %d requests for groups and %d for users, want %d and %d", row.name, groups, users, row.groups, row.user)
		}
	}
	until := make(chan struct{})
	server.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: until}, intunetest.Groups, intunetest.Users)
	done := make(chan error, 1)
	go func() {
		_, err := lookup(t, opened(t, configOf(server)), query(t, serial, all))
		done <- err
	}()
	if err := server.Await(within(t, ample), func() bool { return server.InFlight(intunetest.Groups)*server.InFlight(intunetest.Users) == 1 }); err != nil {
		t.Error("groups and user are not asked for at once")
	}
	close(until)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestNewPermission: a permission counts soon after it was given, though a token keeps those that it was issued with.
func TestNewPermission(t *testing.T) {
	t.Parallel()
	server := started(t, intunetest.Options{Devices: []intunetest.Device{mac(serial)}})
	application := server.Application()
	less := application
	less.Permissions = nil
	server.SetApplications(less)
	p := opened(t, configOf(server))
	_, err := lookup(t, p, query(t, serial, 0))
	if want := "managed devices answered 403: the application lacks the permission DeviceManagementManagedDevices.Read.All with admin consent, or the tenant has no Intune license"; err == nil || err.Error() != want {
		t.Errorf("Lookup = %v, want %s", err, want)
	}
	server.SetApplications(application)
	p.Age(time.Minute)
	if _, err := lookup(t, p, query(t, serial, 0)); err != nil {
		t.Errorf("Lookup with a permission that was added = %v", err)
	}
}

// TestThrottled: after a 429 without Retry-After nothing is asked for a while.
func TestThrottled(t *testing.T) {
	t.Parallel()
	server := tolerant(t, intunetest.Options{MostRequests: 1, Devices: []intunetest.Device{mac(serial)}})
	p := opened(t, configOf(server))
	brief := func() error {
		t.Helper()
		_, err := p.Lookup(within(t, 1500*time.Millisecond), query(t, serial, 0))
		return err
	}
	if err := brief(); err != nil {
		t.Fatal(err)
	}
	if err := brief(); !isFault(err) {
		t.Errorf("Lookup = %v, want a fault", err)
	}
	before := server.Count()
	if err := brief(); !isFault(err) || server.Count() != before {
		t.Errorf("Lookup = %v with %d requests, want a fault without one", err, server.Count()-before)
	}
}

// TestTLS: a server that the system does not trust is not asked.
func TestTLS(t *testing.T) {
	t.Parallel()
	server := started(t, intunetest.Options{Devices: []intunetest.Device{mac(serial)}})
	c := configOf(server)
	c.RootCAs = x509.NewCertPool()
	if _, err := lookup(t, opened(t, c), query(t, serial, 0)); !isFault(err) || server.Count() != 0 {
		t.Errorf("Lookup = %v with %d requests, want a fault and none", err, server.Count())
	}
}

// TestUserShapes: answers about the user that are none, and outages, are faults where position or department are read.
func TestUserShapes(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]vendortest.Fault{
		"no department": answers(`{"jobTitle":"Engineer"}`),
		"no job title":  answers(`{"department":"R&D"}`),
		"a list":        answers(`{"value":[{"jobTitle":"Engineer","department":"R&D"}]}`),
		"null":          answers("null"),
		"HTML":          answers("<html></html>"),
		"404":           {Kind: vendortest.Answer, Status: 404},
		"403":           {Kind: vendortest.Answer, Status: 403},
		"500":           {Kind: vendortest.Answer, Status: 500},
	} {
		server := started(t, intunetest.Options{Devices: []intunetest.Device{mac(serial)}})
		server.Fail(fault, intunetest.Users)
		p := opened(t, configOf(server))
		q := query(t, serial, posture.MustFacts("user.department"))
		if d, err := lookup(t, p, q); !isFault(err) || d.Identifier != "" {
			t.Errorf("%s: Lookup = %q, %v, want a fault", name, d.Identifier, err)
		}
		q.Recorded = q.Facts
		if d, err := lookup(t, p, q); err != nil || d.Identifier != serial {
			t.Errorf("%s: Lookup that records departments = %q, %v, want the device", name, d.Identifier, err)
		}
	}
}
