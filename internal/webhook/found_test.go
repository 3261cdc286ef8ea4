package webhook_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
)

// identifierIn are the identifiers that another reader finds where the webhook takes its identifier from.
func (c caller) identifierIn(body []byte) []string {
	var sent map[string]any // which, unlike a structure, takes the exact names of members only
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // the connector reads no number but that of its own members
	if decoder.Decode(&sent) != nil {
		return nil
	}
	switch c.identify {
	case "":
		return textsAt(sent, "attestationData.permanentIdentifier")
	case "request.principal":
		return textsAt(sent, "authorizationPrincipal")
	case "request.csr.common_name":
		if csr, err := x509.ParseCertificateRequest(bytesAt(sent, "x509CertificateRequest.raw")); err == nil {
			return []string{csr.Subject.CommonName}
		}
		return nil
	case "request.x5c.dns_names[0]":
		if cert, err := x509.ParseCertificate(bytesAt(sent, "x5cCertificate.raw")); err == nil {
			return cert.DNSNames
		}
		return nil
	case "request.certificate.common_name":
		return commonNamesAt(sent)
	case "request.ssh.key_id":
		return textsAt(sent, "sshCertificateRequest.keyID", "sshCertificateRequest.keyId", "sshCertificate.keyID", "sshCertificate.keyId")
	default: // the parameters of the URL, which no body changes
		query, _ := url.ParseQuery(strings.TrimPrefix(c.query, "?"))
		if len(c.params) == 1 {
			return query[c.params[0]]
		}
		return []string{query.Get("namespace") + "/" + query.Get("name")}
	}
}

// at is the member of a tree at a path.
func at(tree any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		members, _ := tree.(map[string]any)
		tree = members[name]
	}
	return tree
}

func textsAt(tree any, paths ...string) (all []string) {
	for _, path := range paths {
		if text, ok := at(tree, path).(string); ok {
			all = append(all, text)
		}
	}
	return all
}

func bytesAt(tree any, path string) []byte {
	text, _ := at(tree, path).(string)
	der, _ := base64.StdEncoding.DecodeString(text)
	return der
}

// commonNamesAt are those of each form of a subject.
func commonNamesAt(tree any) []string {
	all := textsAt(tree, "x509Certificate.subject.commonName")
	extra, _ := at(tree, "x509Certificate.subject.extraNames").([]any)
	for _, attribute := range extra {
		if at(attribute, "type") == "2.5.4.3" {
			all = append(all, textsAt(attribute, "value")...)
		}
	}
	var sequence pkix.RDNSequence
	if _, err := asn1.Unmarshal(bytesAt(tree, "x509Certificate.rawSubject"), &sequence); err == nil {
		var name pkix.Name
		name.FillFromRDNSequence(&sequence)
		all = append(all, name.CommonName)
	}
	return all
}
