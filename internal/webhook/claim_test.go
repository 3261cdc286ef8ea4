package webhook

import (
	"strings"

	"step-posture-connector/internal/posture"
)

// claim has the names that a certificate would claim, as the parts of a CSR or a certificate.
type claim struct {
	one, two, permanent          string
	tagOne, tagTwo, tagPermanent byte
	with                         uint8 // bits: common name one, two, permanent identifier, in one set
}

func (c claim) subject() string {
	attribute := func(tag byte, value string) string {
		return der(tagSequence, der(6, derCommonName), der(tag, value))
	}
	var parts []string
	if c.with&1 != 0 {
		parts = append(parts, attribute(c.tagOne, c.one))
	}
	if c.with&2 != 0 {
		parts = append(parts, attribute(c.tagTwo, c.two))
	}
	if c.with&8 != 0 && len(parts) > 0 {
		return der(tagSequence, der(tagSet, parts...))
	}
	for i, part := range parts {
		parts[i] = der(tagSet, part)
	}
	return der(tagSequence, parts...)
}

func (c claim) sans() string {
	names := der(0x82, "mac.example.com")
	if c.with&4 != 0 {
		names += der(0xa0, der(6, derPermanentID), der(0xa0, der(tagSequence, der(c.tagPermanent, c.permanent))))
	}
	return der(tagSequence, names)
}

// csr makes a CSR with the claim and the public key of a recorded CSR. Its signature is not verified.
func (c claim) csr(recorded []byte) string { return newCSR(recorded, c.subject(), c.sans()) }

func newCSR(recorded []byte, subject, sans string) string {
	info := elements(elements(elements(recorded)[0].content)[0].content)
	extensions := der(tagSequence, der(tagSequence, der(6, derSAN), der(4, sans)))
	attributes := der(0xa0, der(tagSequence, der(6, derExtensionRequest), der(tagSet, extensions)))
	algorithm := der(tagSequence, der(6, "\x2a\x86\x48\xce\x3d\x04\x03\x02"))
	return der(tagSequence,
		der(tagSequence, der(2, "\x00"), subject, der(info[2].tag, string(info[2].content)), attributes),
		algorithm, der(3, "\x00\x00"))
}

func claims(id string) []claim {
	var all []claim
	for with := range uint8(16) {
		all = append(all,
			claim{id, id, id, tagUTF8, tagPrintable, tagUTF8, with},
			claim{id, "C02OTHER", id, tagPrintable, tagUTF8, tagIA5, with},
			claim{"C02OTHER", id, id, tagT61, tagUTF8, tagUTF8, with},
			claim{id, "", "C02OTHER", tagUTF8, tagUTF8, tagUTF8, with},
			claim{"", strings.ToLower(id), "", tagIA5, tagUTF8, tagUTF8, with},
			claim{"\x00A", "\x01\x02", "\x01", tagBMP, 3, 2, with},
			claim{id + "\x00", id + " ", id, tagUTF8, tagUTF8, 4, with},
		)
	}
	return all
}

// inJSON writes the claim as members of step-ca's certificate object.
func (c claim) inJSON(object map[string]any, form string) {
	subject := map[string]any{}
	var extra []any
	if c.with&1 != 0 {
		if form == "commonName" {
			subject["commonName"] = c.one
		} else {
			extra = append(extra, map[string]any{"type": "2.5.4.3", "value": c.one})
		}
	}
	if c.with&2 != 0 {
		extra = append(extra, map[string]any{"type": "2.5.4.3", "value": c.two})
	}
	subject["extraNames"] = extra
	object["subject"] = subject
	sans := []any{map[string]any{"type": "dns", "value": "mac.example.com"}}
	if c.with&4 != 0 {
		san := map[string]any{"type": "permanentIdentifier", "value": c.permanent}
		if c.with&8 != 0 {
			san = map[string]any{"type": "permanentIdentifier", "asn1Value": map[string]any{"identifier": c.permanent}}
		}
		sans = append(sans, san)
	}
	object["sans"] = sans
}

// refusal is the code that the claim must be refused with, or "".
func (c claim) refusal(identifier string) posture.Code {
	if identifier == "" {
		return codeAttestationMissing
	}
	if _, err := posture.ParseIdentifier(identifier); err != nil {
		return posture.IdentifierInvalid
	}
	var names []string
	if c.with&1 != 0 {
		names = append(names, c.one)
	}
	if c.with&2 != 0 {
		names = append(names, c.two)
	}
	switch {
	case len(names) > 1, len(names) == 1 && names[0] != identifier:
		return codeCommonNameMismatch
	case c.with&4 != 0 && c.permanent != identifier:
		return codeSANMismatch
	}
	return ""
}
