package doors_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/testca"
)

const plain = inventories + plainPolicies + plainDoors

const oid = "1.3.6.1.4.1.37476.9000.64.1"

// A device that the inventory has gets in at both doors.
func TestAllowed(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	cert := l.devices.Device(t, testca.Good(serial))
	got := accepted(t, l.radius(t).device(t, cert))
	if got["reply:Session-Timeout"] != "3600" || len(got) != 3 {
		t.Errorf("the answer is %v", got)
	}
	l.sync(t)
	if e := l.last(t); e.Identifier != serial || e.Caller != radiusCaller || e.NAS != "ap1" || e.Door != "radius" || !e.Allowed {
		t.Errorf("the event is %+v", e)
	}
	if got := l.web(t).show(t, cert); got.status != http.StatusOK || got.body != `{"allow":true}` {
		t.Errorf("the answer is %d %s", got.status, got.body)
	}
}

// What FreeRADIUS may say of a login, and the code of the refusal; empty for an accept.
func TestStatements(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	ask := l.radius(t)
	sibling := l.root.Intermediate(t, "Sibling CA", nil)
	namesake := l.root.Intermediate(t, "Device CA", nil)
	good := l.devices.Device(t, testca.Good(serial))
	issue := func(d testca.Device) testca.Login { return l.devices.NewLogin(t, l.devices.Device(t, d)) }
	with := func(name string, values ...string) testca.Login {
		login := l.devices.NewLogin(t, good)
		login.SetClient(name, values...)
		return login
	}
	outside := func(name string, values ...string) testca.Login {
		login := l.devices.NewLogin(t, good)
		login.Set(name, values...)
		return login
	}
	numbers := func(name string, values ...any) testca.Login {
		login := l.devices.NewLogin(t, good)
		login[name] = testca.Attribute{Type: "integer", Values: values}
		return login
	}
	at := func(from, to time.Time) testca.Login {
		d := testca.Good(serial)
		d.Change = func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
		return issue(d)
	}
	template := func(change func(*x509.Certificate)) testca.Login {
		d := testca.Good(serial)
		d.Change = change
		return issue(d)
	}
	now := time.Now()
	var many [][]byte
	for i := range 40 {
		many = append(many, testca.DNS("host-"+strconv.Itoa(i)+".devices.example.com"))
	}
	const untrusted, mismatch, missing = "certificateUntrusted", "commonNameMismatch", "identifierMissing"
	for _, test := range []struct {
		name  string
		login testca.Login
		code  string
	}{
		{"good", l.devices.NewLogin(t, good), ""},
		{"EAP-Type as a number", numbers("EAP-Type", 13), ""},
		{"EAP-Type 13.0", numbers("EAP-Type", json.RawMessage("13.0")), untrusted},
		{"EAP-Type 1.3e1", numbers("EAP-Type", json.RawMessage("1.3e1")), untrusted},
		{"EAP-Type PEAP", outside("EAP-Type", "PEAP"), untrusted},
		{"EAP-Type twice", outside("EAP-Type", "TLS", "TLS"), untrusted},
		{"EAP-Type missing", outside("EAP-Type"), untrusted},
		{"resumed", l.devices.NewLogin(t, good).Resumed(), "certificateMissing"},
		{"no attributes", testca.Login{}, "certificateMissing"},
		{"names in another case", testca.Login{"eap-type": {Type: "integer", Values: []any{"TLS"}}, "tls-client-cert-common-name": {Type: "string", Values: []any{serial}}}, "certificateMissing"},

		{"common name absent", with("Common-Name"), missing},
		{"no subject", issue(testca.Device{SANs: [][]byte{testca.Permanent(serial)}, Critical: true, Provisioner: "acme-da"}), missing},
		{"common name twice", with("Common-Name", serial, serial), mismatch},
		{"two common names", with("Common-Name", serial, other), mismatch},
		{"common name empty", with("Common-Name", ""), mismatch},
		{"two in the subject", issue(testca.Device{CommonNames: []string{serial, other}, Provisioner: "acme-da"}), mismatch},
		{"the subject has another", with("Subject", "/CN="+other), mismatch},
		{"the subject is missing", with("Subject"), mismatch},
		{"a common name after a backslash", with("Subject", "/CN="+serial+`\/CN=`+other), mismatch},
		{"the subject has more", with("Subject", "/CN="+serial+"9"), mismatch},
		{"the subject has NUL after it", with("Subject", "/CN="+serial+`\x00`), mismatch},
		{"the subject has a serial number", with("Subject", "/CN="+serial+"/serialNumber=1"), ""},
		{"multi-valued", with("Subject", "/O=One+CN="+serial+"+OU=Two"), ""},
		{"multi-valued, two common names", with("Subject", "/CN="+serial+"+CN="+other), mismatch},
		{"that of the issuer", outside("TLS-Cert-Common-Name", serial), mismatch},
		{"not in the inventory", issue(testca.Good("UNKNOWN001")), "deviceNotFound"},
		{"not managed", issue(testca.Good(other)), "deviceNotManaged"},
		{"not ASCII", issue(testca.Good("Grüße")), "deviceNotFound"},
		{"spaces around", issue(testca.Good(" " + serial + " ")), "identifierInvalid"},
		{"a prefix", issue(testca.Good("K3Q7")), "deviceNotFound"},
		{"User-Name is not the identity", func() testca.Login { l := issue(testca.Good(other)); l.Set("User-Name", serial); return l }(), "deviceNotManaged"},

		{"wrong AKI", with("X509v3-Authority-Key-Identifier", "00:11:22:33"), untrusted},
		{"AKI of openssl before 3", with("X509v3-Authority-Key-Identifier", "keyid:"+l.devices.NewLogin(t, good)["TLS-Client-Cert-X509v3-Authority-Key-Identifier"].Values[0].(string)), ""},
		{"AKI missing", with("X509v3-Authority-Key-Identifier"), untrusted},
		{"AKI empty", with("X509v3-Authority-Key-Identifier", ""), untrusted},
		{"AKI is no hex", with("X509v3-Authority-Key-Identifier", "yes"), untrusted},
		{"AKI twice", with("X509v3-Authority-Key-Identifier", "00", "00"), untrusted},
		{"issuer missing", with("Issuer"), untrusted},
		{"issuer of another name", with("Issuer", "/CN=Lab Root"), untrusted},
		{"sibling CA", sibling.NewLogin(t, sibling.Device(t, testca.Good(serial))), untrusted},
		{"CA of the same name", namesake.NewLogin(t, namesake.Device(t, testca.Good(serial))), untrusted},
		{"the root above", l.root.NewLogin(t, l.root.Device(t, testca.Good(serial))), untrusted},

		{"expired", at(now.Add(-2*time.Hour), now.Add(-time.Hour)), untrusted},
		{"not yet valid", at(now.Add(time.Hour), now.Add(2*time.Hour)), untrusted},
		{"expiration missing", with("Expiration"), untrusted},
		{"expiration twice", with("Expiration", "491231235959Z", "491231235959Z"), untrusted},
		{"expiration is no time", with("Expiration", "soon"), untrusted},
		{"expiration in 1950", with("Expiration", "500101000000Z"), untrusted},
		{"expiration in 2049", with("Expiration", "491231235959Z"), ""},
		{"GeneralizedTime", with("Expiration", "20991231235959Z"), ""},
		{"no time zone", with("Expiration", "491231235959"), untrusted},
		{"valid since missing", with("Valid-Since"), untrusted},

		{"no usage", template(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), untrusted},
		{"serverAuth alone", template(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), untrusted},
		{"any usage", template(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), untrusted},
		{"serverAuth and clientAuth", template(func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) }), ""},
		{"a CA", template(func(c *x509.Certificate) { c.IsCA = true }), untrusted},
		{"serial number missing", with("Serial"), untrusted},
		{"serial number is no hex", with("Serial", "12:34"), untrusted},

		{"no provisioner", issue(testca.Device{CommonNames: []string{serial}}), untrusted},
		{"other provisioner", issue(testca.Device{CommonNames: []string{serial}, Provisioner: "jwk"}), untrusted},
		{"provisioner in another case", issue(testca.Device{CommonNames: []string{serial}, Provisioner: "ACME-DA"}), untrusted},
		{"provisioner with bytes behind it", with(oid, "0x300e020106040761636d652d6461040000"), untrusted},
		{"provisioner without 0x", with(oid, "300e020106040761636d652d64610400"), untrusted},
		{"provisioner as FreeRADIUS sends it", with(oid, "0x300e020106040761636d652d64610400"), ""},
		{"provisioner is no DER", with(oid, "0x00"), untrusted},
		{"provisioner twice", with(oid, "0x300e020106040761636d652d64610400", "0x300e020106040761636d652d64610400"), untrusted},
		{"provisioner empty", with(oid, ""), untrusted},
		{"40 SANs", issue(testca.Device{CommonNames: []string{serial}, SANs: many, Provisioner: "acme-da"}), ""},
		// FreeRADIUS 3.2 loses an extension behind such a long one.
		{"40 SANs, provisioner lost", func() testca.Login { l := issue(testca.Device{CommonNames: []string{serial}, SANs: many}); return l }(), untrusted},
	} {
		got := ask.login(t, test.login)
		if test.code != "" {
			t.Run(test.name, func(t *testing.T) { ask.refused(t, got, test.code) })
		} else if got.status != http.StatusOK || attributes(t, got)["control:Auth-Type"] != "Accept" {
			l.sync(t)
			t.Errorf("%s: the answer is %d %s: %s", test.name, got.status, got.body, l.last(t).Reason)
		}
	}
}

// With every provisioner too, RADIUS needs the extension: some provisioners let a client choose its common name.
func TestAnyProvisioner(t *testing.T) {
	t.Parallel()
	l := newLab(t, strings.ReplaceAll(plain, "[acme-da]", "any"))
	ask := l.radius(t)
	accepted(t, ask.device(t, l.devices.Device(t, testca.Device{CommonNames: []string{serial}, Provisioner: "jwk"})))
	ask.refused(t, ask.device(t, l.devices.Device(t, testca.Device{CommonNames: []string{serial}})), "certificateUntrusted")
	if reason := l.last(t).Reason; !strings.Contains(reason, "ATTRIBUTE TLS-Client-Cert-"+oid+" 3902 octets") {
		t.Errorf("the reason does not name the missing line of the dictionary: %s", reason)
	}
}

// The issuer of an intermediate with a longer name is compared in the form of OpenSSL.
func TestIssuerNames(t *testing.T) {
	t.Parallel()
	l := newLab(t, "", func(l *lab) {
		l.devices = l.root.Intermediate(t, "Ca/CN=x+y", func(c *x509.Certificate) {
			c.Subject.Organization, c.Subject.Country = []string{"Grüße"}, []string{"CH"}
			c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: []int{2, 5, 4, 11}, Value: "Unit"}}
		})
		l.write(t, "issuers.pem", testca.Joined(l.root.PEM(), l.devices.PEM()))
		l.use(t, plain)
	})
	accepted(t, l.radius(t).device(t, l.devices.Device(t, testca.Good(serial))))
}
