package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/fakejamf"
	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
)

// record is a record of a simulated server, in the JSON of its Device.
type record map[string]any

// testVendors runs the scenarios of vendors beside each other.
func testVendors(t *testing.T, l *lab) {
	if err := fakejamf.Supported(); err != nil {
		t.Skip(err)
	}
	if err := l.programs.BuildFakeVendor(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, scenario := range map[string]func(*testing.T, *lab){
		"Intune and Apple Business": testIntuneAndApple,
		"Fleet alone":               testFleet,
		"Iru by its tags":           testIru,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, l)
		})
	}
}

// intuneAndApple asks Intune for the state of a device, and Apple Business whether it is the organization's.
const intuneAndApple = `inventories:
  intune:
    provider: intune
    tenant_id: 8f0c2b1e-5d3a-4c7b-9e21-0a6b4d7c1f10
    client_id: 3b1f7d52-6c0e-4f8a-8a1d-5e9c2b7a4d01
    client_secret: {file: INTUNE_SECRET}
    login_url: INTUNE_URL
    graph_url: INTUNE_URL
  apple:
    provider: apple_business
    client_id: BUSINESSAPI.9703f56c-10ce-4876-8f59-e78e5e23a152
    key_id: d136aa66-0c3b-4bd4-9892-c20e8db024ab
    private_key: {file: APPLE_KEY}
    base_url: APPLE_URL
    token_url: APPLE_URL/auth/oauth2/token
policies:
  owned:
    inventories: [intune]
    also_in: [apple]
    rules:
      - {name: compliant, require: device.compliant, code: deviceNotCompliant}
      - {name: bought, require: 'records.apple.device.attributes["purchase_source"] != "MANUALLY_ADDED"', code: notBought}
`

// testIntuneAndApple: a device must be in both, and comply. Where one of them does not answer there is no decision.
func testIntuneAndApple(t *testing.T, l *lab) {
	const (
		owned, private, released, lax, unenrolled, added, nobody = "C02VNDOWNED1", "C02VNDPRIVA1", "C02VNDRELEA1", "C02VNDLAX001", "C02VNDNEW001", "C02VNDADDED1", "C02VNDNOBOD1"
	)
	v := newVendors(t, l)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keyText := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})) // as Apple labels it
	secret := "intune~" + rand.Text()
	enrolled := func(serial, compliance string) record {
		return record{"serial": serial, "name": "Mac of " + serial, "os": "macOS", "os_version": "15.5", "compliance": compliance, "last_sync": "2026-05-04T03:02:01Z"}
	}
	macs := []record{enrolled(owned, ""), enrolled(private, ""), enrolled(released, ""), enrolled(lax, "noncompliant"), enrolled(added, "")}
	intune := v.start(t, "intune", record{
		"applications": []record{{
			"id": "3b1f7d52-6c0e-4f8a-8a1d-5e9c2b7a4d01", "secret": secret, "expires_in": 3599,
			"permissions": []string{"DeviceManagementManagedDevices.Read.All"},
		}},
		"devices": macs,
	})
	belonging := []record{
		{"serial": owned},
		{"serial": released, "released_at": "2026-03-04T05:06:07Z"},
		{"serial": lax},
		{"serial": unenrolled},
		{"serial": added, "purchase_source": "MANUALLY_ADDED"},
	}
	apple := v.start(t, "apple", record{
		"clients": []record{{"id": "BUSINESSAPI.9703f56c-10ce-4876-8f59-e78e5e23a152", "key_id": "d136aa66-0c3b-4bd4-9892-c20e8db024ab", "private_key": keyText}},
		"devices": belonging,
	})
	policies := strings.NewReplacer(
		"INTUNE_SECRET", v.secret(t, "intune_secret", secret), "INTUNE_URL", intune.URL(),
		"APPLE_KEY", v.secret(t, "apple_key.pem", keyText), "APPLE_URL", apple.URL(),
	).Replace(intuneAndApple)
	v.open(t, gate.Config{Kind: stepca.Authorizing, Modes: []string{"owned"}, Policies: policies})
	directory := v.gate.DirectoryURLOf("owned")

	v.issues(t, directory, owned)
	newlyOwned := v.refuses(t, directory, private, "deviceNotFound")
	v.refuses(t, directory, released, "deviceNotFound")
	expectLog(t, v.gate.Connector(), "[DENY]", released, "inventory apple, which must know the device too: ", "it was released from the organization on 2026-03-04 at 05:06 UTC")
	newlyEnrolled := v.refuses(t, directory, unenrolled, "deviceNotFound")
	v.refuses(t, directory, nobody, "deviceNotFound")
	complying := v.refuses(t, directory, lax, "deviceNotCompliant")
	v.refuses(t, directory, added, "notBought")

	// Without an answer of either there is no decision: step-ca asks again, and the device may try again.
	for _, vendor := range []string{"intune", "apple"} {
		order := v.order(t, directory, owned)
		v.during(t, vendor, func() { expectServerError(t, order) })
		expectLog(t, v.gate.Connector(), "[DENY]", owned, "code=unavailable", "inventory "+vendor+": ")
		cert, err := finalize(t, order)
		expectIssuedTo(t, owned, cert, err)
	}

	// What changes at the vendors counts for the same orders.
	macs[3]["compliance"] = "compliant"
	v.set(t, "intune", append(macs, enrolled(unenrolled, ""))...)
	v.set(t, "apple", append(belonging, record{"serial": private})...)
	for serial, order := range map[string]*device.Order{private: newlyOwned, unenrolled: newlyEnrolled, lax: complying} {
		cert, err := finalize(t, order)
		expectIssuedTo(t, serial, cert, err)
	}
}

// testFleet: the environment of docs/providers/fleet.md, without a policy file.
func testFleet(t *testing.T, l *lab) {
	const (
		member, outsider, unmanaged, moved, returned, twice, failing, victim, attacker, nobody = "C02FLTMEMBE1", "C02FLTOUTSI1", "C02FLTUNMAN1",
			"C02FLTMOVED1", "C02FLTRETUR1", "C02FLTTWICE1", "C02FLTFAILI1", "C02FLTVICTI1", "C02FLTATTAC1", "C02FLTNOBOD1"
		day = 24 * 3600 * 1_000_000_000 // as Fleet's simulation has durations
	)
	v := newVendors(t, l)
	host := func(serial, team string, seen int) record {
		return record{
			"serial": serial, "hostname": "host-" + strings.ToLower(serial), "computer_name": `Ada's "Mac" ` + serial, "team": team, "seen": seen,
			"enrollment_status": "On (automatic)", "labels": []string{"wifi"}, "policies": []record{{"name": "disk", "response": "pass"}},
			"end_users": []record{{"idp_username": email, "idp_full_name": "Ada Example", "idp_department": department}},
		}
	}
	without := host(unmanaged, "Workstations", day)
	without["enrollment_status"] = "Off"
	lax := host(failing, "Workstations", day)
	lax["policies"] = []record{{"name": "disk", "response": "pass"}, {"name": "firewall", "response": "fail"}}
	unseen := host(twice, "Workstations", 0)
	unseen["never"] = true
	named := func(serial, as string) record {
		r := host(serial, "Workstations", day)
		r["hostname"], r["computer_name"] = as, as
		return r
	}
	token := "fleet-token-" + rand.Text()
	fleet := v.start(t, "fleet", record{"token": token, "devices": []record{
		host(member, "Workstations", day), host(outsider, "Servers", day), without, lax,
		// Enrolled again: the record that was heard of last counts.
		host(moved, "Workstations", 9*day), host(moved, "Servers", day), host(returned, "Servers", 9*day), host(returned, "Workstations", day),
		unseen, unseen,
		// Computers that are named like the serial number of another one, and of none.
		named(attacker+"A", victim), host(victim, "Servers", 3*day), named(attacker+"B", nobody), named(attacker+"C", member),
	}})
	v.open(t, gate.Config{
		Provisioner: stepca.Provisioner{Template: gate.JamfTemplate},
		More: []string{
			"PROVIDER=fleet", "FLEET_BASE_URL=" + fleet.URL(), "FLEET_TOKEN_FILE=" + v.secret(t, "fleet_token", token+"\n"),
			"FLEET_GROUP=team:Workstations", "FLEET_REQUIRE_COMPLIANT=1", "FLEET_ENRICH=1",
		},
	})
	directory := v.gate.DirectoryURL()

	cert := v.issues(t, directory, member)
	if got, want := cert.Subject.OrganizationalUnit, []string{"Workstations", "team:Workstations", "wifi"}; !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("organizational units = %q, want the groups %q", got, want)
	}
	if got, want := cert.EmailAddresses, []string{email}; !slices.Equal(got, want) {
		t.Errorf("e-mail addresses = %q, want %q", got, want)
	}
	v.issues(t, directory, returned)
	for serial, code := range map[string]string{
		outsider: "deviceNotInGroup", moved: "deviceNotInGroup", victim: "deviceNotInGroup", unmanaged: "deviceNotManaged", failing: "deviceNotCompliant",
		nobody: "deviceNotFound", twice: "deviceAmbiguous",
	} {
		v.refuses(t, directory, serial, code)
	}
	order := v.order(t, directory, member)
	v.during(t, "fleet", func() { expectServerError(t, order) })
	cert, err := finalize(t, order)
	expectIssuedTo(t, member, cert, err)
}

// testIru follows docs/providers/iru.md literally: its policy file decides by a tag and a blueprint.
func testIru(t *testing.T, l *lab) {
	const both, tagged, planned, missing, removed, longer, nobody = "C02IRUBOTH01", "C02IRUTAGGE1", "C02IRUPLANN1", "C02IRUMISSI1", "C02IRUREMOV1", "C02IRUBOTH011", "C02IRUNOBOD1"
	v := newVendors(t, l)
	mac := func(serial, blueprint string, tags ...string) record {
		return record{
			"serial_number": serial, "device_name": "Mac of " + serial, "os_version": "15.5", "last_check_in": "2026-05-04T03:02:01Z",
			"blueprint_id": "b1", "blueprint_name": blueprint, "tags": tags, "mdm_enabled": true,
		}
	}
	gone, lost := mac(removed, "Engineering", "wifi"), mac(missing, "Engineering", "wifi")
	gone["is_removed"], lost["is_missing"] = true, true
	token := "iru-token-" + rand.Text()
	macs := []record{
		mac(both, "Engineering", "vpn", "wifi"), mac(tagged, "Sales", "wifi", "Engineering"), mac(planned, "Engineering", "WiFi"), lost, gone,
		mac(longer, "Sales"), // the search for the first one finds it too
	}
	iru := v.start(t, "iru", record{"token": token, "devices": macs})
	policies := replaceOnce(t, readGuide(t, l, "iru.md").block(t, "", "yaml"), map[string]string{
		"https://example.api.iru.com": iru.URL(), "/etc/step-posture-connector/iru_token": v.secret(t, "iru_token", token+"\n"),
	})
	v.open(t, gate.Config{Kind: stepca.Authorizing, Modes: []string{"default"}, Policies: policies})
	directory := v.gate.DirectoryURLOf("default")

	v.issues(t, directory, both)
	retagged := v.refuses(t, directory, planned, "deviceNotCompliant")
	for serial, code := range map[string]string{
		tagged: "deviceNotCompliant", missing: "deviceNotCompliant", removed: "deviceNotManaged", longer: "deviceNotCompliant", nobody: "deviceNotFound",
	} {
		v.refuses(t, directory, serial, code)
	}
	macs[2]["tags"] = []string{"wifi"}
	v.set(t, "iru", macs...)
	cert, err := finalize(t, retagged)
	expectIssuedTo(t, planned, cert, err)
}
