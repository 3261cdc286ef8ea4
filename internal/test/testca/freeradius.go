package testca

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// Attribute is one of a login, as FreeRADIUS' module rest writes it. Values are texts and numbers.
type Attribute struct {
	Type   string `json:"type"`
	Values []any  `json:"value"`
}

// Login is what FreeRADIUS sends.
type Login map[string]Attribute

const client = "TLS-Client-Cert-"

// NewLogin is the login of a device at an access point, as FreeRADIUS 3.2.1 of Debian sends it.
func (a *CA) NewLogin(t testing.TB, cert *x509.Certificate) Login {
	t.Helper()
	l := Login{
		"NAS-IP-Address":        {"ipaddr", []any{"127.0.0.1"}},
		"Service-Type":          {"integer", []any{"Framed-User"}},
		"Framed-MTU":            {"integer", []any{1400}},
		"NAS-Port-Type":         {"integer", []any{"Wireless-802.11"}},
		"EAP-Type":              {"integer", []any{"TLS"}},
		"Message-Authenticator": {"octets", []any{"0xba976f6d94dc220b4c32f4dee7022b1f"}},
	}
	l.Set("User-Name", "anything")
	l.Set("Called-Station-Id", "AA-BB-CC-DD-EE-FF:corp")
	l.Set("Calling-Station-Id", "02-00-00-00-00-01")
	l.Set("NAS-Identifier", "ap1")
	l.Set("Connect-Info", "CONNECT 11Mbps 802.11b")
	l.state(t, "TLS-Cert-", a.Certificate)
	l.state(t, client, cert)
	return l
}

// Set sets the texts of an attribute; none removes it.
func (l Login) Set(name string, texts ...string) {
	if len(texts) == 0 {
		delete(l, name)
		return
	}
	values := make([]any, len(texts))
	for i, text := range texts {
		values[i] = text
	}
	l[name] = Attribute{"string", values}
}

// SetClient is Set for an attribute of the client's certificate.
func (l Login) SetClient(name string, texts ...string) { l.Set(client+name, texts...) }

// Resumed is the login without all that a resumed session of TLS 1.3 does not know.
func (l Login) Resumed() Login {
	rest := maps.Clone(l)
	maps.DeleteFunc(rest, func(name string, _ Attribute) bool { return strings.HasPrefix(name, "TLS-") })
	return rest
}

// JSON is the body of the request. FreeRADIUS escapes slashes.
func (l Login) JSON(t testing.TB) []byte {
	t.Helper()
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(l); err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(bytes.TrimSpace(body.Bytes()), []byte("/"), []byte(`\/`))
}

// state adds what FreeRADIUS says of one certificate.
func (l Login) state(t testing.TB, prefix string, cert *x509.Certificate) {
	t.Helper()
	l.Set(prefix+"Serial", hex.EncodeToString(cert.SerialNumber.Bytes()))
	l.Set(prefix+"Expiration", utcTime(cert.NotAfter))
	l.Set(prefix+"Valid-Since", utcTime(cert.NotBefore))
	l.Set(prefix+"Issuer", line(t, cert.RawIssuer))
	if subject := line(t, cert.RawSubject); subject != "" {
		l.Set(prefix+"Subject", subject)
	}
	if cert.Subject.CommonName != "" {
		l.Set(prefix+"Common-Name", firstCommonName(cert.Subject))
	}
	if prefix != client {
		return
	}
	l.Set(prefix+"Subject-Alt-Name-Email", cert.EmailAddresses...)
	l.Set(prefix+"Subject-Alt-Name-Dns", cert.DNSNames...)
	if cert.BasicConstraintsValid {
		l.Set(prefix+"X509v3-Basic-Constraints", "CA:"+strings.ToUpper(fmt.Sprint(cert.IsCA)))
	}
	if len(cert.AuthorityKeyId) > 0 {
		l.Set(prefix+"X509v3-Authority-Key-Identifier", colons(cert.AuthorityKeyId))
	}
	if len(cert.SubjectKeyId) > 0 {
		l.Set(prefix+"X509v3-Subject-Key-Identifier", colons(cert.SubjectKeyId))
	}
	usages := map[x509.ExtKeyUsage][2]string{
		x509.ExtKeyUsageAny:        {"Any Extended Key Usage", "2.5.29.37.0"},
		x509.ExtKeyUsageServerAuth: {"TLS Web Server Authentication", "1.3.6.1.5.5.7.3.1"},
		x509.ExtKeyUsageClientAuth: {"TLS Web Client Authentication", "1.3.6.1.5.5.7.3.2"},
	}
	var texts, oids []string
	for _, usage := range cert.ExtKeyUsage {
		texts, oids = append(texts, usages[usage][0]), append(oids, usages[usage][1])
	}
	if len(oids) > 0 {
		l.Set(prefix+"X509v3-Extended-Key-Usage", strings.Join(texts, ", "))
		l.Set(prefix+"X509v3-Extended-Key-Usage-OID", oids...)
	}
	for _, ext := range cert.Extensions {
		if ext.Id.Equal(oidProvisioner()) {
			l[prefix+ext.Id.String()] = Attribute{"octets", []any{"0x" + hex.EncodeToString(ext.Value)}}
		}
	}
}

func utcTime(at time.Time) string { return at.UTC().Format("060102150405Z") }

func colons(id []byte) string {
	return strings.ReplaceAll(strings.ToUpper(fmt.Sprintf("% x", id)), " ", ":")
}

func firstCommonName(name pkix.Name) string {
	i := slices.IndexFunc(name.Names, func(a pkix.AttributeTypeAndValue) bool { return a.Type.Equal(oidCommonName()) })
	return fmt.Sprint(name.Names[i].Value)
}

// line is the text of a name as OpenSSL 3.0 writes it, of the few attributes that certificates of tests have.
func line(t testing.TB, der []byte) string {
	t.Helper()
	var sets []asn1.RawValue
	if _, err := asn1.Unmarshal(der, &sets); err != nil {
		t.Fatal(err)
	}
	known := map[string]string{"2.5.4.3": "CN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.10": "O", "2.5.4.11": "OU"}
	var text strings.Builder
	for _, set := range sets {
		sign := "/"
		for rest := set.Bytes; len(rest) > 0; sign = "+" {
			var attribute struct {
				Type  asn1.ObjectIdentifier
				Value asn1.RawValue
			}
			var err error
			if rest, err = asn1.Unmarshal(rest, &attribute); err != nil {
				t.Fatal(err)
			}
			name, ok := known[attribute.Type.String()]
			if !ok {
				t.Fatalf("the name has the attribute %s, which is not known here", attribute.Type)
			}
			text.WriteString(sign + name + "=")
			for _, c := range attribute.Value.Bytes {
				switch {
				case c == '/', c == '+':
					text.WriteString(`\` + string(rune(c)))
				case c < ' ', c > '~':
					fmt.Fprintf(&text, `\x%02X`, c)
				default:
					text.WriteByte(c)
				}
			}
		}
	}
	return text.String()
}
