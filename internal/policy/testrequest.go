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
	to.CSR, to.Certificate, to.X5C = readNames(m.Get("csr")), readShown(m.Get("certificate"), now), readNames(m.Get("x5c"))
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
	if v := m.Get("radius"); v.IsSet() {
		of := v.Mapping()
		to.RADIUS = &posture.RADIUSRequest{}
		to.RADIUS.NAS, _ = of.Get("nas").Text()
		to.RADIUS.SSID, _ = of.Get("ssid").Text()
		to.RADIUS.CallingStation, _ = of.Get("calling_station").Text()
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

// readShown is readNames for request.certificate, which may also be one that a device has shown.
func readShown(v document.Value, now time.Time) *posture.CertificateNames {
	names := readNames(v)
	if names == nil {
		return nil
	}
	m := v.Mapping()
	if serial := m.Get("serial"); serial.IsSet() {
		if m.Get("serial_number").IsSet() {
			serial.Key().Fault("one of serial and serial_number", "serial and serial_number are the same value")
		}
		names.SerialNumber, _ = serial.Text()
	}
	if from := m.Get("not_before"); from.IsSet() {
		names.NotBefore, _ = readTime(from, now)
	}
	if until := m.Get("not_after"); until.IsSet() {
		names.NotAfter, _ = readTime(until, now)
	}
	names.Provisioner, _ = m.Get("provisioner").Text()
	names.ProvisionerType, _ = m.Get("provisioner_type").Text()
	return names
}

// readTexts reads a list that is empty where it is not set, as in a request.
func readTexts(v document.Value) []string {
	texts, _ := textsOf(v)
	return texts
}
