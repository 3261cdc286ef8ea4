package providertest

import (
	"bytes"
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// More devices of the suites.
const (
	unmanagedSerial = "F9FXK1ABPL42"
	unmanagedPhone  = "F9FXK1ABPL43"
)

// lists tests a provider that can list its devices: a list gives exactly what lookups find. Others it leaves alone.
func lists(t *testing.T, h Harness) {
	if h.open(t).lister() == nil {
		return
	}
	const always = true
	for _, row := range []struct {
		name    string
		applies bool
		test    func(*testing.T, Harness)
	}{
		{"gives what lookups find", always, listsAreExact},
		{"of an empty inventory", always, emptyIsListed},
		{"duplicates are passed twice", h.has(Duplicates), duplicatesAreListed},
		{"records that no lookup finds", h.has(AnyIdentifier), listsMatchLookups},
		{"damaged records", always, damagedAreListed},
		{"nothing is remembered", always, listsAreFresh},
		{"of another kind", always, noOtherList},
		{"ends with its context", always, listsEnd},
		{"ends with an error of its caller", always, callersEndLists},
		{"beside lookups and other lists", always, concurrentLists},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if !row.applies {
				t.Skip("does not apply to this inventory")
			}
			row.test(t, h)
		})
	}
}

// lister returns the provider, or nil where it has no lists.
func (i Inventory) lister() posture.Lister {
	lister, ok := i.Provider.(posture.Lister)
	if !ok || len(lister.Lists()) == 0 {
		return nil
	}
	return lister
}

// list lists all devices of one kind and insists that it ends, and that what it says of itself is possible.
func (i Inventory) list(ctx context.Context, t *testing.T, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	t.Helper()
	type result struct {
		listed posture.Listed
		err    error
	}
	results := make(chan result, 1)
	limit := ample
	if at, ok := ctx.Deadline(); ok {
		limit = time.Until(at) + grace
	}
	records := 0
	go func() {
		listed, err := i.lister().List(ctx, list, func(l posture.Listing) error {
			records++
			return each(l)
		})
		results <- result{listed, err}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-results:
		i.checkError(t, r.err)
		if r.err == nil && r.listed.Total >= 0 && r.listed.Total != records {
			t.Errorf("List(%q) passed %d records, and says that the list has %d", list.Type, records, r.listed.Total)
		}
		if outside := r.listed.Facts &^ (list.Facts & i.lister().ListGives()); r.err == nil && outside != 0 {
			t.Errorf("List(%q) says that it has given %q, for which it was not asked, or which it never gives", list.Type, outside.Names())
		}
		return r.listed, r.err
	case <-timer.C:
		t.Fatalf("List(%q) did not return within %v", list.Type, limit)
		return posture.Listed{}, errOutlived
	}
}

// lists returns the records of every list, and the facts that all of them have given.
func (i Inventory) lists(t *testing.T, facts posture.FactSet) (all []posture.Listing, given posture.FactSet) {
	t.Helper()
	given = facts
	for _, of := range i.lister().Lists() {
		listed, err := i.list(t.Context(), t, posture.List{Type: of, Facts: facts}, func(l posture.Listing) error {
			if of != "" && l.Type != of {
				t.Errorf("List(%q) passed %q of the type %q", of, l.Identifier, l.Type)
			}
			all = append(all, l)
			return nil
		})
		if err != nil {
			t.Fatalf("List(%q) for %q = %v, want no error", of, facts.Names(), err)
		}
		given &= listed.Facts
	}
	return all, given
}

func identifiers(all []posture.Listing) []string {
	var found []string
	for _, l := range all {
		found = append(found, l.Identifier)
	}
	slices.Sort(found)
	return found
}

// known are devices that can be listed and looked up.
func (h Harness) known() []Device {
	devices := []Device{mac(serial, "one", "two"), phone(secondSerial, "two"), mac(thirdSerial)}
	if h.has(Unmanaged) {
		devices = append(devices, Device{Identifier: unmanagedSerial, Type: posture.Computer, Unmanaged: true, Groups: []string{"one"}}, Device{Identifier: unmanagedPhone, Type: posture.MobileDevice, Unmanaged: true})
	}
	return devices
}

// listsAreExact: whichever facts are asked for, each device has those that a lookup finds, and no others.
func listsAreExact(t *testing.T, h Harness) {
	devices := h.known()
	inventory := h.open(t, devices...)
	var want []string
	for _, d := range devices {
		want = append(want, d.Identifier)
	}
	slices.Sort(want)
	subsets := []posture.FactSet{0, posture.Document, posture.WithoutPolicy(), posture.AllFacts(), posture.AllFacts() | posture.Document}
	for _, d := range posture.Vocabulary() {
		subsets = append(subsets, d.Set())
	}
	for _, asked := range subsets {
		all, given := inventory.lists(t, asked)
		if got := identifiers(all); !slices.Equal(got, want) {
			t.Errorf("the lists for %q have %q, want %q", asked.Names(), got, want)
		}
		for _, l := range all {
			if l.Damaged {
				t.Errorf("%q is damaged in the list for %q", l.Identifier, asked.Names())
			}
			inventory.likeLookup(t, l, asked, given)
		}
	}
}

// likeLookup compares a record of a list with a lookup, for those of the asked facts that were given.
func (i Inventory) likeLookup(t *testing.T, l posture.Listing, asked, given posture.FactSet) {
	t.Helper()
	of := l.Type
	if of == "" {
		of = posture.AnyDevice
	}
	q := query(t, l.Identifier, of)
	q.Facts = asked
	found, err := i.lookup(t, q, ample)
	if err != nil || found.Identifier != l.Identifier || found.Type != l.Type {
		t.Fatalf("the list has %q (%s), Lookup = %q (%s), %v", l.Identifier, l.Type, found.Identifier, found.Type, err)
	}
	always := posture.MustFacts("device.identifier", "device.type", "device.managed")
	for _, d := range posture.Vocabulary() {
		value, known := d.Get(&l.Device)
		want, wantKnown := d.Get(&found)
		switch {
		case !(given | always).Has(d.Set()):
			if known {
				t.Errorf("%s of %q is %v in the list, and was not asked for, or not given", d.Name, l.Identifier, value)
			}
		case known != wantKnown || !reflect.DeepEqual(value, want):
			t.Errorf("%s of %q is %v (known: %v) in the list for %q, and %v (known: %v) in a lookup", d.Name, l.Identifier, value, known, asked.Names(), want, wantKnown)
		}
	}
	switch {
	case !given.Has(posture.Document):
		if l.Data != nil {
			t.Errorf("%q has data in the list, which were not asked for, or not given", l.Identifier)
		}
	case !bytes.Equal(l.Data, found.Data):
		t.Errorf("the data of %q are %s in the list, and %s in a lookup", l.Identifier, l.Data, found.Data)
	}
}

func emptyIsListed(t *testing.T, h Harness) {
	if all, _ := h.open(t).lists(t, posture.AllFacts()); len(all) > 0 {
		t.Errorf("the lists of an empty inventory have %q", identifiers(all))
	}
}

// duplicatesAreListed: the keeper of a copy must see that an identifier stands twice.
func duplicatesAreListed(t *testing.T, h Harness) {
	all, _ := h.open(t, mac(serial), mac(serial), phone(secondSerial), phone(strings.ToLower(secondSerial)), mac(thirdSerial)).lists(t, posture.WithoutPolicy())
	for identifier, want := range map[string]int{serial: 2, secondSerial: 2, thirdSerial: 1} {
		got := 0
		for _, l := range all {
			if strings.EqualFold(l.Identifier, identifier) {
				got++
			}
		}
		if got != want {
			t.Errorf("the lists have %q %d times, want %d", identifier, got, want)
		}
	}
}

// listsMatchLookups: what has an identifier in a list and is not damaged is found, and what is damaged is not.
func listsMatchLookups(t *testing.T, h Harness) {
	inventory := h.open(t,
		mac(""), phone(""), mac(" "), phone(" "), mac("-"), mac(serial), phone(secondSerial), mac(" "+thirdSerial), phone(unmanagedPhone+" "),
		mac(strings.ReplaceAll(unknownSerial, "K", "\u212a")), mac("n/a"), phone("0"))
	all, given := inventory.lists(t, posture.AllFacts())
	for _, want := range []string{serial, secondSerial} {
		if !slices.Contains(identifiers(all), want) {
			t.Errorf("the lists lack %q", want)
		}
	}
	for _, l := range all {
		switch {
		case l.Identifier == "":
		case !l.Damaged:
			inventory.likeLookup(t, l, posture.AllFacts(), given)
		default:
			if device, err := inventory.lookup(t, query(t, l.Identifier, posture.AnyDevice), ample); err == nil {
				t.Errorf("%q is damaged in the list, and Lookup returned the record of %q", l.Identifier, device.Identifier)
			}
		}
	}
}

// damagedAreListed: a record that a lookup cannot read does not look as if it had no facts, or as if it were missing.
func damagedAreListed(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial), phone(secondSerial), mac(thirdSerial), phone(unmanagedPhone))
	if inventory.Damage == nil {
		t.Skip("records of this inventory cannot be damaged")
	}
	inventory.Damage(serial)
	inventory.Damage(secondSerial)
	for _, of := range types() {
		for _, identifier := range []string{serial, secondSerial} {
			if _, err := inventory.lookup(t, query(t, identifier, of), ample); err == nil {
				t.Errorf("Lookup(%q, %q) returned the damaged record", identifier, of)
			}
		}
	}
	all, given := inventory.lists(t, posture.AllFacts())
	damaged := 0
	for _, l := range all {
		if l.Damaged {
			damaged++
		} else {
			inventory.likeLookup(t, l, posture.AllFacts(), given)
		}
	}
	if damaged != 2 || len(all) != 4 {
		t.Errorf("of %d records in the lists %d are damaged, want 2 of 4", len(all), damaged)
	}
}
