package doors_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/doors"
	"step-posture-connector/internal/test/testca"
)

const untrusted = "certificateUntrusted"

// In each encoding, the certificate is the one that was verified, or none.
func TestEncodings(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	web := l.web(t)
	// Serial numbers of 16 bytes and signatures make some plus signs; this one has one for sure.
	cert := l.devices.Device(t, testca.Good(serial))
	for !strings.Contains(base64.StdEncoding.EncodeToString(cert.Raw), "+") {
		cert = l.devices.Device(t, testca.Good(serial))
	}
	denyable := l.devices.Device(t, testca.Good(other))
	std := base64.StdEncoding.EncodeToString
	der, pemText := std(cert.Raw), string(testca.PEM("CERTIFICATE", cert.Raw))
	everyByte := strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D", "\n", "%0A", " ", "%20").Replace(pemText)
	plus := strings.NewReplacer("\n", "%0A", " ", "%20").Replace(pemText)
	chain := std(l.devices.Certificate.Raw)
	xfcc := func(text string) string { return strings.ReplaceAll(text, "PEM", url.PathEscape(pemText)) }
	for _, test := range []struct {
		name, value string
		code        string
	}{
		{"nginx, percent-encoded", escaped(cert.Raw), ""},
		{"%2B", everyByte, ""},
		{"a plus is a plus", plus, ""},
		{"without the last line end", strings.TrimSuffix(plus, "%0A"), ""},
		{"Caddy, base64", der, ""},
		{"Traefik, chain", der + "," + chain, ""},
		{"chain, the issuer first", chain + "," + der, untrusted},
		{"chain, another device first", std(denyable.Raw) + "," + der, "deviceNotManaged"},
		{"RFC 9440", ":" + der + ":", ""},
		{"Envoy", xfcc(`Hash=00ff;Cert="PEM";Subject="CN=x"`), ""},
		{"Envoy, all", xfcc(`By=spiffe://a/b;Hash=00;Cert="PEM";Chain="PEM";Subject="CN=\"a;b,c\"";URI=spiffe://c/d;DNS=e`), ""},
		{"Envoy, only Cert", xfcc(`Cert="PEM"`), ""},
		{"Envoy, key in lower case", xfcc(`cert="PEM"`), ""},

		{"Envoy, two elements", xfcc(`Cert="PEM",Cert="PEM"`), untrusted},
		{"Envoy, an element before", xfcc(`Hash=0,Cert="PEM"`), untrusted},
		{"Envoy, Cert twice", xfcc(`Cert="PEM";Cert="PEM"`), untrusted},
		{"Envoy, no Cert", `Hash=0;Subject="CN=x"`, untrusted},
		// A URI SAN is not quoted by Envoy, and the client may have chosen it.
		{"Envoy, Cert in a URI", xfcc(`Hash=0;URI=spiffe://a;Cert="PEM"`), untrusted},
		{"Envoy, Cert in a DNS name", xfcc(`Hash=0;DNS=a;Cert="PEM"`), untrusted},
		{"Envoy, Cert in a subject", xfcc(`Hash=0;Subject="CN=a\";Cert=\"PEM"`), untrusted},
		{"Envoy, Cert in a subject, without quotation marks", xfcc(`Hash=0;Subject=a;Cert="PEM"`), untrusted},
		{"Envoy, not quoted", xfcc(`Cert=PEM`), untrusted},
		{"Envoy, no end", xfcc(`Cert="PEM`), untrusted},
		{"Envoy, semicolon at the end", xfcc(`Cert="PEM";`), untrusted},
		{"Envoy, something after", xfcc(`Cert="PEM"x`), untrusted},
		{"Envoy, spaces", xfcc(`Hash=0; Cert="PEM"`), untrusted},

		{"empty", "", "certificateMissing"},
		{"Caddy's literal", "{http.request.tls.client.certificate_der_base64}", "certificateMissing"},
		{"nothing known", "hello", untrusted},
		{"nginx's dash", "-", untrusted},
		{"17 KiB", der + strings.Repeat("A", 17<<10-len(der)), "tooLarge"},
		{"16 KiB, chain", der + "," + strings.Repeat("A", 16<<10-len(der)-1), ""},
		{"16 KiB and a byte, chain", der + "," + strings.Repeat("A", 16<<10-len(der)), "tooLarge"},
		{"truncated", der[:len(der)/2], untrusted},
		{"truncated to whole bytes", der[:len(der)/8*4], untrusted},
		{"bytes behind the DER", std(append(bytes.Clone(cert.Raw), 0)), untrusted},
		{"two in one DER", std(append(bytes.Clone(cert.Raw), denyable.Raw...)), untrusted},
		{"base64 for URLs", strings.ReplaceAll(strings.ReplaceAll(der, "+", "-"), "/", "_"), untrusted},
		{"a blank for a plus", strings.ReplaceAll(der, "+", " "), untrusted},
		{"RFC 9440, no end", ":" + der, untrusted},
		{"RFC 9440, a second", ":" + der + ":,:" + der + ":", untrusted},
		{"RFC 9440, parameters", ":" + der + ":;a=b", untrusted},
		{"two PEM blocks", plus + plus, untrusted},
		{"a block before", strings.NewReplacer("\n", "%0A", " ", "%20").Replace(string(testca.PEM("CERTIFICATE", denyable.Raw))) + plus, untrusted},
		{"a header in PEM", strings.Replace(plus, "-----%0A", "-----%0AA:%20b%0A%0A", 1), untrusted},
		{"text before in PEM", "-----BEGIN%20X-----%0A" + plus, untrusted},
		{"text behind PEM", plus + "x", untrusted},
		{"TRUSTED CERTIFICATE", strings.ReplaceAll(plus, "%20CERTIFICATE", "%20TRUSTED%20CERTIFICATE"), untrusted},
		{"long lines in PEM", strings.NewReplacer("-----%0A", "-----%0A", "%0A-----END", "%0A-----END").Replace("-----BEGIN%20CERTIFICATE-----%0A" + der + "%0A-----END%20CERTIFICATE-----%0A"), untrusted},
		{"malformed escape", plus + "%z", untrusted},
		{"PEM, bytes behind the DER", strings.NewReplacer("\n", "%0A", " ", "%20").Replace(string(testca.PEM("CERTIFICATE", append(bytes.Clone(cert.Raw), 0)))), untrusted},
		{"a key", strings.NewReplacer("\n", "%0A", " ", "%20").Replace(string(testca.PEM("PRIVATE KEY", cert.Raw))), untrusted},
		{"a blank before", " " + der, ""}, // HTTP takes it off
	} {
		got := web.header(t, "X-Client-Cert: "+test.value)
		if test.code != "" {
			t.Run(test.name, func(t *testing.T) { denied(t, got, http.StatusForbidden, test.code) })
		} else if got.status != http.StatusOK {
			l.sync(t)
			t.Errorf("%s: the answer is %d %s: %s", test.name, got.status, got.body, l.last(t).Reason)
		}
	}
	denied(t, web.header(t), http.StatusForbidden, "certificateMissing")
	denied(t, web.header(t, "X-Client-Cert: "+der, "X-Client-Cert: "+der), http.StatusForbidden, "malformed")
	denied(t, web.header(t, "X-Client-Cert: "+der, "x-client-cert: "), http.StatusForbidden, "malformed")
	denied(t, web.header(t, "Client-Cert: :"+der+":", "X_Client_Cert: "+der), http.StatusForbidden, "certificateMissing")
}

// Which certificates are those of devices, and which device each names.
func TestCertificates(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	web := l.web(t)
	sibling, namesake := l.root.Intermediate(t, "Sibling CA", nil), l.root.Intermediate(t, "Device CA", nil)
	below := l.devices.Intermediate(t, "Below", nil)
	good := testca.Good(serial)
	with := func(change func(*x509.Certificate)) testca.Device { d := good; d.Change = change; return d }
	sans := func(names ...[]byte) testca.Device { d := good; d.SANs = names; return d }
	permanent := testca.Permanent
	now := time.Now()
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaDevice, edDevice := good, good
	rsaDevice.Key, edDevice.Key = weak, edwards
	self := &testca.CA{Certificate: &x509.Certificate{Subject: pkix.Name{CommonName: "Device CA"}, RawSubject: l.devices.Certificate.RawSubject, SubjectKeyId: l.devices.Certificate.SubjectKeyId}, Key: weak}
	const missing, san, name, invalid = "identifierMissing", "sanMismatch", "commonNameMismatch", "identifierInvalid"
	critical := testca.Device{SANs: [][]byte{permanent(serial)}, Critical: true, Provisioner: "acme-da"}
	assigner := testca.PermanentOf(testca.Text(asn1.TagUTF8String, serial), []byte{6, 3, 42, 3, 4})
	for _, test := range []struct {
		name string
		ca   *testca.CA
		d    testca.Device
		code string
	}{
		{"good", l.devices, good, ""},
		{"RSA", l.devices, rsaDevice, ""},
		{"Ed25519", l.devices, edDevice, ""},
		{"no common name, critical SAN", l.devices, critical, ""},
		{"critical SAN and another critical extension", l.devices, func() testca.Device {
			d := critical
			d.Change = func(c *x509.Certificate) {
				c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}})
			}
			return d
		}(), untrusted},
		{"an organization beside", l.devices, with(func(c *x509.Certificate) { c.Subject.Organization = []string{"Example"} }), ""},

		{"sibling CA", sibling, good, untrusted},
		{"CA of the same name", namesake, good, untrusted},
		{"a CA below the issuer", below, good, untrusted},
		{"the root above", l.root, good, untrusted},
		{"self-signed, in the issuer's name", self, good, untrusted},
		{"a CA", l.devices, with(func(c *x509.Certificate) { c.IsCA = true; c.KeyUsage = x509.KeyUsageCertSign }), untrusted},
		{"serverAuth alone", l.devices, with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), untrusted},
		{"any usage", l.devices, with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }), untrusted},
		{"no usage", l.devices, with(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), untrusted},
		{"serverAuth and clientAuth", l.devices, with(func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) }), ""},
		{"expired", l.devices, with(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) }), untrusted},
		{"not yet valid", l.devices, with(func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) }), untrusted},

		{"permanentIdentifier twice, equal", l.devices, sans(permanent(serial), permanent(serial)), ""},
		{"permanentIdentifier twice, different", l.devices, sans(permanent(serial), permanent(other)), san},
		{"permanentIdentifier twice, in another case", l.devices, sans(permanent(serial), permanent(strings.ToLower(serial))), san},
		{"the second is empty", l.devices, sans(permanent(serial), permanent("")), san},
		{"common name differs", l.devices, sans(permanent(other)), name},
		{"common name in another case", l.devices, testca.Device{CommonNames: []string{strings.ToLower(serial)}, SANs: good.SANs, Provisioner: "acme-da"}, name},
		{"two common names, equal", l.devices, testca.Device{CommonNames: []string{serial, serial}, SANs: good.SANs, Provisioner: "acme-da"}, name},
		{"two common names", l.devices, testca.Device{CommonNames: []string{serial, other}, SANs: good.SANs, Provisioner: "acme-da"}, name},
		{"no permanentIdentifier", l.devices, sans(testca.DNS("a.example.com")), missing},
		{"no SAN", l.devices, testca.Device{CommonNames: []string{serial}, Provisioner: "acme-da"}, missing},
		{"other SANs beside", l.devices, sans(testca.DNS("a.example.com"), permanent(serial), testca.Email("a@b.example"), testca.URI("spiffe://a/b")), ""},
		{"otherName of another type", l.devices, sans(testca.OtherName(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 4}, testca.Text(asn1.TagUTF8String, serial))), missing},
		{"with an assigner", l.devices, sans(assigner), ""},
		{"only an assigner", l.devices, sans(testca.PermanentOf([]byte{6, 3, 42, 3, 4})), missing},
		{"empty", l.devices, testca.Device{SANs: [][]byte{permanent("")}, Provisioner: "acme-da"}, missing},
		{"PrintableString", l.devices, sans(testca.PermanentOf(testca.Text(asn1.TagPrintableString, serial))), untrusted},
		{"IA5String", l.devices, sans(testca.PermanentOf(testca.Text(asn1.TagIA5String, serial))), untrusted},
		{"two values", l.devices, sans(testca.PermanentOf(testca.Text(asn1.TagUTF8String, serial), testca.Text(asn1.TagUTF8String, serial))), untrusted},
		{"no sequence", l.devices, sans(testca.OtherName(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 3}, testca.Text(asn1.TagUTF8String, serial))), untrusted},
		{"not ASCII", l.devices, testca.Device{SANs: [][]byte{permanent("Grüße")}, Provisioner: "acme-da"}, invalid},
		{"NUL in it", l.devices, testca.Device{SANs: [][]byte{permanent(serial + "\x00")}, Provisioner: "acme-da"}, invalid},
		{"blanks around it", l.devices, testca.Device{SANs: [][]byte{permanent(" " + serial)}, Provisioner: "acme-da"}, invalid},

		{"no provisioner", l.devices, testca.Device{CommonNames: good.CommonNames, SANs: good.SANs}, untrusted},
		{"other provisioner", l.devices, testca.Device{CommonNames: good.CommonNames, SANs: good.SANs, Provisioner: "jwk"}, untrusted},
		{"extension is no DER", l.devices, testca.Device{CommonNames: good.CommonNames, SANs: good.SANs, Extension: []byte{0}}, untrusted},
		{"extension with bytes behind", l.devices, testca.Device{CommonNames: good.CommonNames, SANs: good.SANs, Extension: append(testca.Provisioner(t, 6, "acme-da"), 0)}, untrusted},
		{"not in the inventory", l.devices, testca.Good("UNKNOWN001"), "deviceNotFound"},
		{"not managed", l.devices, testca.Good(other), "deviceNotManaged"},
	} {
		got := web.show(t, test.ca.Device(t, test.d))
		if test.code != "" {
			t.Run(test.name, func(t *testing.T) { denied(t, got, http.StatusForbidden, test.code) })
		} else if got.status != http.StatusOK {
			l.sync(t)
			t.Errorf("%s: the answer is %d %s: %s", test.name, got.status, got.body, l.last(t).Reason)
		}
	}
	tampered := bytes.Clone(l.devices.Device(t, good).Raw)
	tampered[len(tampered)-1] ^= 1
	denied(t, web.header(t, "X-Client-Cert: "+base64.StdEncoding.EncodeToString(tampered)), http.StatusForbidden, untrusted)
	revoked := l.devices.Device(t, good)
	l.revoked.Store(new(big.Int).Set(revoked.SerialNumber))
	denied(t, web.show(t, revoked), http.StatusForbidden, untrusted)
	l.radius(t).refused(t, l.radius(t).device(t, revoked), untrusted)
}

// Nothing but the header counts: method, query, path, body and the browser's own headers change nothing.
func TestOnlyTheHeaderCounts(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	allowed, refused := l.devices.Device(t, testca.Good(serial)), l.devices.Device(t, testca.Good(other))
	for _, http2 := range []bool{false, true} {
		client := l.client(t, l.caller(t, webCaller), http2)
		for _, method := range methods() {
			for _, target := range []string{"", "?mode=any&allow=1&group=x", "/", "/app/door/radius", "/a?x=%zz"[:4], "/%2e%2e/radius", "/a//b/"} {
				for cert, status := range map[*x509.Certificate]int{allowed: http.StatusOK, refused: http.StatusForbidden} {
					r := l.request(t, method, doors.ForwardAuthPath+target, strings.NewReader(`{"allow":true}`), "X-Client-Cert: "+escaped(cert.Raw),
						"X-Device-Id: "+serial, "Authorization: Basic YTpi", "Cookie: a=b", "X-Forwarded-Client-Cert: x", "X-Forwarded-Uri: /", "X-Original-Method: POST", "X-Http-Method-Override: GET")
					got := do(t, client, r)
					if got.status != status || status == http.StatusOK && got.header.Get("X-Device-Id") != serial {
						t.Errorf("%s %s is answered %d %v, want %d", method, target, got.status, got.header, status)
					}
					if got.major == 2 != http2 {
						t.Errorf("HTTP/%d was spoken", got.major)
					}
				}
			}
		}
	}
}

// With identity: common_name the common name counts, and a permanentIdentifier must agree.
func TestCommonNameIdentity(t *testing.T) {
	t.Parallel()
	l := newLab(t, strings.Replace(plain, "[proxy.example.com], policy: default", "[proxy.example.com], policy: default, identity: common_name", 1))
	web := l.web(t)
	show := func(d testca.Device) response { d.Provisioner = "acme-da"; return web.show(t, l.devices.Device(t, d)) }
	for _, d := range []testca.Device{{CommonNames: []string{serial}}, testca.Good(serial)} {
		if got := show(d); got.status != http.StatusOK {
			t.Errorf("the answer is %d %s", got.status, got.body)
		}
	}
	denied(t, show(testca.Device{SANs: [][]byte{testca.Permanent(serial)}}), http.StatusForbidden, "identifierMissing")
	denied(t, show(testca.Device{CommonNames: []string{serial, serial}}), http.StatusForbidden, "commonNameMismatch")
	denied(t, show(testca.Device{CommonNames: []string{serial}, SANs: [][]byte{testca.Permanent(other)}}), http.StatusForbidden, "sanMismatch")
}
