package doors_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/test/testca"
)

// vlanDoors take the VLAN from the inventory, and put some refused devices into quarantine.
const vlanDoors = inventories + `
policies:
  default:
    inventories: [owned]
    rules:
      - {name: encrypted, require: '!has(device.encrypted) || device.encrypted', code: notEncrypted, message: 'Turn on %{exec:FileVault} – now'}
      - {name: secret, require: '!has(device.model) || device.model != "refused"'}
    data:
      vlan: device.attributes["vlan"]
doors:
  issuers: issuers.pem
  provisioners: [acme-da]
  radius:
    - {callers: [radius.example.com], policy: default, vlan: data.vlan, session_timeout: 90s, quarantine: {vlan: quarantine, codes: [notEncrypted, deviceNotManaged]}}
    - {callers: [strict.example.com], policy: default, vlan: data.vlan}
    - {callers: [plain.example.com], policy: default}
`

// A device without a VLAN that access points take is refused, although the rules are met: FreeRADIUS would let it into the
// default network.
func TestVLAN(t *testing.T) {
	t.Parallel()
	l := newLab(t, "")
	vlans := map[string]any{
		"1": "1", "42": "42", "999": "999", "4094": "4094", "name": "corp", "longest": "a" + strings.Repeat("b", 31), "signs": "A_b.c-1",
		"empty": "", "missing": nil, "exponential number": json.RawMessage("1e3"), "fraction": json.RawMessage("42.0"), "list": []string{"42"}, "4095": "4095", "0": "0", "042": "042", "exponent": "1e3",
		"space": " 42", "space after": "42 ", "line": "42\n", "two lines": "42\ncorp", "long": "a" + strings.Repeat("b", 32), "percent": "corp%{exec:id}", "sign": "+42", "minus": "-1", "hex": "0x2a",
		"wide": "\uff14\uff12", "not ASCII": "kühl", "underscore": "_a", "digit": "1a", "quotation": `a"b`, "NUL": "42\x00", "five digits": "10000",
	}
	good := map[string]string{"1": "1", "42": "42", "999": "999", "4094": "4094", "name": "corp", "longest": "a" + strings.Repeat("b", 31), "signs": "A_b.c-1"}
	var devices []record
	for name, vlan := range vlans {
		data := map[string]any{"vlan": vlan}
		if name == "missing" {
			data = nil
		}
		devices = append(devices, record{"DEV-" + name, data, nil})
	}
	l.stock(t, devices...)
	l.use(t, vlanDoors)
	ask := l.radius(t)
	plain := asker{l, l.client(t, l.caller(t, "plain.example.com"), false)}
	for name := range vlans {
		cert := l.devices.Device(t, testca.Good("DEV-"+name))
		got := ask.device(t, cert)
		want, ok := good[name]
		if !ok {
			t.Run(name, func(t *testing.T) { ask.refused(t, got, "vlanUnknown") })
			if e := l.last(t); e.VLAN != "" {
				t.Errorf("%s: the event has the VLAN %q", name, e.VLAN)
			}
		} else if all := accepted(t, got); len(all) != 6 || all["reply:Tunnel-Private-Group-Id"] != want || all["reply:Tunnel-Type"] != "VLAN" || all["reply:Tunnel-Medium-Type"] != "IEEE-802" || all["reply:Session-Timeout"] != "90" {
			t.Errorf("%s: the answer is %v, want the VLAN %s", name, all, want)
		}
		// Where no VLAN is configured, none is sent.
		if all := accepted(t, plain.device(t, cert)); len(all) != 3 {
			t.Errorf("%s: without a VLAN in the configuration, the answer is %v", name, all)
		}
	}
}

// Quarantine is for the codes that the operator lists, and never for a certificate, a VLAN or a fault.
func TestQuarantine(t *testing.T) {
	t.Parallel()
	l := newLab(t, "")
	fact := func(name string, value any) map[string]any {
		return map[string]any{"device": map[string]any{name: value}}
	}
	vlan := map[string]any{"vlan": "42"}
	l.stock(t, record{"OPEN1", vlan, fact("encrypted", false)}, record{"UNMANAGED1", vlan, fact("managed", false)}, record{"REFUSED1", vlan, fact("model", "refused")}, record{"NOVLAN1", nil, nil}, record{"GOOD1", vlan, fact("encrypted", true)})
	l.use(t, vlanDoors)
	ask := l.radius(t)
	device := func(identifier string) testca.Device { return testca.Good(identifier) }
	for _, identifier := range []string{"OPEN1", "UNMANAGED1"} {
		all := accepted(t, ask.device(t, l.devices.Device(t, device(identifier))))
		l.sync(t)
		if e := l.last(t); all["reply:Tunnel-Private-Group-Id"] != "quarantine" || e.Allowed || e.VLAN != "quarantine" || e.Code == "" {
			t.Errorf("%s: the answer is %v, the event %+v", identifier, all, e)
		}
	}
	for identifier, code := range map[string]string{"REFUSED1": "deviceNotCompliant", "NOVLAN1": "vlanUnknown", "ABSENT1": "deviceNotFound"} {
		t.Run(identifier, func(t *testing.T) { ask.refused(t, ask.device(t, l.devices.Device(t, device(identifier))), code) })
	}
	wrong := device("OPEN1")
	wrong.Provisioner = "jwk"
	ask.refused(t, ask.device(t, l.devices.Device(t, wrong)), "certificateUntrusted")
	wrong = device("OPEN1")
	wrong.CommonNames = append(wrong.CommonNames, "GOOD1")
	ask.refused(t, ask.device(t, l.devices.Device(t, wrong)), "commonNameMismatch")
	ask.refused(t, ask.login(t, l.devices.NewLogin(t, l.devices.Device(t, device("OPEN1"))).Resumed()), "certificateMissing")
	if got := ask.post(t, strings.NewReader("no JSON")); got.status != http.StatusBadRequest {
		t.Errorf("a malformed body is answered %d %s", got.status, got.body)
	}
	// Another caller has no quarantine.
	strict := asker{l, l.client(t, l.caller(t, "strict.example.com"), false)}
	strict.refused(t, strict.device(t, l.devices.Device(t, device("OPEN1"))), "notEncrypted")
	var message map[string]struct{ Value []string }
	got := strict.device(t, l.devices.Device(t, device("OPEN1")))
	if err := json.Unmarshal([]byte(got.body), &message); err != nil || !strings.HasPrefix(message["reply:Reply-Message"].Value[0], "Turn on {exec:FileVault} ? now (ref ") {
		t.Errorf("the message is %s", got.body)
	}
}

// The texts of an inventory and of a policy cannot leave their place: no %{…} for FreeRADIUS, no line of a header, and every
// header on each allow.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	l := newLab(t, "")
	long := strings.Repeat("n", 4<<10)
	texts := map[string][4]string{ // name, user, groups joined by semicolons, and the header that is expected for the name
		"EXEC1": {"%{exec:/bin/id}", "a%{User-Name}", "100%{;x", "%{exec:/bin/id}"},
		"CRLF1": {"Mac\r\nX-Device-Id: other\r\n\r\n<html>", "u\nv", "a\r\nb", "MacX-Device-Id: other<html>"},
		"LONG1": {long, long, strings.Repeat("g", 3<<10), ""},
		"WIDE1": {"Adä’s Mac\u202e\x00\x7f", "ädä", "a,b;c", "Ad??s Mac?"},
		"NONE1": {"", "", "", ""},
		"EDGE1": {strings.Repeat("n", 2<<10), " u ", "", strings.Repeat("n", 2<<10)},
	}
	var devices []record
	for identifier, text := range texts {
		device, user := map[string]any{}, map[string]any{}
		if text[2] != "" {
			device["groups"] = strings.Split(text[2], ";")
		}
		if text[0] != "" {
			device["name"], user["username"] = text[0], text[1]
		}
		devices = append(devices, record{identifier, map[string]any{"vlan": "42"}, map[string]any{"device": device, "user": user}})
	}
	l.stock(t, devices...)
	l.use(t, plain)
	ask, web := l.radius(t), l.web(t)
	for identifier, text := range texts {
		cert := l.devices.Device(t, testca.Good(identifier))
		if all := accepted(t, ask.device(t, cert)); len(all) != 3 || strings.Contains(fmt.Sprint(all), "%") {
			t.Errorf("%s: RADIUS is answered %v", identifier, all)
		}
		for _, http2 := range []bool{false, true} {
			got := asker{l, l.client(t, l.caller(t, webCaller), http2)}.show(t, cert)
			if got.status != http.StatusOK || got.body != `{"allow":true}` || len(got.header["X-Device-Id"]) != 1 || got.header.Get("X-Device-Id") != identifier {
				t.Errorf("%s: the answer is %d %v %s", identifier, got.status, got.header, got.body)
			}
			for _, name := range []string{"X-Device-Name", "X-Device-User", "X-Device-Groups"} {
				if values, ok := got.header[name]; !ok || len(values) != 1 {
					t.Errorf("%s: the header %s is %q, want it once", identifier, name, values)
				}
			}
			if got.header.Get("X-Device-Name") != text[3] {
				t.Errorf("%s: X-Device-Name is %q, want %q", identifier, got.header.Get("X-Device-Name"), text[3])
			}
			if got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("Cache-Control is %q", got.header.Get("Cache-Control"))
			}
		}
	}
	if got := web.show(t, l.devices.Device(t, testca.Good("WIDE1"))).header.Get("X-Device-Groups"); got != "ab,c" {
		t.Errorf("X-Device-Groups is %q: a comma in a name would make two groups of one", got)
	}
}

// The headers of the policy file replace all but X-Device-Id, and come on each allow, in the form of their type.
func TestConfiguredHeaders(t *testing.T) {
	t.Parallel()
	l := newLab(t, inventories+`
policies:
  default: {inventories: [owned]}
doors:
  issuers: issuers.pem
  provisioners: [acme-da]
  forward_auth:
    - callers: [proxy.example.com]
      policy: default
      header: X-Tls-Leaf
      headers: {X-Serial: request.certificate.serial, Remote-Groups: device.groups, X-Absent: user.email_address, X-Provisioner: request.certificate.provisioner, X-Kind: request.certificate.provisioner_type, X-Until: request.certificate.not_after, X-Door: request.door, X-Managed: device.managed}
`)
	cert := l.devices.Device(t, testca.Good(serial))
	got := l.web(t).header(t, "X-Tls-Leaf: "+escaped(cert.Raw), "X-Client-Cert: of the browser")
	want := map[string]string{
		"X-Device-Id": serial, "X-Serial": fmt.Sprintf("%x", cert.SerialNumber.Bytes()), "Remote-Groups": "staff,admins", "X-Absent": "", "X-Provisioner": "acme-da",
		"X-Kind": "ACME", "X-Until": cert.NotAfter.UTC().Format("2006-01-02T15:04:05Z"), "X-Door": "forward_auth", "X-Managed": "true",
	}
	for name, value := range want {
		if values := got.header[name]; len(values) != 1 || values[0] != value {
			t.Errorf("%s is %q, want %q once", name, values, value)
		}
	}
	for _, name := range []string{"X-Device-Name", "X-Device-User", "X-Device-Groups"} {
		if _, ok := got.header[name]; ok {
			t.Errorf("the header %s is sent, although headers replaces it", name)
		}
	}
	denied(t, l.web(t).header(t, "X-Client-Cert: "+escaped(cert.Raw)), http.StatusForbidden, "certificateMissing")
}
