package profile_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/profile"
)

// now is the time at which the tests read roots.
func now() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

func base() profile.Request {
	return profile.Request{CAURL: "https://ca.example.com", Provisioner: "acme", MDM: "jamf"}
}

func with(change func(r *profile.Request)) profile.Request {
	r := base()
	change(&r)
	return r
}

// authority makes a certificate that signs itself.
func authority(t *testing.T, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example Root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now().Add(-time.Hour), NotAfter: now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func inPEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func mustMake(t *testing.T, r profile.Request) profile.Profile {
	t.Helper()
	made, err := profile.Make(r)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// payloads makes a profile, and returns it and its payloads by type.
func payloads(t *testing.T, r profile.Request) (whole map[string]any, byType map[string]map[string]any) {
	t.Helper()
	whole = parse(t, mustMake(t, r).Text)
	byType = map[string]map[string]any{}
	seen := map[any]bool{whole["PayloadUUID"]: true, whole["PayloadIdentifier"]: true}
	contents, _ := whole["PayloadContent"].([]any)
	for _, content := range contents {
		payload, ok := content.(map[string]any)
		if !ok {
			t.Fatalf("a payload is %T", content)
		}
		kind, _ := payload["PayloadType"].(string)
		byType[kind] = payload
		// Apple requires these of each payload, and the two names of their own.
		for _, key := range []string{"PayloadUUID", "PayloadIdentifier"} {
			if seen[payload[key]] || payload[key] == nil {
				t.Errorf("the %s of %s is %v, which another one has", key, kind, payload[key])
			}
			seen[payload[key]] = true
		}
		if payload["PayloadVersion"] != int64(1) || payload["PayloadDisplayName"] == "" {
			t.Errorf("%s has the version %v and the name %q", kind, payload["PayloadVersion"], payload["PayloadDisplayName"])
		}
		if uuid, _ := payload["PayloadUUID"].(string); !regexp.MustCompile(`^[0-9A-F]{8}-[0-9A-F]{4}-5[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$`).MatchString(uuid) {
			t.Errorf("the UUID of %s is %q", kind, uuid)
		}
	}
	return whole, byType
}

// Each MDM has its own variable, where the serial number belongs and nowhere else.
func TestVariables(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"jamf": "$SERIALNUMBER", "intune": "{{serialnumber}}", "iru": "$SERIAL_NUMBER", "fleet": "$FLEET_VAR_HOST_HARDWARE_SERIAL",
		"mosyle": "%SerialNumber%", "addigy": "%SerialNumber%", "simplemdm": "{{serial_number}}",
	}
	if len(want) != len(profile.MDMs()) {
		t.Errorf("%d MDMs have a row, of %d", len(want), len(profile.MDMs()))
	}
	for name, variable := range want {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := with(func(r *profile.Request) { r.MDM = name })
			made := mustMake(t, r)
			whole, all := payloads(t, r)
			acme := all["com.apple.security.acme"]
			for key, value := range map[string]any{
				"ClientIdentifier": variable, "DirectoryURL": "https://ca.example.com/acme/acme/directory",
				"Attest": true, "HardwareBound": true, "KeyType": "ECSECPrimeRandom", "KeySize": int64(384), "UsageFlags": int64(1),
				"ExtendedKeyUsage": []any{"1.3.6.1.5.5.7.3.2"}, "Subject": []any{[]any{[]any{"CN", variable}}},
			} {
				if !reflect.DeepEqual(acme[key], value) {
					t.Errorf("%s is %v, want %v", key, acme[key], value)
				}
			}
			if whole["PayloadType"] != "Configuration" || whole["PayloadVersion"] != int64(1) || whole["PayloadScope"] != "System" || len(all) != 1 {
				t.Errorf("the profile is %v", whole)
			}
			if n := strings.Count(string(made.Text), variable); n != 2 {
				t.Errorf("the variable is in the profile %d times", n)
			}
			if len(made.Notes) < 3 || !strings.HasPrefix(made.Notes[0], "upload it in ") || !strings.Contains(made.Notes[1], variable) {
				t.Errorf("the notes are %q", made.Notes)
			}
		})
	}
}

// The notes do not claim that an MDM replaces a variable that no publication of it confirms.
func TestNotesSayWhatIsNotVerified(t *testing.T) {
	t.Parallel()
	for _, m := range profile.MDMs() {
		notes := mustMake(t, with(func(r *profile.Request) { r.MDM = m.Name })).Notes
		if doubt := strings.Contains(notes[1], "was not found in a publication of "+m.Title); doubt == m.Verified {
			t.Errorf("%s: the note is %q", m.Name, notes[1])
		}
	}
	notes := mustMake(t, with(func(r *profile.Request) { r.Variable = "%Other%" })).Notes
	if notes[1] != "Jamf Pro has to replace %Other% by the serial number" {
		t.Errorf("the note about another variable is %q", notes[1])
	}
}

func TestRootAndWiFi(t *testing.T) {
	t.Parallel()
	root := authority(t, nil)
	r := with(func(r *profile.Request) {
		r.Root, r.SSID, r.Servers = root, "Büro & <Gäste> \"5\"", []string{"radius.example.com", "*.radius.example.com"}
		r.Organization = "A & <B>"
	})
	whole, all := payloads(t, r)
	if whole["PayloadOrganization"] != "A & <B>" {
		t.Errorf("the organization is %v", whole["PayloadOrganization"])
	}
	if der, _ := all["com.apple.security.root"]["PayloadContent"].([]byte); !bytes.Equal(der, root.Raw) {
		t.Errorf("the root is %x", der)
	}
	wifi := all["com.apple.wifi.managed"]
	for key, value := range map[string]any{
		"SSID_STR": r.SSID, "EncryptionType": "WPA2", "AutoJoin": true, "HIDDEN_NETWORK": false, "SetupModes": []any{"System"},
		"PayloadCertificateUUID": all["com.apple.security.acme"]["PayloadUUID"],
		"EAPClientConfiguration": map[string]any{
			"AcceptEAPTypes": []any{int64(13)}, "TLSMinimumVersion": "1.2", "TLSTrustedServerNames": []any{"radius.example.com", "*.radius.example.com"},
			"PayloadCertificateAnchorUUID": []any{all["com.apple.security.root"]["PayloadUUID"]},
		},
	} {
		if !reflect.DeepEqual(wifi[key], value) {
			t.Errorf("%s is %v, want %v", key, wifi[key], value)
		}
	}
	for name, row := range map[string]struct {
		request profile.Request
		notes   []string // after those about the MDM
	}{
		"all": {r, nil},
		"no root": {with(func(r *profile.Request) { r.SSID, r.Servers = "x", []string{"radius.example.com"} }), []string{
			"no --root: the devices refuse the CA unless they trust its root already",
			"no --root: the devices join only if they trust the root of the RADIUS server already",
		}},
		"no server": {with(func(r *profile.Request) { r.SSID, r.Root = "x", root }), []string{
			"no --wifi-server: the devices trust every server that has a certificate of this root; name the RADIUS server's certificate",
		}},
	} {
		if notes := mustMake(t, row.request).Notes[3:]; !slices.Equal(notes, row.notes) {
			t.Errorf("%s: the notes are %q, want %q", name, notes, row.notes)
		}
	}
}

// The same request makes the same profile. A payload that did not change keeps its UUID, so that the device keeps its
// certificate, and the profile keeps its own, so that it replaces the one before it.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	root := authority(t, nil)
	uuids := func(r profile.Request) (whole, acme any) {
		document, all := payloads(t, r)
		return document["PayloadUUID"], all["com.apple.security.acme"]["PayloadUUID"]
	}
	if one, two := mustMake(t, base()), mustMake(t, base()); !bytes.Equal(one.Text, two.Text) {
		t.Errorf("two profiles of one request:\n%s\n%s", one.Text, two.Text)
	}
	whole, acme := uuids(base())
	for name, row := range map[string]struct {
		change            func(r *profile.Request)
		sameWhole, sameID bool // the UUIDs of the profile, and of the ACME payload
	}{
		"a root and a network": {func(r *profile.Request) { r.Root, r.SSID = root, "x" }, true, true},
		"another organization": {func(r *profile.Request) { r.Organization = "x" }, true, true},
		"another MDM":          {func(r *profile.Request) { r.MDM = "fleet" }, true, false},
		"another variable":     {func(r *profile.Request) { r.Variable = "x" }, true, false},
		"another provisioner":  {func(r *profile.Request) { r.Provisioner = "x" }, false, false},
		"a similar one":        {func(r *profile.Request) { r.Provisioner = "acme/" }, false, false},
		"another CA":           {func(r *profile.Request) { r.CAURL = "https://ca.example.org" }, false, false},
		"another port":         {func(r *profile.Request) { r.CAURL = "https://ca.example.com:9000" }, false, false},
		"another identifier":   {func(r *profile.Request) { r.Identifier = "com.example.x" }, false, false},
	} {
		if gotWhole, gotACME := uuids(with(row.change)); (gotWhole == whole) != row.sameWhole || (gotACME == acme) != row.sameID {
			t.Errorf("%s: the UUIDs are %v and %v; before %v and %v", name, gotWhole, gotACME, whole, acme)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	t.Parallel()
	for want, row := range map[string]struct{ url, provisioner, identifier string }{
		"com.example.ca.device-certificate.acme":              {"https://CA.example.com/", "acme", ""},
		"com.example.ca.device-certificate.acme-da":           {"https://ca.example.com:443", "acme-da", ""},
		"com.example.ca.9000.device-certificate.a-b-c14cddc0": {"https://ca.example.com:9000", "a/b", ""},
		"com.example.ca.device-certificate.a-b":               {"https://ca.example.com", "a-b", ""},
		"localhost.device-certificate.acme":                   {"https://localhost", "acme", ""},
		"ip-10-1-2-3.device-certificate.acme":                 {"https://10.1.2.3", "acme", ""},
		"ip-2001-db8--1.8443.device-certificate.acme":         {"https://[2001:db8::1]:8443", "acme", ""},
		"org.example.mine":                                    {"https://ca.example.com", "acme", "org.example.mine"},
	} {
		whole, _ := payloads(t, with(func(r *profile.Request) {
			r.CAURL, r.Provisioner, r.Identifier = row.url, row.provisioner, row.identifier
		}))
		if whole["PayloadIdentifier"] != want {
			t.Errorf("the identifier is %v, want %s", whole["PayloadIdentifier"], want)
		}
	}
}

// A name of a provisioner stays one segment of the path, and has nothing that an MDM could take for a variable.
func TestHostileProvisioners(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"a/b", `a"b'c`, "<dict>&amp;</dict>", "../../x", "a?b#c", "a%2Fb", "$SERIALNUMBER", "{{serialnumber}}", "a;b=c", "Geräte 1", "a\\b", "a:b@c", "...",
	} {
		_, all := payloads(t, with(func(r *profile.Request) { r.Provisioner = name }))
		text, _ := all["com.apple.security.acme"]["DirectoryURL"].(string)
		u, err := url.Parse(text)
		if err != nil || u.Host != "ca.example.com" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(text, "${}<>\"'") {
			t.Fatalf("%q: %s, %v", name, text, err)
		}
		segments := strings.Split(u.EscapedPath(), "/")
		if len(segments) != 4 || segments[1] != "acme" || segments[3] != "directory" {
			t.Fatalf("%q: %s", name, text)
		}
		if got, err := url.PathUnescape(segments[2]); err != nil || got != name {
			t.Errorf("%q comes back as %q, %v", name, got, err)
		}
	}
}
