package webhook

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// generalName is one name of a subjectAltName extension, with its text; "" is unreadable.
type generalNameTest struct{ name, der, want string }

func generalNames() []generalNameTest {
	const (
		upn    = "\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03"
		module = "\x2b\x06\x01\x05\x05\x07\x08\x04"
		uuid   = "\x69\x83\xb6\xf1\xc2\xd0\x9a\xbf\xc8\xd7\xe0\xa1\xb2\xc3\xd4\xe5\x0f"
	)
	other := func(oid string, content ...string) string { return der(0xa0, der(tagOID, oid), der(0xa0, content...)) }
	permanent := func(content ...string) string { return other(derPermanentID, der(tagSequence, content...)) }
	directory := func(value string) string {
		return der(0xa4, der(tagSequence,
			der(tagSet, der(tagSequence, der(tagOID, "\x55\x04\x0a"), der(tagUTF8, "Example, Inc."))),
			der(tagSet, der(tagSequence, der(tagOID, derCommonName), value))))
	}
	return []generalNameTest{
		{"DNS", der(0x82, "Mac.example.com"), "Mac.example.com"},
		{"DNS with a wildcard", der(0x82, "*.example.com"), "*.example.com"},
		{"e-mail", der(0x81, "ada@example.com"), "ada@example.com"},
		{"URI", der(0x86, "https://example.com/a?b#c"), "https://example.com/a?b#c"},
		{"IPv4", der(0x87, "\x7f\x00\x00\x01"), "127.0.0.1"},
		{"IPv6", der(0x87, "\x20\x01\x0d\xb8"+strings.Repeat("\x00", 11)+"\x01"), "2001:db8::1"},
		{"registered ID", der(0x88, "\x2a\x86\x48\x86\xf7\x0d"), "1.2.840.113549"},
		{"registered ID of a UUID", der(0x88, uuid), "2.25.139088803920075016724467563180687"},
		{"permanent identifier", permanent(der(tagUTF8, "C02HARNESS01")), "C02HARNESS01"},
		{"permanent identifier with an assigner", permanent(der(tagUTF8, "C02HARNESS01"), der(tagOID, "\x2a\x03")), "C02HARNESS01"},
		{"user principal name", other(upn, der(tagUTF8, "adä@example.com")), "adä@example.com"},
		{"hardware module", other(module, der(tagSequence, der(tagOID, "\x2a\x03"), der(4, "\xff"))), "1.3.6.1.5.5.7.8.4:300706022a030401ff"},
		{"other name of a UUID", other(uuid, der(5)), "2.25.139088803920075016724467563180687:0500"},
		{"directory name", directory(der(tagPrintable, "one")), `CN=one,O=Example\, Inc.`},
		{"X.400 address", der(0xa3, "\x30\x00"), "x400Address:3000"},
		{"EDI party", der(0xa5, "\x81\x01A"), "ediPartyName:810141"},

		{"DNS, empty", der(0x82), ""},
		{"DNS, not ASCII", der(0x82, "mäc"), ""},
		{"e-mail, not ASCII", der(0x81, "ä@example.com"), ""},
		{"URI that does not parse", der(0x86, "http://[x"), ""},
		{"IP address of five bytes", der(0x87, "\x01\x02\x03\x04\x05"), ""},
		{"registered ID, not minimal", der(0x88, "\x2a\x80\x03"), ""},
		{"registered ID, empty", der(0x88), ""},
		{"permanent identifier without a value", permanent(), ""},
		{"permanent identifier, not UTF-8", permanent(der(tagUTF8, "\xff")), ""},
		{"permanent identifier of another type", permanent(der(tagPrintable, "C02HARNESS01")), ""},
		{"user principal name of another type", other(upn, der(tagPrintable, "ada")), ""},
		{"user principal name and more", other(upn, der(tagUTF8, "ada"), der(tagUTF8, "eve")), ""},
		{"other name without a value", der(0xa0, der(tagOID, module)), ""},
		{"other name with an empty value", other(module), ""},
		{"other name with two values", other(module, der(5), der(5)), ""},
		{"other name without a type", der(0xa0, der(0xa0, der(5))), ""},
		{"directory name with a number", directory(der(2, "\x05")), ""},
		{"directory name that is none", der(0xa4, der(4)), ""},
		{"directory name, empty", der(0xa4, der(tagSequence)), ""},
		{"another tag", der(0x89, "x"), ""},
		{"a constructed DNS", der(0xa2, "x"), ""},
		{"the tag of text", der(tagUTF8, "x"), ""},
		{"cut short", der(0x82, "abc")[:3], ""},
	}
}

// A SAN reads the same from the DER of a CSR and from an extension in the JSON of a certificate. With one that cannot be read, no name is
// known, whatever stands before and behind it.
func TestNamesOfEachKind(t *testing.T) {
	t.Parallel()
	recorded := made(t)["P-256"].der
	for _, test := range generalNames() {
		extension := der(tagSequence, der(0x82, "before.example.com"), test.der, der(0x82, "behind.example.com"))
		subject := der(tagSequence, der(tagSet, der(tagSequence, der(tagOID, derCommonName), der(tagUTF8, "C02HARNESS01"))))
		want := []string{"C02HARNESS01", "before.example.com", test.want, "behind.example.com"}
		if test.want == "" {
			want = nil
		} else if test.want == want[0] {
			want = slices.Delete(want, 2, 3) // the same name once
		}
		fromCSR := describedCSR(t, []byte(newCSR(recorded, subject, extension))).Names
		fromJSON := describedObject(t, "x509Certificate", map[string]any{
			"rawSubject": []byte(subject), "extensions": []any{map[string]any{"id": "2.5.29.17", "value": []byte(extension)}},
		}).Names
		if !slices.Equal(fromCSR, want) || want == nil && fromCSR != nil {
			t.Errorf("%s: the names of the CSR are %q, want %q", test.name, fromCSR, want)
		}
		// A URL that does not parse is signed all the same when a template wrote the extension.
		if test.name == "URI that does not parse" {
			continue
		}
		if !slices.Equal(fromJSON, want) || want == nil && fromJSON != nil {
			t.Errorf("%s: the names of the certificate are %q, want %q", test.name, fromJSON, want)
		}
	}
}

// sanForm is the JSON of a certificate, with its names; nil is unknown.
type sanForm struct {
	name, members string
	want          []string
}

func sanForms() []sanForm {
	one := func(kind, value string) string {
		return fmt.Sprintf(`{"subject":{"commonName":"A"},"sans":[{"type":%q,"value":%q}]}`, kind, value)
	}
	// With an extension beside it, as step-ca makes one.
	signed := func(san string, names ...string) string {
		der := base64.StdEncoding.EncodeToString([]byte(der(tagSequence, names...)))
		return fmt.Sprintf(`{"sans":[%s],"extensions":[{"id":"2.5.29.17","value":%q}]}`, san, der)
	}
	const module = `{"type":"hardwareModuleName","asn1Value":{"type":"1.2.3","serialNumber":"/w=="}}`
	return []sanForm{
		{"DNS", one("dns", "Mac.example.com"), []string{"A", "Mac.example.com"}},
		{"e-mail", one("email", "ada@example.com"), []string{"A", "ada@example.com"}},
		{"IP", one("ip", "2001:DB8:0::1"), []string{"A", "2001:db8::1"}},
		{"IP of the older family", one("ip", "::ffff:127.0.0.1"), []string{"A", "127.0.0.1"}},
		{"URI", one("uri", "HTTPS://example.com/a"), []string{"A", "https://example.com/a"}},
		{"auto, DNS", one("auto", "mac"), []string{"A", "mac"}},
		{"auto, IP", one("auto", "0::1"), []string{"A", "::1"}},
		{"auto, URI", one("", "URN:x"), []string{"A", "urn:x"}},
		{"auto, e-mail", one("", "ada@example.com"), []string{"A", "ada@example.com"}},
		{"permanent identifier", one("permanentIdentifier", "C02"), []string{"A", "C02"}},
		{"user principal name", one("userPrincipalName", "ada@example.com"), []string{"A", "ada@example.com"}},
		{"registered ID", one("registeredID", "1.2.3"), []string{"A", "1.2.3"}},
		{"the common name again", one("dns", "A"), []string{"A"}},
		{"members", `{"dnsNames":["d"],"emailAddresses":["e@x"],"ipAddresses":["0::2"],"uris":["urn:u"]}`, []string{"d", "e@x", "::2", "urn:u"}},
		{"members that are null", `{"dnsNames":null,"emailAddresses":null,"ipAddresses":null,"uris":null,"sans":null,"extensions":null}`, []string{}},
		{"subjects", `{"subject":{"commonName":"A","extraNames":[{"type":"2.5.4.3","value":"B"},{"type":"2.5.4.5","value":"C"}]},"rawSubject":"MAwxCjAIBgNVBAMMAUQ="}`, []string{"A", "B", "D"}},
		{"hardware module", signed(module, der(0xa0, der(tagOID, "\x2b\x06\x01\x05\x05\x07\x08\x04"), der(0xa0, der(5)))), []string{"1.3.6.1.5.5.7.8.4:0500"}},
		{"both forms", signed(`{"type":"dns","value":"d"}`, der(0x82, "d"), der(0x82, "x")), []string{"d", "x"}},
		{"another extension", `{"subject":{"commonName":"A"},"extensions":[{"id":"1.2.3","value":"aGVsbG8="},{"id":""}]}`, []string{"A"}},

		{"hardware module, not signed", `{"sans":[` + module + `]}`, nil},
		{"directory name, not signed", `{"sans":[{"type":"dn","value":"{}"}]}`, nil},
		{"an OID, not signed", one("1.2.3", "x"), nil},
		{"X.400 address", one("x400Address", "x"), nil},
		{"IP that is none", one("ip", "127.1"), nil},
		{"URI that is none", one("uri", "http://[x"), nil},
		{"registered ID with a leading zero", one("registeredID", "1.02.3"), nil},
		{"the OID of a permanent identifier", one("1.3.6.1.5.5.7.8.3", "x"), nil},
		{"a word in another case", one("DNS", "x"), nil},
		{"a type that is neither word nor OID", one("serialNumber", "x"), nil},
		{"permanent identifier without a value", one("permanentIdentifier", ""), nil},
		{"DNS without a value", one("dns", ""), nil},
		{"permanent identifier with more members", `{"sans":[{"type":"permanentIdentifier","asn1Value":{"identifier":"A","Identifier":"B"}}]}`, nil},
		{"names that are no list", `{"subject":{"commonName":"A"},"dnsNames":"d"}`, nil},
		{"names that are no text", `{"subject":{"commonName":"A"},"uris":[1]}`, nil},
		{"IP in its member that is none", `{"ipAddresses":["127.0.0.1/8"]}`, nil},
		{"raw subject that is none", `{"rawSubject":"aGVsbG8="}`, nil},
		{"common name that is no text", `{"subject":{"extraNames":[{"type":"2.5.4.3","value":5}]}}`, nil},
		{"attribute with a leading zero", `{"subject":{"extraNames":[{"type":"2.5.4.03","value":"A"}]}}`, nil},
		{"extension with a leading zero", `{"extensions":[{"id":"2.5.29.017","value":"MAA="}]}`, nil},
		{"extension that is no DER", `{"extensions":[{"id":"2.5.29.17","value":"aGVsbG8="}]}`, nil},
	}
}

func TestNamesInEachForm(t *testing.T) {
	t.Parallel()
	for _, test := range sanForms() {
		got := describedObject(t, "x509Certificate", json.RawMessage(test.members)).Names
		if !slices.Equal(got, test.want) || (got == nil) != (test.want == nil) {
			t.Errorf("%s: the names of %s are %q, want %q", test.name, test.members, got, test.want)
		}
	}
}

// A CSR whose JSON has names that its DER does not have: they are names too, as they are for identify.
func TestNamesBesideTheCSR(t *testing.T) {
	t.Parallel()
	raw := made(t)["P-256"].der
	got := describedObject(t, "x509CertificateRequest", map[string]any{
		"raw": raw, "dnsNames": []string{"c02xk1jklvcg"},
		"sans":       []any{map[string]any{"type": "dns", "value": "one"}},
		"extensions": []any{map[string]any{"id": "2.5.29.17", "value": []byte(der(tagSequence, der(0x82, "two")))}},
	}).Names
	if want := []string{"C02XK1JKLVCG", "two", "one"}; !slices.Equal(got, want) {
		t.Errorf("the names are %q, want %q", got, want)
	}
}
