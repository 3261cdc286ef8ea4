package vendorhttp_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// full is a device of which much is known.
func full(identifier string) posture.Device {
	return posture.Device{Identifier: identifier, Type: posture.Computer, Data: []byte(`{"a":1}`), Facts: posture.Facts{
		UDID: posture.Known("udid"), Name: posture.Known("name"), OS: posture.Known("macOS"), Managed: posture.Known(false),
		Groups: posture.Known([]string{"b", "a"}),
		User: posture.UserFacts{
			Username: posture.Known("ann"), RealName: posture.Known("Ann A."), EmailAddress: posture.Known("ann@example.com"),
			Position: posture.Known("boss"), Department: posture.Known("IT"),
		},
	}}
}

// TestListings: a listing has the facts of the list and no others; a record that no lookup finds has none at all.
func TestListings(t *testing.T) {
	t.Parallel()
	const id = "C02XK1ABJHD2"
	alone := posture.Device{Identifier: id, Type: posture.Computer}
	kept := full(id)
	kept.Facts = posture.Facts{Managed: kept.Facts.Managed, UDID: kept.Facts.UDID, Groups: kept.Facts.Groups}
	managed := full(id)
	managed.Facts = posture.Facts{Managed: managed.Facts.Managed}
	unknown := alone
	typed := posture.Device{Type: posture.Computer}
	for _, row := range []struct {
		name    string
		facts   posture.FactSet
		device  posture.Device
		damaged bool
		want    posture.Listing
	}{
		{"some facts", posture.MustFacts("device.udid", "device.groups", "device.ownership"), full(id), false, posture.Listing{Device: kept}},
		{"no facts", 0, full(id), false, posture.Listing{Device: managed}},
		{"all facts", posture.AllFacts() | posture.Document, full(id), false, posture.Listing{Device: full(id)}},
		{"nothing known", posture.AllFacts(), alone, false, posture.Listing{Device: unknown}},
		{"damaged", posture.AllFacts(), full(id), true, posture.Listing{Device: alone, Damaged: true}},
		{"spaces", posture.AllFacts(), full(" " + id + "  "), false, posture.Listing{Device: alone, Damaged: true}},
		{"spaces, damaged", posture.AllFacts(), full(" " + id), true, posture.Listing{Device: alone, Damaged: true}},
		{"a tab", posture.AllFacts(), full("\t" + id), false, posture.Listing{Device: typed}},
		{"no identifier", posture.AllFacts(), full(""), false, posture.Listing{Device: typed}},
		{"only spaces", posture.AllFacts(), full("  "), false, posture.Listing{Device: typed}},
		{"not ASCII", posture.AllFacts(), full("C02\u212a"), false, posture.Listing{Device: typed}},
		{"no identifier, damaged", posture.AllFacts(), full(""), true, posture.Listing{Device: typed, Damaged: true}},
	} {
		if got := vendorhttp.NewListings(row.facts).Of(row.device, row.damaged); !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: Of = %+v\nwant %+v", row.name, got, row.want)
		}
	}
}

// TestDocumentOf: the data have their full shape, whatever is known.
func TestDocumentOf(t *testing.T) {
	t.Parallel()
	all := full("C02XK1ABJHD2")
	none := posture.Device{Identifier: "C02XK1ABJHD2"}
	ungrouped := none
	ungrouped.Facts.Groups = posture.Known([]string(nil))
	const empty = `{"device":{"udid":"","serial_number":"C02XK1ABJHD2","name":""},` +
		`"user":{"username":"","realname":"","email_address":"","position":"","department":""},"groups":[]}`
	for _, row := range []struct {
		device posture.Device
		want   string
	}{
		{none, empty},
		{ungrouped, empty},
		{all, `{"device":{"udid":"udid","serial_number":"C02XK1ABJHD2","name":"name"},` +
			`"user":{"username":"ann","realname":"Ann A.","email_address":"ann@example.com","position":"boss","department":"IT"},"groups":["b","a"]}`},
	} {
		if got, err := vendorhttp.DocumentOf(&row.device); err != nil || string(got) != row.want {
			t.Errorf("DocumentOf = %s, %v\nwant         %s", got, err, row.want)
		}
	}
	// Each fact that the data are made of is one of DocumentFacts.
	for _, fact := range posture.Vocabulary() {
		without := full("C02XK1ABJHD2")
		kept := vendorhttp.NewListings(posture.AllFacts()&^fact.Set()).Of(without, false).Device
		data, err := vendorhttp.DocumentOf(&kept)
		if changed := string(data) != string(must(vendorhttp.DocumentOf(&all))); err != nil || changed != vendorhttp.DocumentFacts().Has(fact.Set()) {
			t.Errorf("without %s: DocumentOf = %s, %v", fact.Name, data, err)
		}
	}
}

// TestWanted: what a lookup must know, and what it may leave unknown.
func TestWanted(t *testing.T) {
	t.Parallel()
	set := posture.MustFacts
	groups, user, os := set("device.groups"), set("user.username"), set("device.os")
	for _, row := range []struct {
		name      string
		reader    vendorhttp.Reader
		facts     posture.FactSet
		recorded  posture.FactSet
		must, may posture.FactSet
	}{
		{"settings read nothing", vendorhttp.Reader{}, posture.WithoutPolicy(), 0, 0, 0},
		{"a required group", vendorhttp.Reader{Required: groups}, posture.WithoutPolicy(), 0, groups, 0},
		{"data", vendorhttp.Reader{Enriches: true}, posture.WithoutPolicy(), 0, vendorhttp.DocumentFacts(), 0},
		{"no data are asked for", vendorhttp.Reader{Enriches: true}, groups, 0, 0, 0},
		{"a policy", vendorhttp.Reader{Policy: true}, groups | posture.Document, 0, groups, 0},
		{"a policy, and a required group", vendorhttp.Reader{Policy: true, Required: groups}, os, 0, os | groups, 0},
		{"a policy, and data", vendorhttp.Reader{Policy: true, Enriches: true}, os | posture.Document, 0, os | vendorhttp.DocumentFacts(), 0},
		{"recorded, too", vendorhttp.Reader{Policy: true}, groups | user, user, groups, user},
		{"recorded, and required", vendorhttp.Reader{Policy: true, Required: user}, groups | user, user, groups | user, 0},
		{"recorded only", vendorhttp.Reader{}, groups | user | posture.Document, user, 0, groups | user},
		{"recorded only, with a required group", vendorhttp.Reader{Required: groups}, groups | user, user, groups, user},
	} {
		q := query(t, serial)
		q.Facts, q.Recorded = row.facts, row.recorded
		got := row.reader.Wanted(q)
		if got.Must != row.must || got.May != row.may {
			t.Errorf("%s: Wanted = %q and %q, want %q and %q", row.name, got.Must.Names(), got.May.Names(), row.must.Names(), row.may.Names())
		}
		for _, fact := range posture.Vocabulary() {
			is := fact.Set()
			if got.Has(is) != (row.must|row.may).Has(is) || got.Fails(is) != row.must.Has(is) {
				t.Errorf("%s: %s: Has = %v, Fails = %v", row.name, fact.Name, got.Has(is), got.Fails(is))
			}
		}
	}
}

// TestWithin: what is only recorded has half of the time that is left.
func TestWithin(t *testing.T) {
	t.Parallel()
	groups := posture.MustFacts("device.groups")
	bounded, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	whole, _ := bounded.Deadline()
	for _, row := range []struct {
		name   string
		wanted vendorhttp.Wanted
		in     context.Context
		less   bool
	}{
		{"read", vendorhttp.Wanted{Must: groups}, bounded, false},
		{"recorded", vendorhttp.Wanted{May: groups}, bounded, true},
		{"recorded, without a time limit", vendorhttp.Wanted{May: groups}, t.Context(), false},
	} {
		ctx, end := row.wanted.Within(row.in, groups)
		at, some := ctx.Deadline()
		if less := some && at.Before(whole.Add(-time.Minute)); less != row.less {
			t.Errorf("%s: it ends at %v, of %v", row.name, at, whole)
		}
		end()
	}
}
