package providertest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// The devices of the suites. Their identifiers have the form of Apple's serial numbers.
const (
	serial        = "C02XK1ABJHD2"
	secondSerial  = "DMPXK1ABJF88"
	thirdSerial   = "F9FXK1ABPLJM"
	unknownSerial = "ZZZXK1ABZZZZ"
)

func mac(identifier string, groups ...string) Device {
	return Device{Identifier: identifier, Type: posture.Computer, Groups: groups}
}

func phone(identifier string, groups ...string) Device {
	return Device{Identifier: identifier, Type: posture.MobileDevice, Groups: groups}
}

// Run tests what must be true of every inventory.
func Run(t *testing.T, h Harness) {
	t.Helper()
	const always = true
	for _, row := range []struct {
		name    string
		applies bool
		test    func(*testing.T, Harness)
	}{
		{"known devices are found", always, knownAreFound},
		{"an unknown device is not found", always, unknownIsNotFound},
		{"a neighbor is not found", always, neighborsAreNotFound},
		{"a hostile identifier matches nothing", always, hostileMatchNothing},
		{"ASCII case does not matter", always, caseDoesNotMatter},
		{"no other case folding", h.has(AnyIdentifier), kelvinIsNotK},
		{"a record without identifier matches nothing", h.has(AnyIdentifier), emptyMatchesNothing},
		{"duplicates are ambiguous", h.has(Duplicates), duplicatesAreAmbiguous},
		{"the newest of duplicates counts", h.has(Newest), newestCounts},
		{"types are kept apart", h.has(Types), typesAreKeptApart},
		{"groups are returned byte for byte", h.has(Groups), groupsAreExact},
		{"a device that is not managed is reported so", h.has(Unmanaged), unmanagedIsReported},
		{"each fact is the same alone and among all", always, factsAreIndependent},
		{"concurrent lookups do not mix", always, concurrentLookups},
		{"a context that has ended", always, endedContext},
		{"nothing is remembered", always, nothingIsRemembered},
		{"list", always, lists},
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

func knownAreFound(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial), phone(secondSerial), mac(thirdSerial))
	for identifier, of := range map[string]posture.DeviceType{
		serial: posture.Computer, secondSerial: posture.MobileDevice, thirdSerial: posture.Computer,
	} {
		device := inventory.finds(t, identifier, of)
		if device.Identifier != identifier || managed(device) != h.has(Managed) {
			t.Errorf("Lookup(%q) has identifier %q, managed %v, want the record's own, managed", identifier, device.Identifier, managed(device))
		}
		if h.has(Types) && device.Type != of {
			t.Errorf("Lookup(%q) has type %q, want %q", identifier, device.Type, of)
		}
	}
}

func unknownIsNotFound(t *testing.T, h Harness) {
	for _, devices := range [][]Device{nil, {mac(serial)}, {phone(serial)}, {mac(serial), phone(secondSerial)}} {
		inventory := h.open(t, devices...)
		for _, of := range types() {
			inventory.refuses(t, query(t, unknownSerial, of), posture.ErrNotFound)
		}
	}
}

func types() []posture.DeviceType {
	return []posture.DeviceType{posture.Computer, posture.MobileDevice, posture.AnyDevice}
}

// neighborsAreNotFound: a search for a part of an identifier, or for more than it, is not a match.
func neighborsAreNotFound(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial), phone(secondSerial))
	for _, near := range []string{
		serial[:11], serial[:8], serial[1:], serial[2:10], serial + "3", "X" + serial, "C02XK1ABJHD3", "0" + serial[1:],
		secondSerial[:11], secondSerial[1:], secondSerial + "8",
	} {
		for _, of := range types() {
			inventory.refuses(t, query(t, near, of), posture.ErrNotFound)
		}
	}
}

// hostileMatchNothing: a device may have chosen its identifier, which must never become a part of a search, a path or
// a query.
func hostileMatchNothing(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial), phone(secondSerial), mac(thirdSerial))
	for _, hostile := range []string{
		"*", "?", "%", "_", ".", "..", "/", `\`, `"`, "'", ".*", "^.*$", "C02*", "*HD2", "C02XK1ABJHD?", "C02XK1ABJHD_", "C02XK1%", "%25",
		serial + "*", serial + `"`, `"` + serial + `"`, serial + "'", serial + `\`, serial + `\*`, serial + "/", serial + "/.", "./" + serial,
		"../" + serial, "x/../" + serial, serial + "/subset/General", serial + "#", serial + "#x", serial + "?", serial + "?a=b",
		serial + "&a=b", serial + "%00", serial + "%20", "%43" + serial[1:], serial + ";", serial + ",", serial + ";x==y", serial + " or 1==1",
		serial + `","` + secondSerial, unknownSerial + `",serialNumber=="` + serial, unknownSerial + `" or serialNumber=="*`,
		unknownSerial + "' or '1'='1", unknownSerial + " " + serial, unknownSerial + "," + serial, serial[:6] + " " + serial[6:],
		"(" + serial + ")", "[" + serial + "]", "{" + serial + "}", "<" + serial + ">", serial + "@x", serial + ":", "+" + serial, "-" + serial,
		strings.Repeat("C", 256), strings.Repeat("*", 256),
	} {
		for _, of := range types() {
			inventory.refuses(t, query(t, hostile, of), posture.ErrNotFound, posture.ErrIdentifier)
		}
	}
	inventory.refuses(t, posture.Query{Type: posture.Computer}, posture.ErrNotFound, posture.ErrIdentifier)
}

func caseDoesNotMatter(t *testing.T, h Harness) {
	const mixed = "dmpXk1AbJf88"
	inventory := h.open(t, mac(serial), phone(mixed))
	for _, same := range []string{serial, strings.ToLower(serial), "c02Xk1aBjHd2"} {
		if device := inventory.finds(t, same, posture.Computer); device.Identifier != serial {
			t.Errorf("Lookup(%q) has identifier %q, want the record's own, %q", same, device.Identifier, serial)
		}
	}
	for _, same := range []string{mixed, strings.ToLower(mixed), strings.ToUpper(mixed)} {
		if device := inventory.finds(t, same, posture.MobileDevice); device.Identifier != mixed {
			t.Errorf("Lookup(%q) has identifier %q, want the record's own, %q", same, device.Identifier, mixed)
		}
	}
}

// kelvinIsNotK: by Unicode's rules U+212A (KELVIN SIGN) is a k, and U+017F (LONG S) an s. A vendor's
// search may say so; the provider must not believe it. Its answer is "not found" or a fault.
func kelvinIsNotK(t *testing.T, h Harness) {
	kelvin := strings.ReplaceAll(serial, "K", "\u212a")
	longS := "SX" + serial[2:]
	inventory := h.open(t, mac(kelvin), phone(strings.Replace(longS, "S", "\u017f", 1)))
	for identifier, of := range map[string]posture.DeviceType{serial: posture.Computer, longS: posture.MobileDevice} {
		device, err := inventory.lookup(t, query(t, identifier, of), ample)
		if err == nil || device.Identifier != "" {
			t.Errorf("Lookup(%q) returned the record of %q", identifier, device.Identifier)
		}
	}
	if h.has(Duplicates) {
		both := h.open(t, mac(kelvin), mac(serial))
		if device := both.finds(t, serial, posture.Computer); device.Identifier != serial {
			t.Errorf("Lookup(%q) returned the record of %q", serial, device.Identifier)
		}
	}
}

func emptyMatchesNothing(t *testing.T, h Harness) {
	inventory := h.open(t, mac(""), mac(" "), phone(""), phone(" "), mac(serial))
	inventory.finds(t, serial, posture.Computer)
	for _, of := range types() {
		inventory.refuses(t, query(t, unknownSerial, of), posture.ErrNotFound)
		inventory.refuses(t, posture.Query{Type: of}, posture.ErrNotFound, posture.ErrIdentifier)
	}
}

func duplicatesAreAmbiguous(t *testing.T, h Harness) {
	unmanaged := mac(thirdSerial)
	unmanaged.Unmanaged = true
	inventory := h.open(t,
		mac(serial), mac(serial), phone(secondSerial), phone(strings.ToLower(secondSerial)), phone(secondSerial),
		unmanaged, mac(thirdSerial))
	inventory.refuses(t, query(t, serial, posture.Computer), posture.ErrAmbiguous)
	inventory.refuses(t, query(t, secondSerial, posture.MobileDevice), posture.ErrAmbiguous)
	if h.has(Unmanaged) {
		inventory.refuses(t, query(t, thirdSerial, posture.Computer), posture.ErrAmbiguous)
	}
	inventory.refuses(t, query(t, serial, posture.AnyDevice), posture.ErrAmbiguous)
}

func typesAreKeptApart(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial), phone(secondSerial), mac(thirdSerial), phone(thirdSerial))
	inventory.refuses(t, query(t, serial, posture.MobileDevice), posture.ErrNotFound)
	inventory.refuses(t, query(t, secondSerial, posture.Computer), posture.ErrNotFound)
	for identifier, of := range map[string]posture.DeviceType{serial: posture.Computer, secondSerial: posture.MobileDevice} {
		if device := inventory.finds(t, identifier, posture.AnyDevice); device.Type != of {
			t.Errorf("Lookup(%q, any) has type %q, want %q", identifier, device.Type, of)
		}
	}
	for _, of := range []posture.DeviceType{posture.Computer, posture.MobileDevice} {
		if device := inventory.finds(t, thirdSerial, of); device.Type != of {
			t.Errorf("Lookup(%q, %q) has type %q", thirdSerial, of, device.Type)
		}
	}
	inventory.refuses(t, query(t, thirdSerial, posture.AnyDevice), posture.ErrAmbiguous)
}

func groupsAreExact(t *testing.T, h Harness) {
	odd := []string{
		"Compliant", "compliant", "Compliant Macs", " Compliant", "Compliant ", "A, B", `"quoted"`, `back\slash`, "<b>&amp;",
		"Straße", "Strasse", "e\u0301", "\u00e9", "42", "0042", "true", "\u212aelvin", "日本", "null",
	}
	inventory := h.open(t, mac(serial, odd...), phone(secondSerial, odd...), mac(thirdSerial, "42"), phone(unknownSerial), phone("F9FXK1ABPL42", "Compliant"))
	for _, row := range []struct {
		identifier string
		of         posture.DeviceType
		want       []string
	}{
		{serial, posture.Computer, odd},
		{secondSerial, posture.MobileDevice, odd},
		{thirdSerial, posture.Computer, []string{"42"}},
		{unknownSerial, posture.MobileDevice, nil},
		{"F9FXK1ABPL42", posture.MobileDevice, []string{"Compliant"}},
	} {
		got := slices.Sorted(slices.Values(groups(inventory.finds(t, row.identifier, row.of))))
		if want := slices.Sorted(slices.Values(row.want)); !slices.Equal(got, want) {
			t.Errorf("Lookup(%q, %q) has groups %q, want %q", row.identifier, row.of, got, want)
		}
	}
}

func unmanagedIsReported(t *testing.T, h Harness) {
	inventory := h.open(t,
		Device{Identifier: serial, Type: posture.Computer, Unmanaged: true}, Device{Identifier: secondSerial, Type: posture.MobileDevice, Unmanaged: true})
	for identifier, of := range map[string]posture.DeviceType{serial: posture.Computer, secondSerial: posture.MobileDevice} {
		if device := inventory.finds(t, identifier, of); managed(device) {
			t.Errorf("Lookup(%q) says managed, the record does not", identifier)
		}
	}
}

func concurrentLookups(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial, "one"), phone(secondSerial, "two"))
	var together sync.WaitGroup
	for range 8 {
		together.Go(func() {
			for range 5 {
				if device := inventory.finds(t, serial, posture.Computer); h.has(Groups) && !slices.Equal(groups(device), []string{"one"}) {
					t.Errorf("Lookup(%q) has groups %q", serial, groups(device))
				}
				if device := inventory.finds(t, secondSerial, posture.MobileDevice); h.has(Groups) && !slices.Equal(groups(device), []string{"two"}) {
					t.Errorf("Lookup(%q) has groups %q", secondSerial, groups(device))
				}
				inventory.refuses(t, query(t, unknownSerial, posture.Computer), posture.ErrNotFound)
			}
		})
	}
	together.Wait()
}

// endedContext: a provider that has the answer in memory may give it, but "no time left" is never "not found".
func endedContext(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(t.Context(), time.Now().Add(-time.Hour))
	defer cancelLate()
	for name, ctx := range map[string]context.Context{"canceled": canceled, "deadline passed": late} {
		device, err := inventory.lookupWith(ctx, t, query(t, serial, posture.Computer), grace)
		if err != nil {
			checkFault(t, device, err)
		} else if device.Identifier != serial {
			t.Errorf("%s: Lookup = %+v, want the device or an error", name, device)
		}
		if device, err := inventory.lookupWith(ctx, t, query(t, unknownSerial, posture.Computer), grace); err == nil {
			t.Errorf("%s: Lookup of an unknown device = %+v", name, device)
		}
	}
	inventory.finds(t, serial, posture.Computer)
}

func nothingIsRemembered(t *testing.T, h Harness) {
	inventory := h.open(t, mac(serial, "before"), phone(secondSerial))
	inventory.finds(t, serial, posture.Computer)
	inventory.refuses(t, query(t, thirdSerial, posture.Computer), posture.ErrNotFound)
	inventory.Replace(mac(serial, "after"), mac(thirdSerial))
	if device := inventory.finds(t, serial, posture.Computer); h.has(Groups) && !slices.Equal(groups(device), []string{"after"}) {
		t.Errorf("after a change Lookup(%q) has groups %q, want only %q", serial, groups(device), "after")
	}
	inventory.finds(t, thirdSerial, posture.Computer)
	inventory.refuses(t, query(t, secondSerial, posture.MobileDevice), posture.ErrNotFound)
	inventory.Replace(Device{Identifier: serial, Type: posture.Computer, Unmanaged: true})
	if device := inventory.finds(t, serial, posture.Computer); h.has(Unmanaged) && managed(device) {
		t.Errorf("after it was unenrolled Lookup(%q) still says managed", serial)
	}
	inventory.Replace()
	inventory.refuses(t, query(t, serial, posture.Computer), posture.ErrNotFound)
}
