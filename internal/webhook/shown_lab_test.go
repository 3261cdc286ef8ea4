package webhook_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"step-posture-connector/internal/devicecert"
	"step-posture-connector/internal/enroll"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/test/testca"
	"step-posture-connector/internal/webhook"
)

const radiusCode, radiusMessage = "diskNotEncrypted", "Encrypt the disk"

// shownLab is a webhook of Smallstep's RADIUS server, and the CA of the devices that it asks about.
type shownLab struct {
	*door
	ca *testca.CA
	// revoked are the serial numbers on the list of the CA.
	revoked map[string]bool
	asked   []string // of the inventory
}

// newShownLab makes a lab whose policy has rules. The inventory has the device of the tests, whose disk is encrypted.
func newShownLab(t *testing.T, conditions ...string) *shownLab {
	t.Helper()
	l := &shownLab{ca: testca.New(t, "Device CA"), revoked: map[string]bool{}}
	hook := testHook()
	hook.Name, hook.Accepts = "smallstep", []posture.Accepts{posture.RADIUS}
	hook.Identity = devicecert.PermanentIdentifier
	hook.Devices = &devicecert.Trust{
		Issuers: []*x509.Certificate{l.ca.Certificate}, Provisioners: []string{"acme-da"},
		Revoked: func(_ []byte, serial *big.Int) string {
			if l.revoked[serial.String()] {
				return "it is on the list"
			}
			return ""
		},
	}
	hook.Gate = &posture.Gate{
		Join: posture.Join{Inventories: []posture.Source{{
			Name: "devices", Kind: "test", DefaultType: posture.Computer,
			Provider: inventory(func(_ context.Context, q posture.Query) (posture.Device, error) {
				l.asked = append(l.asked, q.Identifier.String())
				if q.Identifier.String() != serial {
					return posture.Device{}, posture.ErrNotFound
				}
				return posture.Device{Identifier: serial, Facts: posture.Facts{Managed: posture.Known(true), Encrypted: posture.Known(true)}}, nil
			}),
		}}},
		Policy: rules(t, conditions...).Authority(nil), Record: true,
	}
	hook.Gate.Policy.Name = "wifi"
	l.door = newDoor(hook, true).at(time.Now().Truncate(time.Second))
	return l
}

// rules is a policy with a rule for each condition.
func rules(t *testing.T, conditions ...string) *policy.Policy {
	t.Helper()
	scope, err := policy.NewScope("devices")
	if err != nil {
		t.Fatal(err)
	}
	p := &policy.Policy{Name: "wifi", Inventories: []string{"devices"}}
	for _, text := range append(conditions, "device.encrypted") {
		condition, faults := scope.CompileCondition(text)
		if faults != nil {
			t.Fatalf("%s: %v", text, faults)
		}
		p.Rules = append(p.Rules, &policy.Rule{Name: "rule", Require: condition, Code: radiusCode, Message: radiusMessage})
	}
	return p
}

// withToken requires an enrolment token of orders. None is in the store.
func (l *shownLab) withToken() *shownLab {
	l.hook.Gate.Policy.Token = &posture.TokenRequirement{}
	l.handler.Tokens = &enroll.Tokens{}
	l.handler.Use(webhook.NewHooks([]webhook.Hook{l.hook}, true))
	return l
}

// names are what the certificate of a device says.
type names struct {
	common, provisioner string
	permanent           []string
}

func good() names { return names{serial, "acme-da", []string{serial}} }

// certificate is one of a device, with changes of its template.
func certificate(t *testing.T, ca *testca.CA, of names, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: of.common}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if len(of.permanent) > 0 {
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: oid(t, "2.5.29.17"), Value: permanentIdentifiers(t, of.permanent...)})
	}
	if of.provisioner != "" {
		der := derOf(t, struct {
			Type             int
			Name, Credential []byte
		}{6, []byte(of.provisioner), []byte{}})
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: oid(t, "1.3.6.1.4.1.37476.9000.64.1"), Value: der})
	}
	if change != nil {
		change(template)
	}
	issued, _ := ca.Issue(t, template)
	return issued
}

// permanentIdentifiers is a subjectAltName with a permanentIdentifier for each text (RFC 4043).
func permanentIdentifiers(t *testing.T, texts ...string) []byte {
	t.Helper()
	var all []byte
	for _, text := range texts {
		value := derOf(t, struct {
			Value string `asn1:"utf8"`
		}{text})
		name := append(derOf(t, oid(t, "1.3.6.1.5.5.7.8.3")), derOf(t, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: value})...)
		all = append(all, derOf(t, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: name})...)
	}
	return derOf(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: all})
}

func derOf(t *testing.T, value any) []byte {
	t.Helper()
	der, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// shownAs is what Smallstep's example shows of a certificate: its JSON, and the DER.
func shownAs(raw []byte) map[string]any {
	return map[string]any{
		"subject": map[string]any{"commonName": serial, "organization": []string{"Example"}, "names": []any{}, "extraNames": nil},
		"issuer":  map[string]any{"commonName": "Device CA"}, "serialNumber": "270390854734985720984572058347298347234", "version": 3,
		"sans": []any{map[string]any{"type": "permanentIdentifier", "value": serial}}, "dnsNames": nil, "extensions": []any{},
		"keyUsage": []string{"digitalSignature"}, "extKeyUsage": []string{"clientAuth"}, "basicConstraints": nil, "publicKeyAlgorithm": "ECDSA",
		"notBefore": "2026-01-01T00:00:00Z", "notAfter": "2027-01-01T00:00:00Z", "raw": raw,
	}
}

// body is a body of Smallstep's RADIUS server at the time of the lab, with more members or others.
func (l *shownLab) body(t *testing.T, certificate any, more map[string]any) []byte {
	t.Helper()
	members := map[string]any{"timestamp": l.handler.Now().UTC().Format(time.RFC3339), "x509Certificate": certificate}
	for name, value := range more {
		members[name] = value
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
