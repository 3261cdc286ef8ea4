package doors

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"step-posture-connector/internal/devicecert"
	"step-posture-connector/internal/test/testca"
)

// FuzzDecodeCertificate: what is taken for a certificate is the same in each encoding, and the text has nothing else.
func FuzzDecodeCertificate(f *testing.F) {
	der := testca.New(f, "CA").Device(f, testca.Good("K3Q7XH2N9P")).Raw
	encode := base64.StdEncoding.EncodeToString
	escaped := url.PathEscape(string(testca.PEM("CERTIFICATE", der)))
	for _, text := range []string{escaped, encode(der), encode(der) + ",x", ":" + encode(der) + ":", `Hash=0;Cert="` + escaped + `";URI=a`, "", "{http.x}", "-----BEGIN", "MI", ":", "Cert="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := decodeCertificate(text)
		if err != nil {
			return
		}
		again := url.PathEscape(string(testca.PEM("CERTIFICATE", got)))
		for _, other := range []string{again, ":" + encode(got) + ":", `Cert="` + again + `"`} {
			if same, err := decodeCertificate(other); err != nil || !bytes.Equal(same, got) {
				t.Errorf("%q is %x, and %q is %x, %v", text, got, other, same, err)
			}
		}
		leaf, _, _ := strings.Cut(text, ",")
		if strings.HasPrefix(text, "MI") && leaf != encode(got) {
			t.Errorf("%q is not the only text of %x", text, got)
		}
	})
}

// FuzzXFCC: whatever names a client has in its certificate, the one that is taken is that which Envoy writes, or none.
func FuzzXFCC(f *testing.F) {
	f.Add("CN=x", "spiffe://a/b", "a.example.com")
	f.Add(`CN="a;Cert=b`, `a;Cert="of another"`, `a",Cert="of another"`)
	f.Add(`CN=\`, `a,Cert="of another"`, `;cert="of another`)
	f.Add("", `"`, `\`)
	f.Fuzz(func(t *testing.T, subject, uri, dns string) {
		subject = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(subject) // as RFC 2253 has it
		const own = "the client's own"
		for _, names := range []string{`;Subject="` + subject + `";URI=` + uri + `;DNS=` + dns, `;Subject="` + subject + `"`, `;URI=` + uri, `;DNS=` + dns + `;URI=` + uri, ``} {
			if got, err := certificateOfXFCC(`By=spiffe://proxy;Hash=00;Cert="` + own + `"` + names); err == nil && got != own {
				t.Errorf("with the names %q the certificate is %q", names, got)
			}
			if got, err := certificateOfXFCC(`By=spiffe://proxy;Hash=00` + names); err == nil {
				t.Errorf("the names %q have brought the certificate %q", names, got)
			}
		}
		if got, err := certificateOfXFCC(`Subject="` + subject + `";Cert="` + own + `"`); err != nil || got != own {
			t.Errorf("behind the subject %q, the certificate is %q, %v", subject, got, err)
		}
	})
}

// FuzzReadAttributes: what is read is what encoding/json reads too, and only what states everything is a device's certificate.
func FuzzReadAttributes(f *testing.F) {
	ca := testca.New(f, "CA")
	trust := &devicecert.Trust{Issuers: []*x509.Certificate{ca.Certificate}, Provisioners: []string{"acme-da"}}
	login := ca.NewLogin(f, ca.Device(f, testca.Good("K3Q7XH2N9P")))
	f.Add(login.JSON(f))
	f.Add(login.Resumed().JSON(f))
	for _, body := range []string{"", "null", "{}", "[]", `{"EAP-Type":{"value":["TLS"]},"eap-type":{"value":[13]}}`, `{"a":{"value":[1e1,13.0,true,null]}}`, `{"a":null}`, `{"a":{"value":["\ud800"]}}`, "\ufeff{}"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		attributes, err := readAttributes(body)
		if err != nil {
			return
		}
		var loose map[string]struct{ Value []any }
		if err := json.Unmarshal(body, &loose); err != nil || len(loose) != len(attributes) {
			t.Fatalf("%q is read as %q, and by encoding/json as %v, %v", body, attributes, loose, err)
		}
		for name, values := range attributes {
			for i, value := range values {
				if text, ok := loose[name].Value[i].(string); ok && text != value || !utf8.ValidString(value) {
					t.Errorf("%s is read as %q and %q", name, value, text)
				}
			}
		}
		if radius := attributes.RADIUS(); radius == nil {
			t.Error("nothing is known of the connection")
		}
		shown, p := trust.CheckAttributes(attributes, time.Now())
		if p != nil {
			if p.Code == "" || p.Err == nil {
				t.Errorf("the problem is %+v", p)
			}
			return
		}
		name, ok := attributes.One("TLS-Client-Cert-Common-Name")
		method, _ := attributes.One("EAP-Type")
		if !ok || method != "TLS" && method != "13" || shown.Names.Provisioner != "acme-da" || !time.Now().Before(shown.Names.NotAfter.Add(time.Second)) {
			t.Errorf("%q is trusted", body)
		}
		if id, p := shown.IdentifyStated(); p == nil && id.String() != name {
			t.Errorf("the identifier of %q is %q", name, id)
		}
	})
}

// FuzzReplyMessage: a message fits into its attribute, keeps its reference, and has nothing that FreeRADIUS expands.
func FuzzReplyMessage(f *testing.F) {
	for _, message := range []string{"", "No", "%{exec:/bin/id}", strings.Repeat("a", 300), strings.Repeat("ä", 200), "a\r\nb\x00\x7f\u202e", "\xff"} {
		f.Add(message)
	}
	f.Fuzz(func(t *testing.T, message string) {
		const reference = "ABCD1234"
		got := replyMessage(message, reference)
		if len(got) > 253 || !strings.HasSuffix(got, " (ref "+reference+")") || strings.ContainsFunc(got, func(c rune) bool { return c < ' ' || c > '~' || c == '%' }) {
			t.Errorf("the message is %q", got)
		}
		a := deny(message, reference)
		var read map[string]attribute
		if err := json.Unmarshal(a.body, &read); err != nil || !reflect.DeepEqual(read, map[string]attribute{"reply:Reply-Message": {":=", false, []string{got}}}) {
			t.Errorf("the answer is %s, %v", a.body, err)
		}
	})
}

// FuzzHeaderText: the text of a header ends no line, and is whole or empty.
func FuzzHeaderText(f *testing.F) {
	for _, text := range []string{"", "Ada's Mac", " a ", "a\r\nX-Device-Id: b", strings.Repeat("a", maxHeaderText), strings.Repeat("ä", maxHeaderText+1), "\xff\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := headerText(text)
		if len(got) > maxHeaderText || strings.TrimSpace(got) != got || strings.ContainsFunc(got, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("the text is %q", got)
		}
		if again := headerText(got); again != got {
			t.Errorf("the text of %q is %q", got, again)
		}
	})
}
