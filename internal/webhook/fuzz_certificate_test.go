package webhook

import (
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// FuzzIdentifyCertificate: in every JSON of a certificate that is accepted, step-ca finds no name except the attested
// one.
func FuzzIdentifyCertificate(f *testing.F) {
	const id = "C02HARNESS01"
	text, err := os.ReadFile(filepath.Join("testdata", "authorizing.json"))
	if err != nil {
		f.Fatal(err)
	}
	var table []struct{ Sent json.RawMessage }
	if err := json.Unmarshal(text, &table); err != nil {
		f.Fatal(err)
	}
	for _, row := range table {
		f.Add([]byte(row.Sent))
	}
	for _, certificate := range []string{
		`{}`, `{"sans":[null],"extensions":[null],"subject":{"extraNames":[null]}}`,
		`{"sans":[{"type":"permanentIdentifier"}]}`, `{"sans":[{"type":"permanentIdentifier","value":"C02HARNESS01","asn1Value":{"\u0131dentifier":"X"}}]}`,
		`{"sans":[{"type":"0001.03.6.1.5.5.7.8.3","value":"raw:oAA="}]}`, `{"extensions":[{"id":"1.-41.85.29.17","value":"MAA="}]}`,
		`{"subject":{"extraNames":[{"type":"0.-1.85.4.3","value":"X"}]}}`, `{"subject":{"extraNames":[{"type":"2.5.4.3","value":null}]}}`,
	} {
		f.Add([]byte(certificate))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		content := fmt.Appendf(nil, `{"timestamp":"2026-11-22T02:02:21Z","attestationData":{"permanentIdentifier":%q},"x509Certificate":%s}`, id, object)
		body, p := decode(Signed{raw: content}, time.Date(2026, 11, 22, 2, 2, 21, 0, time.UTC), time.Second, false)
		if p != nil || body.X509Certificate == nil {
			return
		}
		got, p := identify(body)
		if p != nil {
			checkRefused(t, got, p)
			return
		}
		commonNames, permanentIdentifiers := namesThatStepCASigns(body.X509Certificate)
		checkIdentified(t, id, got, commonNames, permanentIdentifiers)
	})
}

// namesThatStepCASigns reads a certificate as step-ca does, which made it from a template: encoding/json reads
// asn1Value, strconv reads the arcs of OIDs, and encoding/asn1 writes them.
func namesThatStepCASigns(certificate *certificate) (commonNames, permanentIdentifiers []string) {
	overridden := false
	for _, extra := range certificate.Subject.ExtraNames {
		if derOfOID(extra.Type) == derCommonName {
			overridden = true
			var value any
			if json.Unmarshal(extra.Value, &value) != nil || value == nil {
				value = "\x00not a string"
			}
			commonNames = append(commonNames, fmt.Sprint(value))
		}
	}
	if certificate.Subject.CommonName != "" && !overridden {
		commonNames = append(commonNames, certificate.Subject.CommonName)
	}
	if len(certificate.RawSubject) > 0 {
		commonNames = nil
		for _, sequence := range elements(certificate.RawSubject) {
			commonNames = append(commonNames, commonNamesIn(sequence.content)...)
		}
	}
	for _, san := range certificate.SANs {
		var value struct{ Identifier string }
		switch {
		case san.Type == "permanentIdentifier" && len(san.ASN1Value) > 0:
			if json.Unmarshal(san.ASN1Value, &value) == nil {
				permanentIdentifiers = append(permanentIdentifiers, value.Identifier)
			}
		case san.Type == "permanentIdentifier":
			permanentIdentifiers = append(permanentIdentifiers, san.Value)
		case derOfOID(san.Type) == derPermanentID:
			permanentIdentifiers = append(permanentIdentifiers, "\x00DER of the template's own")
		}
	}
	for _, extension := range certificate.Extensions {
		if derOfOID(extension.ID) == derSAN {
			permanentIdentifiers = append(permanentIdentifiers, permanentIdentifiersIn(extension.Value)...)
		}
	}
	return commonNames, permanentIdentifiers
}

// derOfOID is the content of the DER that step-ca makes from a dotted OID, or "" if it makes none.
func derOfOID(text string) string {
	var oid asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(text, ".") {
		number, err := strconv.Atoi(arc)
		if err != nil {
			return ""
		}
		oid = append(oid, number)
	}
	der, err := asn1.Marshal(oid)
	if err != nil {
		return ""
	}
	return string(elements(der)[0].content)
}
