package webhook_test

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// san is a certificate with one alternative name.
func san(of members) func(members) { return func(c members) { c["sans"] = []any{of} } }

// inExtension is a certificate with an extension of its own.
func inExtension(der []byte) func(members) {
	return func(c members) {
		c["extensions"] = []any{members{"id": "1.3.6.1.4.1.99999.1", "critical": false, "value": der}}
	}
}

func marshal(t testing.TB, value any) []byte {
	t.Helper()
	der, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// leaks are certificates that show a text.
func leaks(t testing.TB, shown string) map[string]func(certificate members) {
	t.Helper()
	subject := func(name string, value any) func(members) {
		return func(c members) { c["subject"].(members)[name] = value }
	}
	extra := func(of string, value any) func(members) {
		return subject("extraNames", []any{members{"type": of, "value": value}})
	}
	b64, raw64, url64 := base64.StdEncoding.EncodeToString([]byte(shown)), base64.RawStdEncoding.EncodeToString([]byte(shown)), base64.RawURLEncoding.EncodeToString([]byte(shown))
	directory := marshal(t, with(attribute(t, "2.5.4.10", shown)))
	return map[string]func(members){
		"organization":           subject("organization", shown),
		"one of several units":   subject("organizationalUnit", []any{"Lab", shown}),
		"serial number":          subject("serialNumber", shown),
		"locality":               subject("locality", []any{shown}),
		"another attribute":      extra("2.5.4.46", shown),
		"UDID's attribute":       extra(udidIn, shown),
		"attribute in base64":    extra("2.5.4.46", b64),
		"attribute in an object": extra("2.5.4.46", members{"a": []any{shown}}),
		"name of a member":       extra("2.5.4.46", members{shown: 1}),
		"between other text":     extra("2.5.4.46", "token: "+shown+"."),
		"behind base64url":       extra("2.5.4.46", "C02-_"+shown),
		"before base64url":       extra("2.5.4.46", shown+"_x9"),
		"between base64url":      extra("2.5.4.46", "a"+shown+"b"),
		"base64 behind base64":   extra("2.5.4.46", "x"+b64),
		"base64 behind two":      extra("2.5.4.46", "xy"+raw64),
		"base64 behind three":    extra("2.5.4.46", "xyz"+raw64+"abc"),
		"base64url":              extra("2.5.4.46", url64),
		"raw subject": func(c members) {
			c["rawSubject"] = marshal(t, with(attribute(t, "2.5.4.3", serial), attribute(t, "2.5.4.10", shown)))
		},
		"raw subject, BMPString": func(c members) {
			c["rawSubject"] = marshal(t, with(attribute(t, "2.5.4.3", serial), attribute(t, "2.5.4.10", text(asn1.TagBMPString, shown))))
		},
		"DNS name":            san(members{"type": "dns", "value": shown + ".example.com"}),
		"e-mail address":      san(members{"type": "email", "value": shown + "@example.com"}),
		"URI":                 san(members{"type": "uri", "value": "https://example.com/?token=" + shown + "&x"}),
		"automatic name":      san(members{"type": "auto", "value": shown}),
		"user principal name": san(members{"type": "userPrincipalName", "value": shown}),
		"directory name":      san(members{"type": "dn", "asn1Value": members{"organization": []any{shown}}}),
		"hardware module":     san(members{"type": "hardwareModuleName", "asn1Value": members{"type": "1.2.3", "serialNumber": []byte(shown)}}),
		"other name":          san(members{"type": "1.2.3.4", "value": "utf8:" + shown}),
		"list of DNS names":   func(c members) { c["dnsNames"] = []any{"a.example.com", shown} },
		"list of e-mails":     func(c members) { c["emailAddresses"] = shown },
		"list of URIs":        func(c members) { c["uris"] = []any{"urn:x:" + shown} },
		"extension of names": func(c members) {
			c["extensions"] = []any{members{"id": "2.5.29.17", "value": marshal(t, []asn1.RawValue{{Class: 2, Tag: 2, Bytes: []byte(shown)}})}}
		},
		"extension, directory": func(c members) {
			c["extensions"] = []any{members{"id": "2.5.29.17", "value": marshal(t, []asn1.RawValue{{Class: 2, Tag: 4, IsCompound: true, Bytes: directory}})}}
		},
		"extension":               inExtension(marshal(t, shown)),
		"extension, OCTET STRING": inExtension(marshal(t, []byte(shown))),
		"extension, BMPString":    inExtension(marshal(t, text(asn1.TagBMPString, shown))),
		"extension, universal":    inExtension(marshal(t, text(tagUniversalString, shown))),
		"extension, base64":       inExtension(marshal(t, b64)),
		"extension, raw base64":   inExtension([]byte(raw64)),
		"extension, base64url":    inExtension(marshal(t, url64)),
		"extension, deep":         inExtension(marshal(t, []any{1, []any{true, marshal(t, []any{shown})}})),
		"CRL":                     func(c members) { c["crlDistributionPoints"] = []any{"https://example.com/" + shown} },
		"name constraints":        func(c members) { c["nameConstraints"] = members{"permittedDNSDomains": []any{shown}} },
		"subject key ID":          func(c members) { c["subjectKeyId"] = []byte(shown) },
	}
}

// A certificate that shows the token is refused, in any field; the reason has the line that keeps it out. So is one that has the
// attribute, whatever is in it.
func TestTokenInCertificate(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	shown, token := e.issue(t, serial, udid)
	unused, _ := e.issue(t, serial, "")
	o := enrolling(t, shown)
	body := o.enriching(t, serial)
	wantAllow(t, "CSR", e.ask(t, attestedHook, body))
	refused := func(name string, change func(members)) {
		t.Helper()
		got := e.ask(t, attestedHook, o.authorizing(t, serial, change))
		wantCode(t, name, got, http.StatusOK, "tokenInCertificate")
		for _, part := range []string{"in the certificate template", `range .Insecure.CR.Subject.ExtraNames`, `if ne (toJson .Type) (toJson "2.5.4.35")`} {
			if !strings.Contains(got.event.Reason, part) {
				t.Errorf("%s: got reason %q, want %q in it", name, got.event.Reason, part)
			}
		}
		if got.event.TokenID != token.ID {
			t.Errorf("%s: got token %q, want %s", name, got.event.TokenID, token.ID)
		}
	}
	for name, change := range leaks(t, shown) {
		refused(name, change)
	}
	for name, change := range leaks(t, unused) { // of another token it is not known; its holder writes no template
		wantAllow(t, "another token: "+name, e.ask(t, attestedHook, o.authorizing(t, serial, change)))
	}
	e.revoke(t, tokenOf(t, e, unused))
	e.issued = e.issued[:1]
	extraNames := func(value any) func(members) {
		return func(c members) {
			c["subject"].(members)["extraNames"] = []any{members{"type": tokenIn, "value": value}}
		}
	}
	refused("attribute", extraNames(shown))
	refused("attribute without the token", extraNames("x"))
	refused("empty attribute", extraNames(""))
	refused("attribute without value", extraNames(nil))
	refused("raw subject", func(c members) {
		c["rawSubject"] = marshal(t, with(attribute(t, "2.5.4.3", serial), attribute(t, tokenIn, "x")))
	})
	refused("raw subject, BMPString", func(c members) {
		c["rawSubject"] = marshal(t, with(attribute(t, tokenIn, text(asn1.TagBMPString, "x"))))
	})
	wantAllow(t, "with nothing of it", e.ask(t, attestedHook, o.authorizing(t, serial)))
	wantAllow(t, "with the UDID", e.ask(t, attestedHook, o.authorizing(t, serial, func(c members) {
		c["subject"].(members)["extraNames"] = []any{members{"type": udidIn, "value": udid}}
	})))
	// Names that are compared before: the name is wrong, and the log does not repeat it.
	for _, name := range []string{shown, "x" + shown, shown + "-", "\n" + shown, "\x01" + shown} {
		for what, change := range map[string]func(members){
			"common name":          func(c members) { c["subject"] = members{"commonName": name} },
			"permanent identifier": san(members{"type": "permanentIdentifier", "value": name}),
			"kind of name":         san(members{"type": name, "value": "x"}),
			"extension":            func(c members) { c["extensions"] = []any{members{"id": name, "value": []byte("x")}} },
			"attribute":            func(c members) { c["subject"].(members)["extraNames"] = []any{members{"type": name, "value": "x"}} },
			"no base64":            func(c members) { c["rawSubject"] = name },
			"no list":              func(c members) { c["sans"] = name },
		} {
			if got := e.ask(t, attestedHook, o.authorizing(t, serial, change)); got.code == "" {
				t.Errorf("%s %q: got %s, want a refusal", what, name, got.body)
			}
		}
	}
}

// The attributes that step-ca writes into members of their own.
func TestTokenInMemberOfSubject(t *testing.T) {
	t.Parallel()
	for in, member := range map[string]string{
		"2.5.4.6": "country", "2.5.4.10": "organization", "2.5.4.11": "organizationalUnit", "2.5.4.7": "locality",
		"2.5.4.8": "province", "2.5.4.9": "streetAddress", "2.5.4.17": "postalCode",
	} {
		e := newEnrolment(t)
		e.rule.In = in
		shown, _ := e.issue(t, serial, "")
		o := order{key: newKey(t), subject: with(attribute(t, "2.5.4.3", serial), attribute(t, in, shown))}
		wantAllow(t, member, e.ask(t, attestedHook, o.enriching(t, serial)))
		for _, value := range []any{shown, []any{shown}, []any{"Lab"}, "Lab", 7} {
			got := e.ask(t, attestedHook, o.authorizing(t, serial, func(c members) { c["subject"].(members)[member] = value }))
			wantCode(t, member, got, http.StatusOK, "tokenInCertificate")
		}
		for _, value := range []any{nil, "", []any{}} {
			wantAllow(t, member, e.ask(t, attestedHook, o.authorizing(t, serial, func(c members) { c["subject"].(members)[member] = value })))
		}
	}
}

// The template that step-ca's own default is with the attribute, and the one that the reason gives, as step-ca renders them.
func TestRemedyIsATemplate(t *testing.T) {
	t.Parallel()
	e := newEnrolment(t)
	shown, _ := e.issue(t, serial, "")
	o := enrolling(t, shown)
	wantAllow(t, "CSR", e.ask(t, attestedHook, o.enriching(t, serial)))
	got := e.ask(t, attestedHook, o.authorizing(t, serial, inExtension([]byte(shown))))
	_, line, _ := strings.Cut(got.event.Reason, "alone: ")
	type name struct {
		Type  json.RawMessage `json:"type"`
		Value string          `json:"value"`
	}
	extraNames := []name{{[]byte(`"2.5.4.46"`), "one"}, {[]byte(`"` + tokenIn + `"`), shown}, {[]byte(`"1.2.3.4"`), "two"}, {[]byte(`"` + tokenIn + `"`), shown}}
	var subject struct {
		ExtraNames []struct{ Type, Value string } `json:"extraNames"`
	}
	text := "{" + render(t, line, members{"Insecure": members{"CR": members{"Subject": members{"ExtraNames": extraNames}}}}) + "}"
	if err := json.Unmarshal([]byte(text), &subject); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if len(subject.ExtraNames) != 2 || subject.ExtraNames[0].Value != "one" || subject.ExtraNames[1].Value != "two" || bytes.Contains([]byte(text), []byte(shown)) {
		t.Errorf("got %s, want the other attributes alone", text)
	}
	if text := render(t, line, members{"Insecure": members{"CR": members{"Subject": members{"ExtraNames": extraNames[1:2]}}}}); text != `"extraNames": []` {
		t.Errorf("got %s, want none", text)
	}
}
