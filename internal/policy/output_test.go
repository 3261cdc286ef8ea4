package policy_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
)

// wifi is a policy whose data doors read.
const wifi = `    also_in: [owned]
    rules:
      - {name: managed, require: device.managed, code: notOurs}
      - {name: seen, require: device.supervised, code: notOurs, enforce: false}
      - {name: named, require: has(device.name)}
    data:
      vlan: 'device.attributes["VLAN"]'
      count: size(device.groups)
      required: {value: records.owned.device.model, required: true}
      either: '[1, "a"][size(device.groups) - 1]'
      first: device.groups[5]
      joined: device.groups.join("")
      groups: device.groups
`

// readOutput reads a policy file with one expression of a door.
func readOutput(t *testing.T, ofPolicy, expression string, read func(*policy.Policy, document.Value) *policy.Output) (*policy.Policy, *policy.Output, string) {
	t.Helper()
	shape := document.MapOf(document.Required("policies", policy.Shape(nil, true)), document.Required("out", policy.VLANShape("")))
	content := "policies:\n  default:\n" + ofPolicy + "out: " + expression + "\n"
	d, root, err := document.Parse("p.yaml", []byte(content), shape)
	if err != nil {
		t.Fatal(err)
	}
	r := policy.Reader{Inventories: []string{"jamf", "owned"}, DefaultInventory: "jamf"}
	p := r.Read(root.Mapping().Get("policies"))["default"]
	if faults := d.Faults(); len(faults) > 0 {
		t.Fatal(faults)
	}
	o := read(p, root.Mapping().Get("out"))
	if faults := d.Faults(); len(faults) > 0 {
		return p, o, faults.Error()
	}
	return p, o, ""
}

func shown() *posture.Evidence {
	e := &posture.Evidence{Inventory: "jamf", Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Deciding: &posture.Device{}}
	e.Deciding.Facts.Groups = posture.Known([]string{"Staff", "a,b"})
	e.Deciding.Facts.Name = posture.Known("mac-7")
	e.Deciding.Facts.Attributes = posture.Known(map[string]string{"Asset": "7"})
	v, _ := posture.ParseVersion("15.4")
	e.Deciding.Facts.OSVersion = posture.Known(v)
	return e
}

// What a door puts into its answer is a text or an error, which names what is unknown and no value.
func TestOutput(t *testing.T) {
	t.Parallel()
	vlan, header := (*policy.Policy).ReadVLAN, (*policy.Policy).ReadHeader
	for _, c := range []struct {
		read                func(*policy.Policy, document.Value) *policy.Output
		text, want, unknown string
	}{
		{vlan, `'"42"'`, "42", ""},
		{vlan, `data.vlan`, "", `device.attributes["VLAN"] is unknown`},
		{vlan, `'has(data.vlan) ? data.vlan : "guest"'`, "guest", ""},
		{vlan, `data.required`, "", "records.owned.device.model is unknown"},
		{vlan, `'data.vlan + data.required'`, "", `device.attributes["VLAN"], records.owned.device.model are unknown`},
		{vlan, `string(data.count)`, "2", ""},
		{vlan, `data.either`, "a", ""},
		{vlan, `data.first`, "", "the expression has no value for these facts"},
		{vlan, `'"mac-" + device.name'`, "mac-mac-7", ""},
		{vlan, `'[1, "a"][0]'`, "", ""}, // a fault
		{vlan, `'data.groups.exists(g, g.matches("^St.ff$")) ? "1" : "2"'`, "1", ""},
		{vlan, `'"Staff" in data.groups ? "10" : "20"'`, "10", ""},
		{vlan, `'data.groups.exists(g, g == "Staff") ? "1" : "2"'`, "1", ""},
		{header, `data.either`, "a", ""},
		{header, `device.groups`, "Staff,ab", ""},
		{header, `data.groups`, "Staff,ab", ""},
		{header, `data.count`, "2", ""},
		{header, `device.managed`, "", "device.managed is unknown"},
		{header, `has(device.managed)`, "false", ""},
		{header, `device.os_version`, "15.4", ""},
		{header, `now`, "2026-01-02T03:04:05Z", ""},
		{header, `user.email_address`, "", "user.email_address is unknown"},
		{header, `'[]'`, "", ""},
		{header, `'[device.name, 1]'`, "", "the result is a list of other values than texts"},
	} {
		_, o, fault := readOutput(t, wifi, c.text, c.read)
		if fault != "" {
			if c.text != `'[1, "a"][0]'` {
				t.Errorf("%s: %s", c.text, fault)
			}
			continue
		}
		got, err := o.Text(shown())
		if (err != nil) != (c.unknown != "") || err != nil && err.Error() != c.unknown || got != c.want {
			t.Errorf("%s = %q, %v; want %q, %s", c.text, got, err, c.want, c.unknown)
		}
	}
}

// A type that a door cannot send is a fault at load, with its place.
func TestOutputFaults(t *testing.T) {
	t.Parallel()
	vlan, header := (*policy.Policy).ReadVLAN, (*policy.Policy).ReadHeader
	const none = "    rules: [{name: r, require: device.managed}]\n"
	for _, c := range []struct {
		read         func(*policy.Policy, document.Value) *policy.Output
		policy, text string
		want         string
	}{
		{vlan, wifi, `42`, `16:6: out: it is a number; accepted: an expression that is a text, such as data.vlan; a fixed VLAN is written`},
		{vlan, wifi, `"42"`, `16:7: out: the result is a number; accepted: an expression that is a text, such as data.vlan; a fixed VLAN is written '"42"'`},
		{vlan, wifi, `data.count`, `the result is a number; accepted: an expression that is a text`},
		{vlan, wifi, `data.groups`, `the result is a list of texts`},
		{vlan, wifi, `'"4095"'`, `the result is always the same, and no VLAN; accepted: a number from 1 to 4094`},
		{vlan, wifi, `'""'`, `the result is always the same, and no VLAN`},
		{vlan, wifi, `data.vlam`, `16:11: out: unknown name in data "vlam"; did you mean vlan?; accepted: a member of the section data of the policy default: count, either, first`},
		{vlan, wifi, `data`, `data is no value by itself`},
		{vlan, wifi, `guests`, `unknown variable "guests"`},
		{vlan, none, `data.vlan`, `unknown name in data "vlan"; accepted: a member of the section data of the policy default, which has none`},
		{vlan, "    data: {}\n", `data.vlan`, `which has none`},
		{header, wifi, `now - now`, `the result is a duration`},
		{header, wifi, `'{"a": "b"}'`, `the result is a map`},
		{header, wifi, `1.5`, `a number`},
		{header, wifi, `data.count == "a"`, `== does not compare`},
		{header, wifi, `'data.joined.matches("(a|b){0,400}c") ? "1" : "2"'`, `it could cost`}, // more than a fact could
		{header, wifi, `'request.door == "web" ? "a" : "b"'`, `request.door is never "web"; accepted`},
	} {
		_, o, got := readOutput(t, c.policy, c.text, c.read)
		if !strings.Contains(got, c.want) || o != nil || got == "" {
			t.Errorf("%s:\n%s\nwant %s", c.text, got, c.want)
		}
	}
}

// What outputs read is asked of the inventories.
func TestOutputReads(t *testing.T) {
	t.Parallel()
	const of = "    also_in: [owned]\n    data: {x: records.owned.device.model}\n"
	p, o, fault := readOutput(t, of, "request.radius.ssid + user.email_address + data.x", (*policy.Policy).ReadHeader)
	if fault != "" {
		t.Fatal(fault)
	}
	if got, want := p.FactsOf("jamf"), posture.MustFacts("user.email_address"); got != want {
		t.Errorf("FactsOf(jamf) = %v, want %v", got, want)
	}
	if got := p.RecordsRead(); !slices.Equal(got, []string{"owned"}) {
		t.Errorf("RecordsRead() = %v", got)
	}
	if p.ReadsRADIUS() || !p.ReadsRADIUS(o) {
		t.Errorf("ReadsRADIUS() = %v, with the output %v; want false, true", p.ReadsRADIUS(), p.ReadsRADIUS(o))
	}
	p, _, _ = readOutput(t, wifi, "data.vlan", (*policy.Policy).ReadVLAN)
	if got, want := p.Codes(), []posture.Code{"notOurs", posture.DeviceNotCompliant}; !slices.Equal(got, want) {
		t.Errorf("Codes() = %v, want %v", got, want)
	}
	implied := &policy.Policy{Name: "default", Inventories: []string{"jamf"}, Implied: true}
	_, o, fault = readOutput(t, of, "device.name", func(_ *policy.Policy, v document.Value) *policy.Output { return implied.ReadHeader(v) })
	if got, err := o.Text(shown()); got != "mac-7" || err != nil || fault != "" {
		t.Errorf("%q, %v, %s", got, err, fault)
	}
}

// A datum is evaluated once for an answer, and one that is too large for its place is none.
func TestOutputOfMuchData(t *testing.T) {
	t.Parallel()
	_, o, fault := readOutput(t, wifi, `'size(data.joined) > 0 ? "10" : "20"'`, (*policy.Policy).ReadVLAN)
	if fault != "" {
		t.Fatal(fault)
	}
	e := shown()
	e.Deciding.Facts.Groups = posture.Known([]string{strings.Repeat("a", policy.MaxData)})
	if got, err := o.Text(e); got != "10" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	e.Deciding.Facts.Groups = posture.Known([]string{strings.Repeat("a", policy.MaxData+1)})
	if got, err := o.Text(e); err == nil {
		t.Errorf("%q, no error", got)
	}
}

func TestCheckVLAN(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"1", "42", "999", "1000", "3999", "4000", "4089", "4094", "a", "Guest_1.x-y", "a" + strings.Repeat("b", 31)} {
		if !policy.CheckVLAN(text) {
			t.Errorf("%q is refused", text)
		}
	}
	for _, text := range []string{"", "0", "01", "4095", "4100", "5000", "12345", "+1", "-1", "1 ", " 1", "1\n", "1.0", "_a", "-a", "a b", "ä", "a%", "a\n", "a" + strings.Repeat("b", 32)} {
		if policy.CheckVLAN(text) {
			t.Errorf("%q is accepted", text)
		}
	}
}

// FuzzOutput: whatever an expression is, it is a fault or has a text or an error, and the error repeats nothing of the request.
func FuzzOutput(f *testing.F) {
	for _, text := range []string{
		`data.vlan`, `'"42"'`, `data.groups[request.key_bits]`, `data.groups`, `[data.either, request.radius.ssid]`, `int(request.radius.ssid) == 1`,
		`timestamp(request.principal)`, `{"a": request.radius.ssid}[request.radius.nas]`, `request.radius.ssid.substring(90)`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		content := "policies:\n  default:\n" + wifi
		d, root, err := document.Parse("p.yaml", []byte(content), section())
		if err != nil {
			t.Fatal(err)
		}
		r := policy.Reader{Inventories: []string{"jamf", "owned"}, DefaultInventory: "jamf"}
		p := r.Read(root.Mapping().Get("policies"))["default"]
		out, root, err := document.Parse("o.yaml", []byte("out: "+strconv.Quote(text)+"\n"), document.MapOf(document.Required("out", policy.HeaderShape(""))))
		if err != nil || len(d.Faults()) > 0 {
			return
		}
		e := shown()
		const chosen = "chosen by a client"
		e.Request = posture.Request{Principal: chosen, KeyBits: 99, RADIUS: &posture.RADIUSRequest{SSID: chosen, NAS: chosen}}
		for _, read := range []func(document.Value) *policy.Output{p.ReadVLAN, p.ReadHeader} {
			v := root.Mapping().Get("out")
			before := len(out.Faults())
			o := read(v)
			if o == nil && len(out.Faults()) == 0 || o != nil && len(out.Faults()) > before {
				t.Fatalf("%q: an output is %v, with the faults %v", text, o != nil, out.Faults())
			}
			if o == nil {
				continue
			}
			if got, err := o.Text(e); err != nil && (got != "" || strings.Contains(err.Error(), chosen)) {
				t.Errorf("%q = %q, %v", text, got, err)
			}
		}
	})
}
