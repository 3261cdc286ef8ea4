package authority

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
)

func TestBears(t *testing.T) {
	t.Parallel()
	const kelvin = "\u212a" // equals k under Unicode folding
	certificate := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Radius 1"}, DNSNames: []string{"Radius.Example.com", "*.proxy.example.com", kelvin + ".example.com"},
		EmailAddresses: []string{"Proxy@Example.com", "no-host"},
	}
	host := &x509.Certificate{Subject: pkix.Name{CommonName: "radius.example.com"}}
	for _, test := range []struct {
		what        string
		certificate *x509.Certificate
		name        string
		want        bool
	}{
		{"a DNS name", certificate, "Radius.Example.com", true},
		{"a DNS name in another case", certificate, "rADIUS.example.COM", true},
		{"a part of a DNS name", certificate, "example.com", false},
		{"more than a DNS name", certificate, "radius.example.com.", false},
		{"a name that a wildcard of the certificate has", certificate, "one.proxy.example.com", false},
		{"a wildcard that has a name of the certificate", certificate, "*.example.com", false},
		{"a letter that only folding makes equal", certificate, "k.example.com", false},
		{"an e-mail address", certificate, "Proxy@Example.com", true},
		{"an e-mail address with its host in another case", certificate, "Proxy@eXAMPLE.com", true},
		{"an e-mail address with its local part in another case", certificate, "proxy@Example.com", false},
		{"the host of an e-mail address", certificate, "example.com", false},
		{"an e-mail address without a host", certificate, "no-host", false},
		{"the common name", certificate, "Radius 1", false},
		{"the common name, asked for", certificate, "cn:Radius 1", true},
		{"the common name in another case", certificate, "cn:radius 1", false},
		{"a part of the common name", certificate, "cn:Radius", false},
		{"a DNS name as common name", certificate, "cn:Radius.Example.com", false},
		{"the common name, asked for with CN", certificate, "CN:Radius 1", false},
		{"a common name that looks like a DNS name", host, "radius.example.com", false},
		{"the same, asked for", host, "cn:radius.example.com", true},
		{"no name", certificate, "", false},
		{"no common name", &x509.Certificate{DNSNames: []string{""}}, "cn:", false},
		{"no DNS name", &x509.Certificate{DNSNames: []string{""}, EmailAddresses: []string{""}}, "", false},
	} {
		if got := Bears(test.certificate, test.name); got != test.want {
			t.Errorf("%s: Bears(%q) = %v, want %v", test.what, test.name, got, test.want)
		}
	}
}
