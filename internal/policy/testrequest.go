package policy

import (
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// readParts reads what a test's request has of certificates and the like.
func (r *Reader) readParts(m document.Mapping, now time.Time, to *posture.Request) {
	to.Principal, _ = m.Get("principal").Text()
	to.CSR, to.Certificate, to.X5C = readNames(m.Get("csr")), readNames(m.Get("certificate")), readNames(m.Get("x5c"))
	if v := m.Get("ssh"); v.IsSet() {
		of := v.Mapping()
		to.SSH = &posture.SSHRequest{Principals: readTexts(of.Get("principals"))}
		to.SSH.Type, _ = of.Get("type").Text()
		to.SSH.KeyID, _ = of.Get("key_id").Text()
		if until := of.Get("valid_before"); until.IsSet() {
			to.SSH.ValidBefore, _ = readTime(until, now)
		}
	}
	if v := m.Get("scep"); v.IsSet() {
		to.SCEP = &posture.SCEPRequest{}
		to.SCEP.TransactionID, _ = v.Mapping().Get("transaction_id").Text()
	}
	for name, v := range m.Get("url").Names() {
		if !slices.Contains(r.Parameters, name) {
			v.Key().Unknown("parameter", name, r.Parameters, orNoParameters(r.Parameters))
			continue
		}
		if to.URL == nil {
			to.URL = map[string]string{}
		}
		to.URL[name], _ = v.Text()
	}
}

func orNoParameters(names []string) string {
	if len(names) == 0 {
		return "a name in params of a webhook of the file; there is none"
	}
	return strings.Join(names, ", ")
}

func readNames(v document.Value) *posture.CertificateNames {
	if !v.IsSet() {
		return nil
	}
	m := v.Mapping()
	names := &posture.CertificateNames{
		Emails: readTexts(m.Get("emails")), DNSNames: readTexts(m.Get("dns_names")), IPs: readTexts(m.Get("ips")), URIs: readTexts(m.Get("uris")),
	}
	names.CommonName, _ = m.Get("common_name").Text()
	names.SubjectSerialNumber, _ = m.Get("subject_serial_number").Text()
	names.SerialNumber, _ = m.Get("serial_number").Text()
	return names
}

// readTexts reads a list that is empty where it is not set, as in a request.
func readTexts(v document.Value) []string {
	texts, _ := textsOf(v)
	return texts
}
