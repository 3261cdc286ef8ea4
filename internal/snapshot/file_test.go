package snapshot

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
)

// persisted starts a keeper with a file.
func persisted(path string) func(h *harness) {
	return func(h *harness) { h.settings.Path = path }
}

// restart ends the process and starts it again.
func (h *harness) restart() {
	h.t.Helper()
	h.end()
	h.pass(time.Second)
	h.Keeper = New(h.options())
	h.run()
}

// TestRestart: with the inventory down at start, the file answers as the copy did, until max_age since its fetch.
func TestRestart(t *testing.T) {
	for _, kinds := range [][]posture.DeviceType{{""}, {posture.Computer, posture.MobileDevice}} {
		t.Run(string(kinds[0]), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "copy.json")
			inBubble(t, func(t *testing.T) {
				inventory := newInventory(kinds...)
				inventory.put(kinds[0], "A1", "A2", "A2", "A3", "A4")
				inventory.damaged["A3"] = true
				h := start(t, inventory, persisted(path))
				h.fetched()
				h.pass(5 * time.Minute)
				// The device changes, which a live answer shows.
				inventory.put(kinds[0], "A1", "A2", "A2", "A3")
				h.observe(ask("A4", kinds[0]))
				want := map[string]string{"a1": found, "A2": live, "A3": live, "A4": live, "X1": absent}
				h.want("before", kinds[0], want)
				h.pass(2 * time.Minute) // the hidden device is written
				inventory.change(func(f *fakeInventory) { f.down = true })
				h.clock = h.clock.reboot()
				h.restart()
				h.want("after a restart", kinds[0], want)
				age := h.Status()[0].Age
				if age < 7*time.Minute || age > 8*time.Minute {
					t.Errorf("the age is %v", age)
				}
				h.pass(maxAge - age - time.Second)
				h.want("until max_age", kinds[0], want)
				h.pass(time.Second)
				h.want("at max_age", kinds[0], map[string]string{"A1": live})
				h.restart()
				h.want("after another restart", kinds[0], map[string]string{"A1": live})
			})
		})
	}
}

// TestNoFetchAtStart: a file that is younger than every is enough.
func TestNoFetchAtStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "copy.json")
	inBubble(t, func(t *testing.T) {
		inventory := newInventory("")
		inventory.put("", "A1")
		h := start(t, inventory, persisted(path))
		h.fetched()
		h.restart()
		h.pass(every / 2)
		if inventory.fetches() != 1 {
			t.Errorf("%d fetches, want 1", inventory.fetches())
		}
		h.pass(every)
		if inventory.fetches() != 2 {
			t.Errorf("%d fetches after every, want 2", inventory.fetches())
		}
	})
}

// writtenDocument returns the file of an inventory with all facts.
func writtenDocument(t testing.TB, kinds ...posture.DeviceType) (k *Keeper, text []byte, now moment) {
	t.Helper()
	inventory := newInventory(kinds...)
	clock := &fakeClock{start: time.Now()}
	k = New(Options{Inventory: "mdm", Kind: "fake", Account: "account", Provider: inventory, Settings: Settings{Every: every, MaxAge: maxAge}, Clock: clock})
	now = read(clock)
	var lists []saved
	for _, kind := range k.kinds {
		b := build(k.fields, kind, posture.AllFacts()|posture.Document, now)
		one, awkward, unmanaged := full(1), full(2), posture.Device{Identifier: " M2 "}
		one.Data = json.RawMessage(`{"a":{"b":[1,2.50,null]},"ü":"\u0000"}`)
		awkward.Facts.Attributes = posture.Known(map[string]string{"": "\x00\"\\<ü\u2028", "b": ""})
		awkward.Facts.Groups = posture.Known([]string{})
		unmanaged.Facts.Managed = posture.Known(false)
		for _, d := range []posture.Device{one, awkward, unmanaged, {Identifier: "U1"}, {Identifier: "D1"}, {Identifier: "D1"}} {
			if d.Type = ""; kind != "" {
				d.Type = kind
			}
			if err := b.add(posture.Listing{Device: d}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.add(posture.Listing{Device: posture.Device{Identifier: "B1"}, Damaged: true}); err != nil {
			t.Fatal(err)
		}
		lists = append(lists, saved{b.end(posture.Listed{Facts: posture.AllFacts() | posture.Document, Total: 7}), nil})
	}
	var out bytes.Buffer
	if err := k.writeDocument(&out, lists); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(out.Bytes()) {
		t.Fatalf("not JSON: %s", out.Bytes())
	}
	loaded, err := k.readDocument(bytes.NewReader(out.Bytes()), read(clock))
	if err != nil || len(loaded) != len(lists) {
		t.Fatalf("readDocument() = %d lists, %v, of %s", len(loaded), err, out.Bytes())
	}
	for i, l := range lists {
		sameCopies(t, k, l.copied, loaded[i])
	}
	return k, out.Bytes(), now
}

func sameCopies(t testing.TB, k *Keeper, want, got *copied) {
	t.Helper()
	if got.table.Len() != want.table.Len() || got.facts != want.facts || got.total != want.total || got.complete != want.complete || got.list != want.list {
		t.Errorf("the copy is %+v, want %+v", got, want)
	}
	for row := range want.table.All() {
		var a, b posture.Device
		k.fields.readRow(row, want.texts, want.facts, &a)
		id, _ := posture.ParseIdentifier(strings.Trim(a.Identifier, " "))
		other, found := got.find(id)
		if !found || marksOf(other) != marksOf(row) || !k.fields.readRow(other, got.texts, got.facts, &b) || marksOf(row) == 0 && !reflect.DeepEqual(a, b) {
			t.Errorf("found %v, marks %d of\n%+v\nwant %d and\n%+v", found, marksOf(other), b, marksOf(row), a)
		}
	}
}

// TestCutOff: a file that is cut off anywhere is not used, nor one with more after it.
func TestCutOff(t *testing.T) {
	t.Parallel()
	for _, kinds := range [][]posture.DeviceType{{""}, {posture.Computer, posture.MobileDevice}} {
		k, text, now := writtenDocument(t, kinds...)
		whole := len(strings.TrimSpace(string(text)))
		const step, near = 7, 100 // one in seven, and each near the end
		for end := 0; end < whole; end++ {
			if end%step != 0 && end < whole-near {
				continue
			}
			if _, err := k.readDocument(bytes.NewReader(text[:end]), now); err == nil {
				t.Errorf("the first %d of %d bytes are used", end, whole)
			}
		}
		for _, more := range []string{"{}", "x", "\x00", "null"} {
			if _, err := k.readDocument(strings.NewReader(string(text)+more), now); err == nil {
				t.Errorf("the file is used with %q after it", more)
			}
		}
	}
}

// TestNotCanonical: what this version does not write is not used.
func TestNotCanonical(t *testing.T) {
	t.Parallel()
	k, text, now := writtenDocument(t, "")
	later := now
	later.wall = later.wall.Add(-time.Hour)
	if _, err := k.readDocument(bytes.NewReader(text), later); err == nil || !strings.Contains(err.Error(), "future") {
		t.Errorf("a file from the future: %v", err)
	}
	later.wall = now.wall.Add(maxAge)
	if _, err := k.readDocument(bytes.NewReader(text), later); err == nil || !strings.Contains(err.Error(), "older than max_age") {
		t.Errorf("a file that is too old: %v", err)
	}
	for _, change := range [][2]string{
		{`"format":1`, `"format":2`},
		{`"format":1`, `"format":1.0`},
		{`"format":1`, `"format":"1"`},
		{`"inventory":"mdm"`, `"inventory":"other"`},
		{`"settings":"`, `"settings":"0`},
		{`"total":7`, `"total":null`},
		{`"total":7`, `"total":7e0`},
		{`"total":7`, `"total":-7`},
		{`"total":7`, `"total":99999999999999999999`},
		{`"complete":true`, `"complete":1`},
		{`"devices":[`, `"devices":[null,`},
		{`"devices":[`, `"others":[],"devices":[`},
		{`"devices":[`, `"devices":[{"identifier":"D1","facts":{}},`},
		{`"devices":[`, `"devices":[{"identifier":"","facts":{}},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1"},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","list":"computer","facts":{}},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","identifier":"Z2","facts":{}},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","facts":{"device":{"managed":"true"}}},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","facts":{"device":{"managed":true,"managed":true}}},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","facts":{"device":{"name":null}}},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","facts":{"device":{"name":""}}},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","facts":{"device":{"nickname":"x"}}},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","facts":{"device":{"last_seen":"2026-01-02T03:04:05.5Z"}}},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","facts":{"device":{"last_seen":"2026-01-02T03:04:05+01:00"}}},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","facts":{"device":{"os_version":"1.x"}}},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","facts":{"device":{"groups":[1]}}},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","facts":{"device":{"attributes":{"a":1}}}},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","facts":{},"data":[]},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","facts":{},"duplicate":false},`},
		{`"devices":[`, `"devices":[{"identifier":"Z1","facts":{},"more":1},`},
		{`"end":true`, `"end":false`},
		{`"end":true`, `"end":true,"end":true`},
		{`"end":true`, `"end":true,"more":1`},
		{`"end":true`, `"devices":[],"end":true`},
	} {
		changed := strings.Replace(string(text), change[0], change[1], 1)
		if changed == string(text) {
			t.Errorf("the file has no %s: %s", change[0], text)
		}
		if _, err := k.readDocument(strings.NewReader(changed), now); err == nil {
			t.Errorf("the file is used with %s", change[1])
		}
	}
	// The changes above are not refused for another reason.
	added := strings.Replace(string(text), `"devices":[`, `"devices":[{"identifier":"Z1","facts":{"device":{"managed":null,"groups":["a"],"last_seen":"2026-01-02T03:04:05Z"}}},`, 1)
	if _, err := k.readDocument(strings.NewReader(added), now); err != nil {
		t.Errorf("a device more: %v", err)
	}
}

// FuzzDocument: a file either is not used, or is one that is written again the same.
func FuzzDocument(f *testing.F) {
	k, text, now := writtenDocument(f, "")
	f.Add(text)
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		loaded, err := k.readDocument(bytes.NewReader(text), now)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := k.writeDocument(&out, []saved{{loaded[0], nil}}); err != nil {
			t.Fatal(err)
		}
		again, err := k.readDocument(&out, now)
		if err != nil {
			t.Fatalf("what was written of it is not used: %v", err)
		}
		sameCopies(t, k, loaded[0], again[0])
	})
}
