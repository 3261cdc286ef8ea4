package audit

import "step-posture-connector/internal/posture"

func (w *factsWriter) request(r *posture.Request) {
	w.key("door").orNull(r.Door)
	w.key("caller").orNull(r.Caller)
	w.key("kind").orNull(r.Kind)
	w.key("provisioner").orNull(r.Provisioner)
	w.key("mode").orNull(r.Mode)
	w.key("identifier").orNull(r.Identifier)
	w.key("key_type").orNull(r.KeyType)
	if w.key("key_bits"); r.KeyBits == 0 {
		w.null()
	} else {
		w.int(r.KeyBits)
	}
	w.key("names").textsOrNull(r.Names)
	w.requestParts(r)
}

// requestParts writes what the request has of certificates and the like, where it was read. The parameters of the URL are left out: the
// query is never recorded.
func (w *factsWriter) requestParts(r *posture.Request) {
	if r.Principal != "" {
		w.key("principal").text(r.Principal)
	}
	for _, part := range [...]struct {
		key   string
		names *posture.CertificateNames
	}{{"csr", r.CSR}, {"certificate", r.Certificate}, {"x5c", r.X5C}} {
		if n := part.names; n != nil {
			w.key(part.key).object(func() {
				w.key("common_name").orNull(n.CommonName)
				w.key("subject_serial_number").orNull(n.SubjectSerialNumber)
				w.key("serial_number").orNull(n.SerialNumber)
				w.key("emails").textsOrNull(n.Emails)
				w.key("dns_names").textsOrNull(n.DNSNames)
				w.key("ips").textsOrNull(n.IPs)
				w.key("uris").textsOrNull(n.URIs)
				w.shown(n)
			})
		}
	}
	if r.SSH != nil {
		w.key("ssh").object(func() {
			w.key("type").orNull(r.SSH.Type)
			w.key("key_id").orNull(r.SSH.KeyID)
			w.key("principals").textsOrNull(r.SSH.Principals)
			if !r.SSH.ValidBefore.IsZero() {
				w.key("valid_before").moment(r.SSH.ValidBefore)
			}
		})
	}
	if r.SCEP != nil {
		w.key("scep").object(func() { w.key("transaction_id").orNull(r.SCEP.TransactionID) })
	}
	if r.RADIUS != nil {
		w.key("radius").object(func() {
			w.key("nas").orNull(r.RADIUS.NAS)
			w.key("ssid").orNull(r.RADIUS.SSID)
			w.key("calling_station").orNull(r.RADIUS.CallingStation)
		})
	}
}

// shown writes what is known only of a certificate that a device has shown.
func (w *factsWriter) shown(n *posture.CertificateNames) {
	if !n.NotBefore.IsZero() {
		w.key("not_before").moment(n.NotBefore)
	}
	if !n.NotAfter.IsZero() {
		w.key("not_after").moment(n.NotAfter)
	}
	if n.Provisioner != "" {
		w.key("provisioner").text(n.Provisioner)
	}
	if n.ProvisionerType != "" {
		w.key("provisioner_type").text(n.ProvisionerType)
	}
}
