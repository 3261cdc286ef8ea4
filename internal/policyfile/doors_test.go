package policyfile_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/devicecert"
	"step-posture-connector/internal/policyfile"
	"step-posture-connector/internal/posture"
)

// What an entry says is what the daemon gets, and what it leaves out has the value that docs/policy.md says.
func TestDoors(t *testing.T) {
	t.Parallel()
	path, s := surrounded(t, content(t, "testdata/good/doors.yaml"))
	f, err := policyfile.Load(path, s)
	if err != nil {
		t.Fatal(err)
	}
	d := f.Doors
	if want := filepath.Join(filepath.Dir(path), "intermediate.pem"); d.Issuers != want || d.CRL != "/etc/doors/crl.pem" {
		t.Errorf("the files are %s and %s", d.Issuers, d.CRL)
	}
	if !slices.Equal(d.Provisioners, []string{"acme-da", "acme-lab"}) || d.AnyProvisioner || len(d.Doors) != 4 {
		t.Fatalf("%+v", d)
	}
	codes := []posture.Code{posture.DeviceNotCompliant, "diskNotEncrypted", posture.DeviceNotFound}
	if r := d.Doors[0]; r.Door != posture.RADIUSDoor || !slices.Equal(r.Callers, []string{"radius.example.com", "Admin@example.com", "cn:radius of the lab"}) ||
		r.Policy != "wifi" || r.Cache != 30*time.Second || r.VLAN == nil || r.SessionTimeout != 24*time.Hour || r.Quarantine != "99" || !slices.Equal(r.QuarantineCodes, codes) {
		t.Errorf("the first of radius: %+v", r)
	}
	if r := d.Doors[1]; r.SessionTimeout != time.Minute || r.Cache != 0 || r.Quarantine != "" || r.VLAN == nil {
		t.Errorf("the second of radius: %+v", r)
	}
	names := func(d policyfile.Door) (all []string) {
		for _, h := range d.Headers {
			all = append(all, h.Name)
		}
		return all
	}
	if w := d.Doors[2]; w.Door != posture.ForwardAuthDoor || w.Header != "Client-Cert" || w.Identity != devicecert.CommonName || w.Cache != time.Hour ||
		!slices.Equal(names(w), []string{"X-Device-User", "Remote-Groups", "x-os"}) {
		t.Errorf("the first of forward_auth: %+v", w)
	}
	if w := d.Doors[3]; w.Header != "X-Client-Cert" || w.Identity != devicecert.PermanentIdentifier || w.Cache != 0 || w.VLAN != nil ||
		!slices.Equal(names(w), []string{"X-Device-Name", "X-Device-User", "X-Device-Groups"}) {
		t.Errorf("the second of forward_auth: %+v", w)
	}
	withDefaults := strings.Replace(content(t, "testdata/good/doors.yaml"), ", session_timeout: 60s, cache: 0s", "", 1)
	if path, s = surrounded(t, withDefaults); true {
		if f, err = policyfile.Load(path, s); err != nil || f.Doors.Doors[1].SessionTimeout != time.Hour {
			t.Errorf("without session_timeout: %+v, %v", f, err)
		}
	}
}

// The file that the tests below change; the places are those of its lines.
const withDoors = `policies:
  default: {}
doors:
  issuers: ca.pem
  provisioners: [acme]
  radius:
    - {callers: [radius.example.com], policy: default}
  forward_auth:
    - {callers: [proxy.example.com], policy: default}
`

const ofRADIUS, ofProxy = "callers: [radius.example.com], policy: default", "callers: [proxy.example.com], policy: default"

// change replaces a part of withDoors, which must be there once.
func change(t *testing.T, before, after string) string {
	t.Helper()
	if strings.Count(withDoors, before) != 1 {
		t.Fatalf("%q is not there once", before)
	}
	return strings.Replace(withDoors, before, after, 1)
}

// Each mistake in doors is a fault with its place, and says what is accepted.
func TestFaultsOfDoors(t *testing.T) {
	t.Parallel()
	const toRADIUS = "default: {}\ndoors:\n  issuers: ca.pem\n  provisioners: [acme]\n  radius:\n    - {" + ofRADIUS
	quarantine := func(codes string) string { return ofRADIUS + `, quarantine: {vlan: "99", codes: ` + codes + "}" }
	headers := func(all string) string { return ofProxy + ", headers: {" + all + "}" }
	for _, c := range []struct{ before, after, want string }{
		{"  issuers: ca.pem\n", "", "4:3: doors.issuers: it is missing; accepted: the path of a PEM file with the CA certificates that have issued the devices' certificates"},
		{"ca.pem", `""`, "4:12: doors.issuers: it is empty; accepted: the path of a PEM file with the CA certificates that have issued the devices' certificates"},
		{"ca.pem", "[ca.pem]", "4:12: doors.issuers: it is a list; accepted: the path of a PEM file with the CA certificates that have issued the devices' certificates"},
		{"  provisioners: [acme]\n", "", "4:3: doors.provisioners: it is missing; accepted: a list of names of provisioners, such as [acme-da], or any"},
		{"[acme]", "acme", "5:17: doors.provisioners: unknown provisioners; accepted: a list of names of provisioners, such as [acme-da], or any"},
		{"[acme]", "[]", "5:17: doors.provisioners: the list is empty; accepted: a list of names of provisioners, such as [acme-da], or any"},
		{"[acme]", "[acme, acme]", "5:24: doors.provisioners[1]: acme is in the list already; accepted: each provisioner once"},
		{"[acme]", "Any", "5:17: doors.provisioners: unknown provisioners; did you mean any?; accepted: a list of names of provisioners, such as [acme-da], or any"},
		{"provisioners: [acme]", "provisioners: [acme]\n  crl: \"\"", "6:8: doors.crl: it is empty; accepted: the path of a file with revocation lists (CRLs) in PEM or DER"},
		{"callers: [radius.example.com], ", "", "7:8: doors.radius[0].callers: it is missing; accepted: a list of names in the certificates of callers"},
		{"[radius.example.com]", "[]", "7:17: doors.radius[0].callers: the list is empty; accepted: a list of names in the certificates of callers"},
		{"[radius.example.com]", "radius.example.com", "7:17: doors.radius[0].callers: it is text; accepted: a list of names in the certificates of callers"},
		{"[radius.example.com]", `[""]`, "7:18: doors.radius[0].callers[0]: it is empty; accepted: a DNS name or an e-mail address in the caller's certificate, without wildcards, or cn: and its common name"},
		{"[radius.example.com]", `["*.example.com"]`, "7:18: doors.radius[0].callers[0]: it is not accepted; accepted: a DNS name or an e-mail address in the caller's certificate, without wildcards, or cn: and its common name"},
		{"[radius.example.com]", "[https://radius.example.com]", "7:18: doors.radius[0].callers[0]: it is not accepted; accepted: a DNS name or an e-mail address in the caller's certificate, without wildcards, or cn: and its common name"},
		{"[radius.example.com]", `["cn:"]`, "7:18: doors.radius[0].callers[0]: it is not accepted; accepted: a DNS name or an e-mail address in the caller's certificate, without wildcards, or cn: and its common name"},
		{"[radius.example.com]", "[radius.example.com, RADIUS.example.com]", "7:38: doors.radius[0].callers[1]: doors.radius[0] has the caller RADIUS.example.com too; accepted: a caller in one entry"},
		{"[proxy.example.com]", "[radius.example.com]", "9:18: doors.forward_auth[0].callers[0]: doors.radius[0] has the caller radius.example.com too; accepted: a caller in one entry"},
		{"[proxy.example.com]", `["cn:a", "cn:a"]`, "9:26: doors.forward_auth[0].callers[1]: doors.forward_auth[0] has the caller cn:a too; accepted: a caller in one entry"},
		{ofRADIUS, "callers: [radius.example.com]", "7:8: doors.radius[0].policy: it is missing; accepted: default"},
		{ofRADIUS, "callers: [radius.example.com], policy: defaul", "7:47: doors.radius[0].policy: unknown policy; did you mean default?; accepted: default"},
		{ofProxy, "callers: [proxy.example.com], policy: staff", "9:46: doors.forward_auth[0].policy: unknown policy; accepted: default"},
		{ofRADIUS, ofRADIUS + ", vlan: 42", `7:62: doors.radius[0].vlan: it is a number; accepted: an expression that is a text, such as data.vlan; a fixed VLAN is written '"42"'; put it in quotation marks`},
		{ofRADIUS, ofRADIUS + `, vlan: "42"`, `7:63: doors.radius[0].vlan: the result is a number; accepted: an expression that is a text, such as data.vlan; a fixed VLAN is written '"42"'`},
		{ofRADIUS, ofRADIUS + `, vlan: '""'`, "7:63: doors.radius[0].vlan: the result is always the same, and no VLAN; accepted: a number from 1 to 4094, or a name: a letter, and then up to 31 letters, digits, _, . and -"},
		{ofRADIUS, ofRADIUS + `, vlan: '"4095"'`, "7:63: doors.radius[0].vlan: the result is always the same, and no VLAN; accepted: a number from 1 to 4094, or a name: a letter, and then up to 31 letters, digits, _, . and -"},
		{ofRADIUS, ofRADIUS + ", vlan: data.vlan", `7:67: doors.radius[0].vlan: unknown name in data "vlan"; accepted: a member of the section data of the policy default, which has none`},
		{ofRADIUS, ofRADIUS + ", vlan: device.groups", `7:62: doors.radius[0].vlan: the result is a list of texts; accepted: an expression that is a text, such as data.vlan; a fixed VLAN is written '"42"'`},
		{ofRADIUS, ofRADIUS + ", vlan: device.nam", `7:69: doors.radius[0].vlan: unknown name in device "nam"; did you mean name?; accepted: [device, sorted]`},
		{ofRADIUS, ofRADIUS + ", session_timeout: 59s", "7:73: doors.radius[0].session_timeout: 59s is outside; accepted: a duration from 60s to 24h"},
		{ofRADIUS, ofRADIUS + ", session_timeout: 25h", "7:73: doors.radius[0].session_timeout: 25h is outside; accepted: a duration from 60s to 24h"},
		{ofRADIUS, ofRADIUS + ", session_timeout: 3600", "7:73: doors.radius[0].session_timeout: it is a number; accepted: a duration with a unit, such as 90s, 15m, 2h or 7d; put it in quotation marks"},
		{ofRADIUS, ofRADIUS + ", cache: 2h", "7:63: doors.radius[0].cache: 2h is outside; accepted: a duration from 0s to 1h"},
		{ofProxy, ofProxy + ", cache: 2h", "9:62: doors.forward_auth[0].cache: 2h is outside; accepted: a duration from 0s to 1h"},
		{ofProxy, ofProxy + ", cache: -1s", "9:62: doors.forward_auth[0].cache: it is not accepted; accepted: a duration with a unit, such as 90s, 15m, 2h or 7d"},
		{ofProxy, ofProxy + ", vlan: device.name", "9:55: doors.forward_auth[0].vlan: unknown key; accepted: callers, policy, cache, header, identity, headers"},
		{ofRADIUS, ofRADIUS + ", header: X-Client-Cert", "7:56: doors.radius[0].header: unknown key; accepted: callers, policy, cache, vlan, session_timeout, quarantine"},
		{ofProxy, ofProxy + `, header: "X Client"`, "9:63: doors.forward_auth[0].header: it is not accepted; accepted: the name of a header"},
		{ofProxy, ofProxy + ", identity: email", "9:65: doors.forward_auth[0].identity: unknown identity; accepted: permanent_identifier, common_name"},
		{ofRADIUS, ofRADIUS + `, quarantine: {vlan: "99"}`, "7:69: doors.radius[0].quarantine.codes: it is missing; accepted: a list of codes with which the policy refuses"},
		{ofRADIUS, ofRADIUS + ", quarantine: {codes: [deviceNotCompliant]}", "7:69: doors.radius[0].quarantine.vlan: it is missing; accepted: a number from 1 to 4094, or a name: a letter, and then up to 31 letters, digits, _, . and -"},
		{ofRADIUS, ofRADIUS + ", quarantine: {vlan: 99, codes: [deviceNotCompliant]}", "7:75: doors.radius[0].quarantine.vlan: it is a number; accepted: a number from 1 to 4094, or a name: a letter, and then up to 31 letters, digits, _, . and -; put it in quotation marks"},
		{ofRADIUS, ofRADIUS + `, quarantine: {vlan: '"99"', codes: [deviceNotCompliant]}`, "7:75: doors.radius[0].quarantine.vlan: it is the VLAN itself, and no expression; accepted: a number from 1 to 4094, or a name: a letter, and then up to 31 letters, digits, _, . and -"},
		{ofRADIUS, quarantine("[]"), "7:88: doors.radius[0].quarantine.codes: the list is empty; accepted: a list of codes with which the policy refuses"},
		{ofRADIUS, quarantine("[unavailable]"), `7:89: doors.radius[0].quarantine.codes[0]: "unavailable" is no code with which the policy default refuses a device; accepted: deviceNotFound, deviceAmbiguous, deviceNotManaged, deviceNotInGroup, deviceNotCompliant`},
		{ofRADIUS, quarantine("[certificateUntrusted]"), `7:89: doors.radius[0].quarantine.codes[0]: "certificateUntrusted" is no code with which the policy default refuses a device; accepted: deviceNotFound, deviceAmbiguous, deviceNotManaged, deviceNotInGroup, deviceNotCompliant`},
		{ofRADIUS, quarantine("[certificateMissing]"), `7:89: doors.radius[0].quarantine.codes[0]: "certificateMissing" is no code with which the policy default refuses a device; accepted: deviceNotFound, deviceAmbiguous, deviceNotManaged, deviceNotInGroup, deviceNotCompliant`},
		{ofRADIUS, quarantine("[vlanUnknown]"), `7:89: doors.radius[0].quarantine.codes[0]: "vlanUnknown" is no code with which the policy default refuses a device; accepted: deviceNotFound, deviceAmbiguous, deviceNotManaged, deviceNotInGroup, deviceNotCompliant`},
		{ofRADIUS, quarantine("[deviceNotComplaint]"), `7:89: doors.radius[0].quarantine.codes[0]: "deviceNotComplaint" is no code with which the policy default refuses a device; accepted: deviceNotFound, deviceAmbiguous, deviceNotManaged, deviceNotInGroup, deviceNotCompliant`},
		// A rule without a code has one that is in the list already.
		{toRADIUS, strings.Replace(toRADIUS, "{}", "{rules: [{name: managed, require: device.managed}]}", 1) + `, quarantine: {vlan: "99", codes: [internal]}`, `7:89: doors.radius[0].quarantine.codes[0]: "internal" is no code with which the policy default refuses a device; accepted: deviceNotFound, deviceAmbiguous, deviceNotManaged, deviceNotInGroup, deviceNotCompliant`},
		{ofRADIUS, quarantine("[deviceNotFound, deviceNotFound]"), "7:105: doors.radius[0].quarantine.codes[1]: deviceNotFound is in the list already; accepted: each code once"},
		{ofProxy, headers("Foo: device.name"), "9:65: doors.forward_auth[0].headers.Foo: it is not accepted; accepted: the name of a header that begins with X- or Remote-"},
		{ofProxy, headers("X-Accel-Redirect: device.name"), "9:65: doors.forward_auth[0].headers.X-Accel-Redirect: nginx acts on X-Accel headers; accepted: another name"},
		{ofProxy, headers("x-device-id: device.name"), "9:65: doors.forward_auth[0].headers.x-device-id: X-Device-Id is always sent, and is the identifier in the certificate; accepted: another name"},
		{ofProxy, headers("X-Name: device.name, x-name: device.name"), "9:86: doors.forward_auth[0].headers.x-name: x-name is there already, in another case; accepted: each header once"},
		{ofProxy, headers("X-Name: device"), "9:73: doors.forward_auth[0].headers.X-Name: device is no value by itself; accepted: with one of these behind device.: [device, sorted]"},
		{ofProxy, headers("X-Name: device.attributes"), `9:73: doors.forward_auth[0].headers.X-Name: device.attributes can only be read with a name in quotation marks; accepted: device.attributes["name"], has(device.attributes["name"])`},
		{ofProxy, headers(`"X-Na me": device.name`), "9:65: doors.forward_auth[0].headers.X-Na me: it is not accepted; accepted: the name of a header that begins with X- or Remote-"},
		{"  radius:\n    - {" + ofRADIUS + "}\n  forward_auth:\n    - {" + ofProxy + "}\n", "", "4:3: doors: nobody may ask: there is no door; accepted: radius, forward_auth, or a webhook with accepts: radius"},
	} {
		path, s := surrounded(t, change(t, c.before, c.after))
		_, err := policyfile.Load(path, s)
		if err == nil {
			t.Errorf("%s: it is accepted", c.after)
			continue
		}
		got := strings.ReplaceAll(err.Error(), path+":", "")
		if want := withNames(c.want); got != want {
			t.Errorf("%s:\n got  %s\n want %s", c.after, got, want)
		}
		inside(t, change(t, c.before, c.after), err)
	}
}

// What may not be meant is a warning, and the file is loaded.
func TestWarningsOfDoors(t *testing.T) {
	t.Parallel()
	const anyProvisioner = ": doors.provisioners: certificates of every provisioner pass: with some, a client chooses the names in its certificate; list the provisioner that attests devices"
	const jamf = "inventories:\n  eu: {provider: jamf, base_url: https://eu.example.com, client_id: id, client_secret: {file: secret}SNAPSHOT}\n"
	noCopy := func(at, inventory string) string {
		return at + ": the inventory " + inventory + " of this policy has no snapshot, so that nobody gets in while it cannot be asked; add snapshot to the inventory"
	}
	withJamf := func(snapshot string) string {
		return strings.Replace(jamf, "SNAPSHOT", snapshot, 1) + strings.Replace(withDoors, "default: {}", "default: {inventories: [eu, file]}", 1)
	}
	for name, c := range map[string]struct {
		content string
		want    []string
	}{
		"none":                            {withDoors, nil},
		"any provisioner":                 {change(t, "[acme]", "any"), []string{"5:17" + anyProvisioner}},
		"any provisioner, in a list":      {change(t, "[acme]", "[any]"), []string{"5:17" + anyProvisioner}},
		"a provisioner with the name any": {change(t, "[acme]", "[any, acme]"), nil},
		"no copy":                         {withJamf(""), []string{noCopy("9:47: doors.radius[0].policy", "eu"), noCopy("11:46: doors.forward_auth[0].policy", "eu")}},
		"a copy":                          {withJamf(", snapshot: {every: 1h, max_age: 24h}"), nil},
		"an expression as quarantine":     {change(t, ofRADIUS, ofRADIUS+", quarantine: {vlan: data.vlan, codes: [deviceNotFound]}"), []string{"7:75: doors.radius[0].quarantine.vlan: data.vlan is the name of a VLAN here, and no expression"}},
		"a policy that only doors have":   {strings.NewReplacer("default: {}", "default: {}\n  wifi: {inventories: [file]}", "[radius.example.com], policy: default", "[radius.example.com], policy: wifi").Replace(withDoors), nil},
		"a policy that nobody has":        {strings.Replace(withDoors, "default: {}", "default: {}\n  staff: {inventories: [file]}", 1), []string{"3:3: policies.staff: neither a webhook nor a door has this policy"}},
	} {
		path, s := surrounded(t, c.content)
		s.WebhookIDs = nil
		f, err := policyfile.Load(path, s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, w := range f.Warnings {
			f.Warnings[i] = strings.ReplaceAll(w, path+":", "")
		}
		if !slices.Equal(f.Warnings, c.want) {
			t.Errorf("%s:\n got  %q\n want %q", name, f.Warnings, c.want)
		}
	}
}

// An inventory that only the policy of a door asks is asked: also where that policy is the one that PROVIDER implies.
func TestInventoriesOfDoorsAreAsked(t *testing.T) {
	t.Parallel()
	const owned = "inventories:\n  owned: {provider: file, path: devices.json, type: json}\n"
	for name, text := range map[string]string{
		"by a policy of the file":   strings.Replace(owned+withDoors, "default: {}", "default: {inventories: [owned, file]}", 1),
		"by the policy of PROVIDER": strings.Replace(owned+withDoors, "default: {}", "wifi: {inventories: [owned]}", 1) + "    - {callers: [wifi.example.com], policy: wifi}\n",
	} {
		path, s := surrounded(t, text)
		s.WebhookIDs = nil
		if f, err := policyfile.Load(path, s); err != nil || len(f.Warnings) > 0 {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}

// A webhook of Smallstep's RADIUS server is of no provisioner, and asks about the certificate that a device shows.
func TestFaultsOfWebhooksOfRADIUS(t *testing.T) {
	t.Parallel()
	const hook = "webhooks:\n  - {name: radius, id: 22222222-2222-4222-8222-222222222222, secret: {env: NEW}, policy: default, accepts: radius}\n"
	for with, want := range map[string]string{
		"":                            "",
		", kind: authorizing":         "11:122: webhooks[0].kind: Smallstep's RADIUS server asks, and no provisioner of step-ca; accepted: no kind for radius",
		", provisioner: {type: ACME}": "11:129: webhooks[0].provisioner: Smallstep's RADIUS server asks, and no provisioner of step-ca; accepted: no provisioner for radius",
		", params: [email]":           "11:124: webhooks[0].params: Smallstep's RADIUS server asks, and no provisioner of step-ca; accepted: no params for radius",
		", identify: request.names":   "11:126: webhooks[0].identify: the identifier of such a request is known without an expression; accepted: no identify for radius",
	} {
		path, s := surrounded(t, withDoors+strings.Replace(hook, "radius}", "radius"+with+"}", 1))
		_, err := policyfile.Load(path, s)
		got := ""
		if err != nil {
			got = strings.ReplaceAll(err.Error(), path+":", "")
		}
		if got != want {
			t.Errorf("%s:\n got  %s\n want %s", with, got, want)
		}
	}
	// It alone is enough of a door.
	path, s := surrounded(t, "policies:\n  default: {}\ndoors: {issuers: ca.pem, provisioners: [acme]}\n"+hook)
	if f, err := policyfile.Load(path, s); err != nil || len(f.Warnings) > 0 {
		t.Errorf("without an entry: %v, %v", f, err)
	}
}

// A rule that only a webhook can meet is a fault in a policy that a door has, and one that only a door can meet in one that a
// webhook has.
func TestRulesOfDoorsAndWebhooks(t *testing.T) {
	t.Parallel()
	const hook = "webhooks:\n  - {name: w, id: 22222222-2222-4222-8222-222222222222, secret: {env: NEW}, policy: default, params: [email], accepts: x509, identify: request.url.email}\n"
	const at = "2:40: policies.default.rules[0].require: "
	const neither = ", so that no device would ever be allowed; accepted: when: request.door == "
	for _, c := range []struct{ rule, hooks, want string }{
		{`request.url.email == "a"`, hook, at + `request.url.email is unknown at the door radius` + neither + `"webhook"`},
		{`request.csr.common_name == "a"`, "", at + `request.csr.common_name is unknown at the door radius` + neither + `"webhook"`},
		{`request.principal == "a"`, "", at + `request.principal is unknown at the door radius` + neither + `"webhook"`},
		{`request.radius.ssid == "a"`, "", at + `request.radius.ssid is unknown at the door forward_auth` + neither + `"radius"`},
		{`request.radius.ssid == "a"`, hook, at + `request.radius.ssid is unknown where step-ca asks, so that nothing would ever be issued; accepted: when: request.door == "radius"`},
		{`request.certificate.serial != ""`, "", ""},
	} {
		path, s := surrounded(t, strings.Replace(withDoors, "default: {}", "default: {rules: [{name: r, require: '"+c.rule+"'}]}", 1)+c.hooks)
		s.WebhookIDs = nil
		_, err := policyfile.Load(path, s)
		got := ""
		if err != nil {
			got = strings.ReplaceAll(err.Error(), path+":", "")
		}
		if got != c.want {
			t.Errorf("%s:\n got  %s\n want %s", c.rule, got, c.want)
		}
	}
}
