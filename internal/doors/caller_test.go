package doors_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/http"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/testca"
)

// A caller is known by a DNS name or an e-mail address, and by its common name only where that is said.
func TestCallers(t *testing.T) {
	t.Parallel()
	l := newLab(t, inventories+plainPolicies+`
doors:
  issuers: issuers.pem
  provisioners: [acme-da]
  radius:
    - {callers: [radius.example.com, "cn:Radius One"], policy: default}
    - {callers: [second.example.com], policy: default}
  forward_auth:
    - {callers: [proxy.example.com, web@example.com], policy: default}
`)
	device := l.devices.Device(t, testca.Good(serial))
	sans := func(names ...[]byte) []pkix.Extension {
		d := l.devices.Device(t, testca.Device{SANs: names})
		for _, ext := range d.Extensions {
			if ext.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
				return []pkix.Extension{ext}
			}
		}
		return nil
	}
	for _, test := range []struct {
		name        string
		template    x509.Certificate
		radius, web bool
	}{
		{"DNS name of RADIUS", x509.Certificate{DNSNames: []string{radiusCaller}}, true, false},
		{"DNS name in another case", x509.Certificate{DNSNames: []string{"RADIUS.Example.com"}}, true, false},
		{"DNS name of the web server", x509.Certificate{DNSNames: []string{webCaller}}, false, true},
		{"e-mail address", x509.Certificate{EmailAddresses: []string{"web@example.com"}}, false, true},
		{"names of both doors", x509.Certificate{DNSNames: []string{webCaller, radiusCaller}}, true, true},
		{"names of two entries of a door", x509.Certificate{DNSNames: []string{radiusCaller, "second.example.com"}}, false, false},
		{"a name and the common name of an entry", x509.Certificate{Subject: pkix.Name{CommonName: "Radius One"}, DNSNames: []string{radiusCaller}}, true, false},
		{"names of two entries, one the common name", x509.Certificate{Subject: pkix.Name{CommonName: "Radius One"}, DNSNames: []string{"second.example.com"}}, false, false},
		{"cn:", x509.Certificate{Subject: pkix.Name{CommonName: "Radius One"}}, true, false},
		{"cn: in another case", x509.Certificate{Subject: pkix.Name{CommonName: "radius one"}}, false, false},
		{"cn: as a DNS name", x509.Certificate{DNSNames: []string{"cn:radius"}}, false, false},
		{"a DNS name as common name", x509.Certificate{Subject: pkix.Name{CommonName: radiusCaller}}, false, false},
		{"wildcard", x509.Certificate{DNSNames: []string{"*.example.com"}}, false, false},
		{"a name below", x509.Certificate{DNSNames: []string{"a.radius.example.com"}}, false, false},
		{"a prefix", x509.Certificate{DNSNames: []string{"radius.example.com.evil.example"}}, false, false},
		{"no name", x509.Certificate{}, false, false},
		{"a permanentIdentifier beside", x509.Certificate{ExtraExtensions: sans(testca.DNS(radiusCaller), testca.DNS(webCaller), testca.Permanent("X"))}, false, false},
		{"an empty permanentIdentifier beside", x509.Certificate{ExtraExtensions: sans(testca.DNS(radiusCaller), testca.DNS(webCaller), testca.PermanentOf())}, false, false},
		{"a permanentIdentifier of another form", x509.Certificate{ExtraExtensions: sans(testca.DNS(radiusCaller), testca.DNS(webCaller), testca.PermanentOf([]byte{5, 0}))}, false, false},
	} {
		test.template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		cert, key := l.callers.Issue(t, &test.template)
		as := asker{l, l.client(t, &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}, false)}
		for door, may := range map[string]bool{"radius": test.radius, "web": test.web} {
			ask := map[string]func(*testing.T, *x509.Certificate) response{"radius": as.device, "web": as.show}[door]
			got := ask(t, device)
			l.sync(t)
			if e := l.last(t); may && got.status != http.StatusOK || !may && (got.status != http.StatusForbidden || e.Code != "unauthenticated" || e.Authenticated) {
				t.Errorf("%s: the %s door answers %d %s: %s", test.name, door, got.status, got.body, e.Reason)
			}
		}
	}
	for _, e := range l.decisions() {
		if !e.Authenticated {
			t.Errorf("a question of nobody is in the audit log: %+v", e)
		}
	}
}

// The certificate of a device is not that of a caller, also where one CA issues both.
func TestDeviceAsCaller(t *testing.T) {
	t.Parallel()
	l := newLab(t, strings.ReplaceAll(plain, "[radius.example.com]", "[radius.example.com, cn:K3Q7XH2N9P]"))
	key := l.callers.Key
	d := testca.Good(serial)
	d.Key = key
	cert := l.devices.Device(t, d)
	as := asker{l, l.client(t, &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}, false)}
	for _, got := range []response{as.device(t, cert), as.show(t, cert)} {
		denied(t, got, http.StatusForbidden, "unauthenticated")
	}
	l.sync(t)
	if reason := l.last(t).Reason; !strings.Contains(reason, "permanentIdentifier") {
		t.Errorf("the reason is %s", reason)
	}
}

// An unknown caller is told nothing of the question: its body is not read, and the connection ends.
func TestStranger(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	stranger := asker{l, l.client(t, l.caller(t, "stranger.example.com"), false)}
	for _, body := range []string{"no JSON", strings.Repeat(" ", 1<<20)} {
		denied(t, stranger.post(t, strings.NewReader(body)), http.StatusForbidden, "unauthenticated")
	}
	for range 2 {
		got := stranger.header(t, "X-Client-Cert: hello")
		denied(t, got, http.StatusForbidden, "unauthenticated")
	}
	l.sync(t)
	if e := l.last(t); e.Identifier != "" || e.Caller != "" || e.Policy != "" {
		t.Errorf("the event is %+v", e)
	}
}

// No session is resumed: the caller's certificate is verified with each connection.
func TestNoResumption(t *testing.T) {
	t.Parallel()
	l := newLab(t, plain)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := l.config(l.caller(t, radiusCaller))
		config.MaxVersion, config.ClientSessionCache = version, tls.NewLRUClientSessionCache(4)
		for range 3 {
			connection, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", l.address)
			if err != nil {
				t.Fatal(err)
			}
			tlsConnection, _ := connection.(*tls.Conn)
			_ = connection.SetDeadline(time.Now().Add(patience))
			_, _ = connection.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
			buffer := make([]byte, 16)
			if _, err := connection.Read(buffer); err != nil || !strings.HasPrefix(string(buffer), "HTTP/1.1 403") {
				t.Errorf("the answer is %q, %v", buffer, err)
			}
			if tlsConnection.ConnectionState().DidResume {
				t.Errorf("a session of TLS %x was resumed", version)
			}
			_ = connection.Close()
		}
	}
}
